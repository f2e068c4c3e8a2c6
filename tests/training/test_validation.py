import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.training.validation import Validation

ROWS = 30


@pytest.fixture
def net():
    torch.manual_seed(0)
    return DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()


@pytest.mark.parametrize(
    "pair",
    [
        (0, 1, 0),  # wrong about the classes
        (0, 3, 1),
        (1, 1, 1),  # 1 is a training photo
        (0, 0, 1),
        (0, 2, 1),  # 2 does neither
        (0, 9, 1),
        (-1, 1, 1),
    ],
)
def test_pairs_of_another_split_are_refused(pair):
    side = ["valid", "train", "excluded", "train"]
    split = pd.DataFrame({"Index": range(4), "Class": [2**62, 2**62, 2**62, 1], "split": side})
    fitting = [(0, 1, 1), (0, 3, 0)]
    images = np.zeros((4, 3, 32, 32), np.uint8)
    Validation(images, split, np.array(fitting), k=5)
    with pytest.raises(ValueError, match=r"valid_pairs do not fit the split.* data_processing"):
        Validation(images, split, np.array([*fitting, pair]), k=5)


def test_a_photo_is_no_pair_with_itself():
    split = pd.DataFrame({"Index": range(5), "Class": [1, 1, 2, 2, 3]})
    split["split"] = ["valid"] * 4 + ["train"]
    images = np.zeros((5, 3, 32, 32), np.uint8)
    Validation(images, split, np.array([(0, 1, 1), (0, 2, 0)]), k=5)
    for pair in ((0, 0, 1), (0, 4, 0)):
        with pytest.raises(ValueError, match="valid_pairs do not fit the split"):
            Validation(images, split, np.array([(0, 1, 1), pair]), k=5)


@pytest.mark.parametrize("by", ["image", "class"])
def test_scores_equal_a_naive_search(net, by):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (ROWS, 3, 32, 32), dtype=np.uint8)
    side = rng.choice(["train", "valid", "excluded"], ROWS, p=[0.6, 0.3, 0.1])
    split = pd.DataFrame({"Index": range(ROWS), "Class": rng.integers(0, 4, ROWS), "split": side})
    if by == "class":
        split["split"] = side = np.where(split["Class"] < 2, "valid", "train")
    valid = np.flatnonzero(side == "valid")
    train = valid if by == "class" else np.flatnonzero(side == "train")
    classes = split["Class"].to_numpy()
    pairs = np.array(
        [(v, t, classes[v] == classes[t]) for v in valid for t in train if v != t], np.int64
    )
    found = Validation(images, split, rng.permutation(pairs), k=5)(net)
    with torch.inference_mode():
        vectors = net(torch.from_numpy(images)).numpy()
    precisions, at_r, first = [], [], []
    for query in valid:
        others = train[train != query]
        ranked = others[np.argsort(-(vectors[others] @ vectors[query]), kind="stable")]
        relevant = classes[ranked] == classes[query]
        if not relevant.any():
            continue
        hits = [relevant[: i + 1].mean() for i in range(min(5, len(ranked))) if relevant[i]]
        precisions.append(sum(hits) / min(5, relevant.sum()))
        first.append(relevant[0])
        r = relevant.sum()
        at_r.append(sum(relevant[: i + 1].mean() for i in range(r) if relevant[i]) / r)
    similarity = [vectors[v] @ vectors[t] for v, t, _ in pairs]
    assert found["mAP@5"] == pytest.approx(np.mean(precisions))
    assert found["MAP@R"] == pytest.approx(np.mean(at_r))
    assert found["R@1"] == pytest.approx(np.mean(first))
    assert found["AUC"] == pytest.approx(roc_auc_score(pairs[:, 2], similarity), abs=1e-6)
    assert 0 <= found["EER"] <= 1
