import pandas as pd
import pytest

from car_retrieval.data.attributes import makes_of
from car_retrieval.serving import filters as module
from car_retrieval.serving.filters import Filters

PHOTOS = pd.DataFrame(
    {
        "MakeName": ["Audi", "Audi", "Škoda", None],
        "CarMake": [78, 78, 5, 12],
        "ModelName": ["Audi A4", "Audi A6", "Octavia", None],
        "Year": pd.array([2010, None, 2014, 2012], "Int64"),
    }
)


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        (Filters(), [0, 1, 2, 3]),
        (Filters(make="AUDI"), [0, 1]),
        (Filters(make=" škoda"), [2]),
        (Filters(make="12"), [3]),
        (Filters(model="audi a6"), [1]),
        (Filters(years=(2010, 2012)), [0, 3]),
        (Filters(years=(2014, 2014)), [2]),
        (Filters(years=(1990, 1999)), []),
        (Filters("audi", "Audi A4", (2010, 2010)), [0]),
        (Filters("audi", "octavia"), []),
    ],
)
def test_mask_selects_the_matching_photos(filters: Filters, rows: list[int]) -> None:
    mask = filters.mask(PHOTOS)
    assert mask.dtype == bool
    assert mask.nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters(make="Audy"), "make 'Audy'; did you mean Audi?"),
        (Filters(model="a6"), "model 'a6'; did you mean Audi A6?"),
        (Filters(model="a"), "did you mean Audi A4 or Audi A6 or Octavia?"),
        (Filters(make="zzz"), "make 'zzz'$"),
        (Filters(years=(2012, 2010)), "years 2012-2010"),
    ],
)
def test_unknown_names_are_reported_with_similar_ones(filters: Filters, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        filters.mask(PHOTOS)


def test_unused_filters_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search without filters does not convert the columns."""
    for name in ("makes_of", "models_of", "years_of"):
        monkeypatch.setattr(module, name, lambda photos: pytest.fail("it was converted"))
    assert Filters().mask(PHOTOS).all()


def test_a_table_without_names_or_years() -> None:
    bare = PHOTOS[[]]
    assert makes_of(bare).isna().all()
    assert Filters().mask(bare).all()
    assert not Filters(years=(2010, 2014)).mask(bare).any()
    with pytest.raises(ValueError, match="no model names"):
        Filters(model="A4").mask(bare)
