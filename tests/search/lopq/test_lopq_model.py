import numpy as np
import pytest

from car_retrieval.search.lopq.fit import LopqParams, fit_lopq
from car_retrieval.search.lopq.model import members


def vectors_of(count):
    return np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("codebooks", ["local", "shared"])
def test_cells_and_words_are_the_nearest(splits, bits, codebooks):
    vectors = vectors_of(900)
    model = fit_lopq(vectors, LopqParams(splits, 3, 4, bits, codebooks), 0)
    cells, codes = model.encode(vectors)
    assert codes.shape == (900, model.code_bytes) == (900, 4 * bits // 8)
    words = codes if bits == 8 else np.stack([codes % 16, codes // 16], axis=2).reshape(900, 4)
    d, subspaces = 16 // splits, 4 // splits
    wrong = 0
    for row, vector in enumerate(vectors.astype(float)):
        cell = 0
        for s in range(splits):
            part = vector[s * d : (s + 1) * d]
            v = int(((model.coarse[s] - part) ** 2).sum(axis=1).argmin())
            cell = 3 * cell + v
            local = model.rotations[s, v] @ (part - model.coarse[s, v] - model.means[s, v])
            book = model.codebooks[s, v if codebooks == "local" else 0]
            gaps = ((local.reshape(subspaces, 1, -1) - book) ** 2).sum(axis=2)
            own = words[row, s * subspaces : (s + 1) * subspaces]
            wrong += (gaps.argmin(axis=1) != own).sum()
        assert cells[row] == cell
    assert wrong <= 2  # rounding, where two words are as near


def test_what_a_code_stands_for_has_the_same_code():
    model = fit_lopq(vectors_of(2_000), LopqParams(1, 4, 4, 4), 0)
    cells, codes = model.encode(vectors_of(300))
    decoded = np.concatenate(
        [model.decode(cell, codes[row : row + 1]) for row, cell in enumerate(cells.tolist())]
    )
    again, codes_again = model.encode(decoded)
    stays = again == cells
    assert stays.mean() > 0.9  # some words lie beyond the border of their cell
    assert (codes_again[stays] == codes[stays]).mean() > 0.999


def test_nothing_to_encode():
    model = fit_lopq(vectors_of(50), LopqParams(2, 2, 4, 4), 0)
    cells, codes = model.encode(vectors_of(0))
    assert cells.shape == (0,)
    assert codes.shape == (0, 2)


def test_members():
    found = members(np.array([3, 1, 3, 0]))
    assert [(v, rows.tolist()) for v, rows in found] == [(0, [3]), (1, [1]), (3, [0, 2])]
    assert members(np.empty(0, np.int64)) == []
