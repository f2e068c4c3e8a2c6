import pandas as pd
import pytest

from car_retrieval.data.protocols import filtered_protocol, labels_of, valid_protocol


@pytest.fixture
def photos():
    return pd.DataFrame({"Index": [0, 1, 2, 3, 4, 5], "Class": [7, 7, 7, 8, 8, 9]})


def test_valid_protocol(photos):
    sides = ["train", "valid", "train", "excluded", "valid", "train"]
    queries, gallery = valid_protocol(photos.assign(split=sides))
    assert queries.to_dict() == {1: 7, 4: 8}
    assert gallery.to_dict() == {0: 7, 2: 7, 5: 9}


def test_whole_validation_classes_query_themselves(photos):
    sides = ["train", "excluded", "train", "valid", "valid", "train"]
    queries, gallery = valid_protocol(photos.assign(split=sides))
    assert queries.to_dict() == gallery.to_dict() == {3: 8, 4: 8}


@pytest.mark.parametrize(("size", "classes"), [(1, {7, 8, 9}), (2, {7, 8}), (3, {7}), (4, set())])
def test_filtered_protocol_counts_the_whole_gallery(photos, size, classes):
    queries = pd.Series([7, 8, 9, -1, 7], index=[10, 11, 12, 13, 14])
    # Only one photo of each class is searched here; the sizes are those of all photos.
    searched = labels_of(photos).loc[[0, 3, 5]]
    kept_queries, kept_gallery = filtered_protocol(queries, searched, photos, size)
    assert set(kept_gallery) == classes == set(kept_queries)
    assert kept_queries.index.tolist() == [i for i in queries.index if queries[i] in classes]
    assert kept_gallery.index.tolist() == [i for i in searched.index if searched[i] in classes]
