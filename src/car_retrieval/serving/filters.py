"""Filters of a search: make, model, years and conditions on any field."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.data.attributes import makes_of, models_of, years_of
from car_retrieval.gallery.conditions import Condition


@dataclass(frozen=True)
class Filters:
    """Conditions on the matches of a search; None disables a condition.

    Attributes:
        make: name of the make, case-insensitive.
        model: name of the model, case-insensitive.
        years: first and last year, both inclusive; photos without a year are left out.
        where: further conditions, all of which hold.
    """

    make: str | None = None
    model: str | None = None
    years: tuple[int, int] | None = None
    where: tuple[Condition, ...] = ()

    def mask(self, photos: pd.DataFrame) -> NDArray[np.bool_]:
        """Select the photos that meet all conditions, as bool [n].

        Raises:
            ValueError: no photo has this make, model or field, or the first year is after the
                last.
        """
        mask = np.ones(len(photos), bool)
        for attribute, wanted, names_of in (
            ("make", self.make, makes_of),
            ("model", self.model, models_of),
        ):
            if wanted is not None:
                names = names_of(photos)
                equal = (names.str.casefold() == wanted.strip().casefold()).fillna(False)
                if not equal.any():
                    raise ValueError(_unknown_name(attribute, wanted, names))
                mask &= equal.to_numpy(bool)
        if self.years is not None:
            first, last = self.years
            if first > last:
                raise ValueError(f"years {first}-{last}: the first year is after the last")
            mask &= years_of(photos).between(first, last).fillna(False).to_numpy(bool)
        for condition in self.where:
            mask &= condition.mask(photos)
        return mask


def _unknown_name(attribute: str, wanted: str, names: pd.Series) -> str:
    """Return an error message that suggests similar names."""
    known = {name.casefold(): name for name in sorted(names.dropna().unique())}
    if not known:
        return f"the gallery photos have no {attribute} names"
    key = wanted.strip().casefold()
    similar = [name for other, name in known.items() if key in other][:3]
    similar = similar or [known[other] for other in get_close_matches(key, known, n=3)]
    hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
    return f"no gallery photo has the {attribute} '{wanted}'{hint}"
