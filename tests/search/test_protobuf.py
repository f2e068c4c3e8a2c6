import itertools
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_retrieval.search.lopq.fit import LopqParams, fit_lopq
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.lopq.model import LopqModel
from car_retrieval.search.lopq.protobuf import export_lopq, import_lopq, params_of

PARTS = ("coarse", "means", "rotations", "codebooks")


def random_model(seed=0, count=3, dimension=4, subspaces=2, words=256):
    """Splits of `count` centroids in `dimension` dimensions, cut into `subspaces`."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    rotations = np.linalg.qr(rng.normal(size=(2, count, dimension, dimension)))[0]
    return LopqModel(
        normal(2, count, dimension),
        normal(2, count, dimension),
        rotations.astype(np.float32),
        normal(2, 1, subspaces, words, dimension // subspaces),
    )


# The wire format by hand: https://protobuf.dev/programming-guides/encoding
def varint(value):
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def floats(array, packed=True):
    values = [struct.pack("<f", value) for value in np.asarray(array, float).ravel()]
    if packed:
        return block(1, b"".join(values))
    return b"".join(varint(1 << 3 | 5) + value for value in values)


def matrix(array, packed_values=True, packed_shape=False):
    if packed_shape:
        return floats(array, packed_values) + block(2, b"".join(map(varint, array.shape)))
    return floats(array, packed_values) + b"".join(number(2, size) for size in array.shape)


def by_hand(model, header=True, **how):
    """The file that the original's export_proto writes of a model."""
    splits, count, dimension = model.coarse.shape
    books = [book for split in model.codebooks for book in split[0]]
    content = b""
    if header:
        for field, value in enumerate((2 * dimension, count, len(books), books[0].shape[0]), 1):
            content += number(field, value)
    content += b"".join(block(5, matrix(model.coarse[s], **how)) for s in range(splits))
    for s, v in itertools.product(range(splits), range(count)):
        content += block(6, matrix(model.rotations[s, v], **how))
    for s, v in itertools.product(range(splits), range(count)):
        content += block(7, floats(model.means[s, v]))
    return content + b"".join(block(8, matrix(book, **how)) for book in books)


def equal(model, other):
    return all(np.array_equal(getattr(model, name), getattr(other, name)) for name in PARTS)


def test_writes_the_bytes_of_the_original(tmp_path):
    model = random_model()
    export_lopq(model, tmp_path / "m.lopq")
    assert (tmp_path / "m.lopq").read_bytes() == by_hand(model)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("packed_shape", [True, False])
@pytest.mark.parametrize("packed_values", [True, False])
def test_reads_what_any_writer_writes(tmp_path, header, packed_values, packed_shape):
    model = random_model()
    how = {"packed_values": packed_values, "packed_shape": packed_shape}
    (tmp_path / "m.lopq").write_bytes(by_hand(model, header, **how))
    assert equal(import_lopq(tmp_path / "m.lopq"), model)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 99),
    count=st.integers(1, 4),
    subspaces=st.integers(1, 4),
    width=st.integers(1, 3),
    words=st.sampled_from([16, 256]),
)
def test_a_round_trip_changes_nothing(tmp_path_factory, seed, count, subspaces, width, words):
    subspaces *= 2 if words == 16 else 1
    model = random_model(seed, count, subspaces * width, subspaces, words)
    path = tmp_path_factory.mktemp("model") / "m.lopq"
    export_lopq(model, path)
    read = import_lopq(path)
    assert equal(read, model)
    assert read.pca is None
    params = params_of(read)
    assert 2**params.bits == words
    assert params.subquantisers * params.bits // 8 == read.code_bytes
    params.check(1000, read.dimension)


def test_encodes_as_the_originals_formulas(tmp_path):
    model = random_model(dimension=6, subspaces=3)
    (tmp_path / "m.lopq").write_bytes(by_hand(model))
    vectors = np.random.default_rng(1).normal(size=(50, 12)).astype(np.float32)
    cells, codes = import_lopq(tmp_path / "m.lopq").encode(vectors)
    coarse, means, rotations, books = (getattr(model, name).astype(float) for name in PARTS)
    for row, vector in enumerate(vectors.astype(float)):
        clusters, fine = [], []
        for split, part in enumerate(np.split(vector, 2)):
            cluster = ((part - coarse[split]) ** 2).sum(axis=1).argmin()
            residual = part - coarse[split, cluster]
            local = np.dot(rotations[split, cluster], residual - means[split, cluster])
            clusters.append(cluster)
            for book, piece in zip(books[split, 0], np.split(local, 3), strict=True):
                fine.append(((piece - book) ** 2).sum(axis=1).argmin())
        assert cells[row] == clusters[1] + clusters[0] * 3
        assert codes[row].tolist() == fine


@pytest.mark.parametrize("bits", [4, 8])
def test_a_fitted_model_searches_alike_after_a_round_trip(tmp_path, bits):
    vectors = np.random.default_rng(3).normal(size=(600, 16)).astype(np.float32)
    params = LopqParams(coarse=4, subquantisers=8, bits=bits, codebooks="shared", quota=200)
    index = LopqIndex(params)
    index.fit(vectors, seed=1)
    export_lopq(index.model, tmp_path / "m.lopq")
    model = import_lopq(tmp_path / "m.lopq")
    assert params_of(model) == replace(params, quota=None)
    other = LopqIndex(replace(params_of(model), quota=200), model)
    for one in (index, other):
        one.add(vectors)
    pairs = zip(other.search(vectors[:9], 5), index.search(vectors[:9], 5), strict=True)
    for found, expected in pairs:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"codebooks": "local"}, "local codebooks"),
        ({"splits": 1}, "one split"),
        ({"pca": 8}, "pca"),
        ({"codebooks": "local", "splits": 1}, "one split and local codebooks"),
    ],
)
def test_what_the_format_cannot_say_is_not_written(tmp_path, changes, what):
    vectors = np.random.default_rng(3).normal(size=(300, 16)).astype(np.float32)
    params = LopqParams(**{"coarse": 4, "subquantisers": 8, "codebooks": "shared"} | changes)
    with pytest.raises(ValueError, match=rf"m\.lopq: .* cannot hold {what};"):
        export_lopq(fit_lopq(vectors, params, 0), tmp_path / "m.lopq")
    assert not list(tmp_path.iterdir())


def wrong(model, **changes):
    return by_hand(replace(model, **changes))


BROKEN = {
    "empty": (b"", "lacks"),
    "text": (b"no model at all", "not a usable model"),
    "truncated": (by_hand(random_model())[:-5], "not a usable model"),
    "words": (by_hand(random_model(words=64)), "M = 4 codebooks of 64 words"),
    "half bytes": (by_hand(random_model(dimension=3, subspaces=3, words=16)), "multiple of 4"),
    "not finite": (wrong(random_model(), means=np.full((2, 3, 4), np.nan)), "not finite"),
    "no rotation": (wrong(random_model(), rotations=np.ones((2, 3, 4, 4))), "no rotation"),
    "one Cs": (block(5, matrix(np.ones((3, 4)))), "two splits"),
    "no shape": (block(5, floats(np.ones(4))) * 2, "lacks|reshape"),
    "bad shape": (block(5, floats(np.ones(4)) + number(2, 5)) * 2, "reshape"),
    "huge shape": (block(5, floats(np.ones(4)) + number(2, 2**32 - 1) * 3) * 2, "not a usable"),
    "short means": (wrong(random_model(), means=np.ones((2, 3, 3))), "mus has the shape"),
    "small rotations": (wrong(random_model(), rotations=np.ones((2, 3, 2, 2))), "Rs has the shape"),
    "other D": (number(1, 9) + by_hand(random_model(), header=False), "says D = 9, its arrays 8"),
    "other V": (number(2, 9) + by_hand(random_model(), header=False), "says V = 9, its arrays 3"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_model_is_named_in_one_line(tmp_path, name):
    content, message = BROKEN[name]
    path = tmp_path / "m.lopq"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        import_lopq(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=100)
@given(cut=st.integers(0, 5000), changed=st.integers(0, 255), garbage=st.binary(max_size=60))
def test_no_content_raises_anything_else(tmp_path_factory, cut, changed, garbage):
    good = by_hand(random_model(words=16, subspaces=2))
    place = cut % len(good)
    path = tmp_path_factory.mktemp("model") / "m.lopq"
    for content in (good[:place], good[:place] + bytes([changed]) + good[place + 1 :], garbage):
        path.write_bytes(content)
        try:
            model = import_lopq(path)
        except ValueError as caught:
            error = str(caught)
        else:
            error = f"{path} is not a usable model"
            model.encode(np.zeros((2, model.dimension), np.float32))
        assert error.startswith(f"{path} is not a usable model")


def test_a_missing_file_is_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        import_lopq(tmp_path / "none.lopq")
