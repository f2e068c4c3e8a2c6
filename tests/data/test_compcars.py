from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.data import compcars
from car_retrieval.data.compcars import parse_label, parse_year

SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample"


class TestParseLabel:
    @given(
        view=st.sampled_from(sorted(compcars.VIEWPOINTS)),
        box=st.tuples(*[st.integers(-9, 9999)] * 4),
        ends=st.tuples(*[st.sampled_from(["\n", "\r\n", "\r", " \r\n", "\n\n"])] * 3),
    )
    def test_any_mix_of_line_ends(self, view, box, ends):
        numbers = " ".join(map(str, box))
        assert parse_label(f"{view}{ends[0]}1{ends[1]}{numbers}{ends[2]}") == (view, box)

    def test_blanks_and_a_missing_last_newline(self):
        assert parse_label(" 4 \r\n1\n  3\t3  5 10 ") == (4, (3, 3, 5, 10))

    @pytest.mark.parametrize(
        "text",
        ["", "\n", "1\n", "1\n1\n", "front\n1\n1 2 3 4\n", "1\none\n1 2 3 4\n", "1\n1\n1 2 3 4.5\n",
         "1\n1\n1,2,3,4\n"],
    )  # fmt: skip
    def test_not_a_label(self, text):
        with pytest.raises(ValueError, match="viewpoint, number of boxes"):
            parse_label(text)

    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
    def test_numbers_beyond_64_bits(self, number):
        with pytest.raises(ValueError, match="64 bits"):
            parse_label(f"1\n1\n1 2 {number} 4\n")
        assert parse_label(f"1\n1\n1 2 {2**63 - 1} 4\n").box[2] == 2**63 - 1

    @pytest.mark.parametrize("text", ["1\n2\n1 2 3 4\n", "1\n0\n1 2 3 4\n", "1\n1\n1 2 3\n"])
    def test_not_one_box(self, text):
        with pytest.raises(ValueError, match="exactly one box"):
            parse_label(text)

    @pytest.mark.parametrize("view", [0, 6, -2])
    def test_unknown_viewpoint(self, view):
        with pytest.raises(ValueError, match=f"unknown viewpoint {view}"):
            parse_label(f"{view}\n1\n1 2 3 4\n")


@pytest.mark.parametrize(
    ("folder", "year"),
    [("2012", 2012), ("1900", 1900), ("2030", 2030), ("1899", None), ("2031", None),
     ("5008", None), ("unknown", None), ("", None), ("-2012", None), ("2012.0", None)],
)  # fmt: skip
def test_parse_year(folder, year):
    assert parse_year(folder) == year


@pytest.fixture(scope="module")
def web():
    return compcars.list_web(SAMPLE)


@pytest.fixture(scope="module")
def surveillance():
    return compcars.list_surveillance(SAMPLE)


class TestSampleWeb:
    def test_every_jpeg_once_in_order(self, web):
        root = SAMPLE / "data" / "image"
        files = {path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}
        assert len(web) == 900
        assert set(web["Path"]) == files
        assert web["Path"].is_monotonic_increasing
        assert (web["Problem"] == "").all()

    def test_ids_come_from_the_path_and_the_box_from_the_label(self, web):
        for row in web.iloc[::97].to_dict("records"):
            make, model, year, name = row["Path"].split("/")
            assert (row["CarMake"], row["Class"]) == (int(make), int(model))
            assert row["FileName"] == name
            label = (SAMPLE / "data" / "label" / row["Path"]).with_suffix(".txt").read_text()
            assert [int(x) for x in label.split()] == [
                row["View Point"], 1, row["x1"], row["y1"], row["x2"], row["y2"]
            ]  # fmt: skip
            assert pd.isna(row["Year"]) or row["Year"] == int(year)

    def test_unknown_and_impossible_years(self, web):
        undated = web[web["Year"].isna()]["Path"].str.split("/").str[2]
        assert sorted(set(undated)) == ["5008", "unknown"]
        folders = web["Path"].str.split("/").str[2]
        assert web["Year"].isna().sum() == folders.isin(["5008", "unknown"]).sum()

    def test_viewpoints(self, web):
        assert set(web["View Point"]) == {-1, 1, 2, 3, 4, 5}

    def test_the_twin_is_filed_under_two_models(self, web):
        twins = web[web.duplicated("FileName", keep=False)]
        assert len(twins) == 2
        assert twins["Class"].nunique() == 2

    def test_the_empty_box_is_kept_for_the_listing_to_judge(self, web):
        assert ((web["x1"] == web["x2"]) & (web["y1"] == web["y2"])).sum() == 1

    def test_names_belong_to_ids(self, web):
        makes, models = compcars.read_names(SAMPLE / "data" / "misc" / "make_model_name.mat")
        row = web.iloc[500]
        assert row["MakeName"] == makes[row["CarMake"] - 1]
        assert row["ModelName"] == models[row["Class"] - 1]
        assert web["MakeName"].notna().all()
        assert web["ModelName"].notna().all()
        assert all(name == name.strip() for name in filter(None, [*makes, *models]))
        assert None in models

    def test_dtypes(self, web):
        numbers = ["View Point", "Year", "CarMake", "Class", *compcars.BOX]
        assert set(map(str, web.dtypes[numbers])) == {"Int64"}


class TestSampleSurveillance:
    def test_every_jpeg_once_with_its_list(self, surveillance):
        root = SAMPLE / "sv_data" / "image"
        assert set(surveillance["Path"]) == {
            path.relative_to(root).as_posix() for path in root.rglob("*.jpg")
        }
        assert len(surveillance) == 300
        assert surveillance["List"].value_counts().to_dict() == {"train": 210, "test": 90}
        assert (surveillance["Problem"] == "").all()

    def test_folder_is_row_plus_one(self, surveillance):
        names = compcars.read_surveillance_names(SAMPLE / "sv_data" / "sv_make_model_name.mat")
        assert list(names.index) == list(range(1, 21))
        folders = surveillance["Path"].str.split("/").str[0].astype(int)
        assert set(folders) == set(range(1, 21))
        assert surveillance["Class"].tolist() == names.loc[folders, "Class"].tolist()

    def test_one_class_has_no_web_photo(self, web, surveillance):
        assert len(set(surveillance["Class"]) - set(web["Class"])) == 1


@pytest.mark.parametrize("name", ["data", "sv_data"])
def test_the_root_is_the_tree_or_contains_it(name):
    tree = SAMPLE / name
    assert compcars.find_tree(SAMPLE, name) == tree
    assert compcars.find_tree(tree, name) == tree


def test_both_roots_list_the_same(surveillance):
    again = compcars.list_surveillance(SAMPLE / "sv_data")
    pd.testing.assert_frame_equal(again, surveillance)


def test_no_tree(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(FileNotFoundError, match="found image and label neither in it"):
        compcars.list_web(tmp_path)
