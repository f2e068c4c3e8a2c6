"""Filters of a search: make, model and years."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.data.attributes import makes_of, models_of, years_of


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


def _unknown(kind: str, wanted: str, names: pd.Series) -> str:
    known = {name.casefold(): name for name in sorted(names.dropna().unique())}
    low = wanted.strip().casefold()
    near = [name for key, name in known.items() if low in key][:3]
    near = near or [known[key] for key in get_close_matches(low, known, n=3)]
    if not known:
        return f"no photo of the gallery names its {kind}"
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"no photo of the gallery is of the {kind} '{wanted}'{hint}"
