import pandas as pd
import pytest

from car_retrieval.data.attributes import makes_of
from car_retrieval.serving import filters as where_module
from car_retrieval.serving.filters import Where

PHOTOS = pd.DataFrame(
    {
        "MakeName": ["Audi", "Audi", "Škoda", None],
        "CarMake": [78, 78, 5, 12],
        "ModelName": ["Audi A4", "Audi A6", "Octavia", None],
        "Year": pd.array([2010, None, 2014, 2012], "Int64"),
    }
)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (Where(), [0, 1, 2, 3]),
        (Where(make="AUDI"), [0, 1]),
        (Where(make=" škoda"), [2]),
        (Where(make="12"), [3]),
        (Where(model="audi a6"), [1]),
        (Where(years=(2010, 2012)), [0, 3]),
        (Where(years=(2014, 2014)), [2]),
        (Where(years=(1990, 1999)), []),
        (Where("audi", "Audi A4", (2010, 2010)), [0]),
        (Where("audi", "octavia"), []),
    ],
)
def test_the_photos_that_fit(where: Where, rows: list[int]) -> None:
    fits = where.fits(PHOTOS)
    assert fits.dtype == bool
    assert fits.nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Where(make="Audy"), "is of the make 'Audy'; did you mean Audi?"),
        (Where(model="a6"), "is of the model 'a6'; did you mean Audi A6?"),
        (Where(model="a"), "did you mean Audi A4 or Audi A6 or Octavia?"),
        (Where(make="zzz"), "no photo of the gallery is of the make 'zzz'$"),
        (Where(years=(2012, 2010)), "the years 2012-2010 are turned round"),
    ],
)
def test_what_is_not_there_is_said_with_the_nearest_name(where: Where, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        where.fits(PHOTOS)


def test_nothing_is_converted_that_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search without filters costs nothing for them."""
    for name in ("makes_of", "models_of", "years_of"):
        monkeypatch.setattr(where_module, name, lambda photos: pytest.fail("it was converted"))
    assert Where().fits(PHOTOS).all()


def test_a_list_without_names_or_years() -> None:
    bare = PHOTOS[[]]
    assert makes_of(bare).isna().all()
    assert Where().fits(bare).all()
    assert not Where(years=(2010, 2014)).fits(bare).any()
    with pytest.raises(ValueError, match="no photo of the gallery names its model"):
        Where(model="A4").fits(bare)
