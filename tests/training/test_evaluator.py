import numpy as np
import pandas as pd
import pytest
import torch

from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.training.evaluator import NetworkEvaluator

K = 3


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()


def images(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), np.uint8)


def classes(count, seed):
    drawn = np.random.default_rng(seed).integers(0, 3, count)
    return pd.Series(drawn, index=pd.Index(range(count), name="Index"), name="Class")


def described(net, pixels):
    with torch.inference_mode():
        return net(torch.from_numpy(pixels)).numpy()


def test_the_scores_are_those_of_a_loop_over_queries(net):
    queries, gallery = images(9, 1), images(20, 2)
    query_classes, gallery_classes = classes(9, 3), classes(20, 4)
    scores = NetworkEvaluator(queries, query_classes, gallery, gallery_classes, K)(net)
    found, first, at_r = [], [], []
    for vector, class_ in zip(described(net, queries), query_classes, strict=True):
        order = np.argsort(-described(net, gallery) @ vector, kind="stable")
        right = gallery_classes.to_numpy()[order] == class_
        size = right.sum()
        for depth, values in ((K, found), (size, at_r)):
            hits = [right[: i + 1].mean() for i in range(depth) if right[i]]
            values.append(sum(hits) / min(depth, size))
        first.append(right[0])
    assert scores[f"mAP@{K}"] == pytest.approx(np.mean(found))
    assert scores["MAP@R"] == pytest.approx(np.mean(at_r))
    assert scores["R@1"] == pytest.approx(np.mean(first))
    assert (scores["queries"], scores["gallery"]) == (9, 20)


def test_labels_choose_rows(net):
    gallery = images(20, 2)
    chosen = classes(20, 4).iloc[[3, 17, 5]]
    part = NetworkEvaluator(gallery[[5, 17]], pd.Series([1, 2]), gallery, chosen, 1)(net)
    own = pd.Series([1, 2]).to_numpy() == chosen.loc[[5, 17]].to_numpy()
    possible = pd.Series([1, 2]).isin(chosen)
    assert part["gallery"] == 3
    assert part["R@1"] == pytest.approx(own[possible].mean())  # each finds its own copy


def test_queries_search_each_other_but_not_themselves(net):
    queries, labels = images(20, 2), classes(20, 4)
    scores = NetworkEvaluator(queries, labels, images(5, 1), labels[:5], K, leave_one_out=True)(net)
    products = described(net, queries) @ described(net, queries).T
    np.fill_diagonal(products, -np.inf)
    first = labels.to_numpy()[products.argmax(axis=1)]
    assert scores["R@1"] == pytest.approx((first == labels).mean())
    assert scores["gallery"] == 20


def test_queries_of_no_known_class_have_no_score(net):
    scores = NetworkEvaluator(images(9, 1), classes(9, 3) + 7, images(5, 2), classes(5, 4), K)(net)
    assert (scores["queries"], scores["queries_without_match"]) == (0, 9)
    assert np.isnan(scores["R@1"])
