"""Which photos of the gallery are searched: those of a make, a model, some years."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Where:
    """What a match must be; None: anything.

    Attributes:
        make: name, in any case.
        model: name, in any case.
        years: first and last, both included; a photo without a year does not fit.
    """

    make: str | None = None
    model: str | None = None
    years: tuple[int, int] | None = None

    def fits(self, photos: pd.DataFrame) -> NDArray[np.bool_]:
        """Which photos do, bool [n].

        Raises:
            ValueError: no photo has such a make or model, or the years are turned round.
        """
        fits = np.ones(len(photos), bool)
        for kind, wanted, names_of in (
            ("make", self.make, makes_of),
            ("model", self.model, models_of),
        ):
            if wanted is not None:
                names = names_of(photos)
                own = (names.str.casefold() == wanted.strip().casefold()).fillna(False)
                if not own.any():
                    raise ValueError(_unknown(kind, wanted, names))
                fits &= own.to_numpy(bool)
        if self.years is not None:
            first, last = self.years
            if first > last:
                raise ValueError(f"the years {first}-{last} are turned round")
            fits &= years_of(photos).between(first, last).fillna(False).to_numpy(bool)
        return fits


def makes_of(photos: pd.DataFrame) -> pd.Series:
    """Name of each photo's make, or its number where only that is known; missing where neither."""
    return _first_known(photos, "MakeName", "CarMake")


def models_of(photos: pd.DataFrame) -> pd.Series:
    """Name of each photo's model; missing where it has none."""
    return _first_known(photos, "ModelName")


def years_of(photos: pd.DataFrame) -> pd.Series:
    """Year of each photo, Int64; missing where it is not known."""
    none = pd.Series(pd.NA, index=photos.index)
    return photos.get("Year", none).astype("Int64")


def _first_known(photos: pd.DataFrame, *columns: str) -> pd.Series:
    names = pd.Series(pd.NA, index=photos.index, dtype="string")
    for column in columns:
        if column in photos:
            names = names.fillna(photos[column].astype("string"))
    return names


def _unknown(kind: str, wanted: str, names: pd.Series) -> str:
    known = {name.casefold(): name for name in sorted(names.dropna().unique())}
    low = wanted.strip().casefold()
    near = [name for key, name in known.items() if low in key][:3]
    near = near or [known[key] for key in get_close_matches(low, known, n=3)]
    if not known:
        return f"no photo of the gallery names its {kind}"
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"no photo of the gallery is of the {kind} '{wanted}'{hint}"
