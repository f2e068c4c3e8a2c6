"""Make, model, year and display name of photos."""

import pandas as pd


def makes_of(photos: pd.DataFrame) -> pd.Series:
    """Return each photo's make, or its number if the name is unknown; missing if both are."""
    return _first_known(photos, "MakeName", "CarMake")


def models_of(photos: pd.DataFrame) -> pd.Series:
    """Return each photo's model name; missing if unknown."""
    return _first_known(photos, "ModelName")


def years_of(photos: pd.DataFrame) -> pd.Series:
    """Return each photo's year, Int64; missing if unknown."""
    none = pd.Series(pd.NA, index=photos.index)
    return photos.get("Year", none).astype("Int64")


def class_names(photos: pd.DataFrame) -> pd.Series:
    """Return class names by class: make and model if the table has them.

    Ambiguous names, which CompCars has, are followed by the class number.
    """
    first = photos.drop_duplicates("Class").set_index("Class", drop=False).sort_index()
    names = pd.Series(
        [name_of(photo) for _, photo in first.iterrows()], index=first.index, dtype=str
    )
    numbers = pd.Series([f" ({class_})" for class_ in names.index], index=names.index, dtype=str)
    return names.where(~names.duplicated(keep=False), names + numbers)


def name_of(photo: pd.Series) -> str:
    """Return a photo's make and model, its class if they are unknown, or its path without one."""
    make, model = (photo.get(name) for name in ("MakeName", "ModelName"))
    if pd.isna(model):
        return str(photo["Path"]) if pd.isna(photo["Class"]) else f"class {photo['Class']}"
    named = pd.isna(make) or str(model).startswith(str(make))
    return str(model) if named else f"{make} {model}"


def _first_known(photos: pd.DataFrame, *columns: str) -> pd.Series:
    names = pd.Series(pd.NA, index=photos.index, dtype="string")
    for column in columns:
        if column in photos:
            names = names.fillna(photos[column].astype("string"))
    return names
