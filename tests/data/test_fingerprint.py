import re

import pandas as pd
import pytest

from car_retrieval.data.fingerprint import digest


class TestDigest:
    LIST = pd.DataFrame(
        {"Path": ["a,b.jpg", "é\n.jpg", "7"], "Hash": ["00", "1e5", "x"], "Class": [2**62, -1, 0]}
    )

    def test_it_is_of_the_two_columns_alone(self):
        found = digest(self.LIST)
        assert re.fullmatch("[0-9a-f]{16}", found)
        other = self.LIST.assign(Class=1, Year=None)[["Year", "Hash", "Class", "Path"]]
        other.index = [5, 3, 9]
        assert digest(other) == found
        assert digest(self.LIST, ["Path", "Hash", "Class"]) != found

    @pytest.mark.parametrize(
        "change",
        [
            lambda table: table.iloc[[1, 0, 2]],
            lambda table: table.iloc[:2],
            lambda table: table.replace("x", "y"),
            lambda table: table.replace("7", "8"),
            lambda table: table.assign(Path=["a", "b.jpg,é\n.jpg", "7"]),
            lambda table: table.rename(columns={"Path": "Hash", "Hash": "Path"}),
        ],
    )
    def test_another_list_has_another(self, change):
        assert digest(change(self.LIST)) != digest(self.LIST)

    def test_it_survives_a_file(self, tmp_path):
        self.LIST.to_csv(tmp_path / "list.csv", index=False)
        loaded = pd.read_csv(tmp_path / "list.csv", dtype={"Path": str, "Hash": str})
        columns = list(self.LIST)
        assert digest(loaded, columns) == digest(self.LIST, columns)

    def test_a_column_is_missing(self):
        with pytest.raises(ValueError, match=r"no column Path, Hash: .* data_processing again"):
            digest(self.LIST[["Class"]])
