"""Sides of photos: which train, which validate, and which stay there."""

import numpy as np
import pandas as pd
import pytest
from tests.parameters import data_params, evaluation_params
from tests.pipelines.made_up import photos

from car_retrieval.data.splits import check_trainable
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.params import DataParams
from car_retrieval.pipelines.data_processing import nodes as data
from car_retrieval.pipelines.evaluation import nodes as evaluation

NO_QUERIES, NONE = photos(0), pd.DataFrame()
UNCHANGED = GalleryStore("unchanged")


def by_class(**changes: object) -> DataParams:
    return data_params(**{"validate_by": "class", "valid_ratio": 2} | changes)


def test_whole_classes_validate() -> None:
    gallery = photos(20)
    split = data.split_photos(gallery, NO_QUERIES, NONE, by_class())
    valid = split[split["split"] == "valid"]
    assert valid["Class"].nunique() == 2
    pairs = data.make_valid_pairs(split, by_class())
    assert len(pairs) == 2 * len(valid)
    assert np.isin(pairs[:, :2], valid["Index"]).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    queries, searched, *_ = evaluation.select_valid(split, gallery, evaluation_params())
    assert queries.equals(searched)
    assert queries.to_dict() == valid.set_index("Index")["Class"].to_dict()


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(3, "validate_by: class leaves 4 classes to train and 1 to val"), (9, "no photo would val")],
)
def test_too_few_classes_to_validate(ratio: int, said: str) -> None:
    split = data.split_photos(photos(20), NO_QUERIES, NONE, by_class(valid_ratio=ratio))
    with pytest.raises(ValueError, match=rf"{said}.*valid_ratio"):
        check_trainable(split)


def test_photos_that_look_the_same_stay_on_one_side() -> None:
    gallery = photos(60).assign(Class=np.repeat([0, 1], 30))
    one_look = gallery["Index"].isin(range(3, 28))
    gallery.loc[one_look, "DHash"] = "0123456789abcdef"
    split = data.split_photos(
        gallery, NO_QUERIES, NONE, data_params(valid_ratio=2, near_duplicates=0)
    )
    assert split.loc[one_look, "split"].eq("train").all()  # 25 are more than 15
    assert (split.loc[~one_look, "split"] == "valid").sum() == 5 + 15
    apart = data.split_photos(
        gallery, NO_QUERIES, NONE, data_params(valid_ratio=2, near_duplicates=None)
    )
    assert (apart.loc[one_look, "split"] == "valid").any()
    gallery["DHash"] = "0123456789abcdef"
    split = data.split_photos(gallery, NO_QUERIES, NONE, data_params())
    with pytest.raises(ValueError, match=r"no photo would validate.* data_processing.valid_ratio"):
        check_trainable(split)


def test_a_grown_gallery_keeps_the_sides_of_its_photos() -> None:
    params = data_params(valid_ratio=3)
    first = data.split_photos(photos(60), NO_QUERIES, NONE, params)
    grown = photos(200).iloc[::-1].assign(Index=range(200)).reset_index(drop=True)
    second = data.split_photos(grown, NO_QUERIES, first, params)
    sides = second.set_index("Hash")["split"]
    assert (sides.loc[first["Hash"]].to_numpy() == first["split"]).all()
    assert second.loc[second["split"] == "valid", "Class"].value_counts().eq(40 // 3).all()
    again = data.split_photos(grown, NO_QUERIES, second, params)
    pd.testing.assert_frame_equal(again, second)
    anew = data.split_photos(grown, NO_QUERIES, second, data_params(valid_ratio=4))
    other = data.split_photos(grown, NO_QUERIES, NONE, data_params(valid_ratio=4))
    pd.testing.assert_frame_equal(anew, other)


def test_copies_of_queries_do_not_train() -> None:
    queries = photos(3).assign(Hash=["7.jpg", "8.jpg", "q"])
    split = data.split_photos(photos(20), queries, NONE, data_params(valid_ratio=2))
    assert split.loc[split["split"] == "excluded", "Hash"].tolist() == ["7.jpg", "8.jpg"]


def test_photos_without_classes_all_serve_the_whitening() -> None:
    gallery = photos(4).astype({"Class": "Int64"}).assign(Class=pd.NA)
    split = data.split_photos(gallery, NO_QUERIES, NONE, data_params())
    assert split["split"].tolist() == ["train"] * 4
    with pytest.raises(ValueError, match=r"no classes.*zero_shot"):
        check_trainable(split)
