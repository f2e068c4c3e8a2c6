import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.metrics.attributes import by_attribute

COLUMNS = ["attribute", "value", "queries", "mAP@20", "R@1"]


def scored(rows):
    """A table of Query, Relevant, AP@20 and First hit."""
    table = pd.DataFrame(rows, columns=["Query", "Relevant", "AP@20", "First hit"])
    return table.astype({"First hit": "Int64"})


def test_the_worked_example():
    table = scored([(0, 3, 1.0, 1), (1, 3, 0.5, 2), (2, 3, 0.0, None)])
    years = pd.DataFrame({"Year": pd.array([2009, 2009, None], "Int64")})
    result = by_attribute(table, years, 20)
    assert result.columns.tolist() == COLUMNS
    assert result.to_numpy().tolist() == [["Year", "2009", 2, 0.75, 0.5]]


def test_attributes_keep_their_order_and_values_are_sorted():
    table = scored([(5, 1, 1.0, 1), (3, 1, 0.0, None)])
    attributes = pd.DataFrame({"view": ["side", "front"], "Year": [2011, 2009]}, index=[5, 3])
    result = by_attribute(table, attributes, 20)
    assert result[["attribute", "value", "mAP@20"]].to_numpy().tolist() == [
        ["view", "front", 0],
        ["view", "side", 1],
        ["Year", "2009", 0],
        ["Year", "2011", 1],
    ]


def test_empty():
    table = scored([(0, 0, np.nan, None)])  # without a match
    for part, attributes in (
        (table, pd.DataFrame({"Year": [2009]})),
        (table[:0], pd.DataFrame({"Year": []})),
        (scored([(0, 1, 1.0, 1)]), pd.DataFrame(index=[0])),
        (scored([(0, 1, 1.0, 1)]), pd.DataFrame({"Year": [None]})),
    ):
        result = by_attribute(part, attributes, 20)
        assert result.columns.tolist() == COLUMNS
        assert result.empty


def test_a_query_without_attributes_is_refused():
    with pytest.raises(KeyError, match="7"):
        by_attribute(scored([(7, 1, 1.0, 1)]), pd.DataFrame({"Year": [2009]}), 20)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from([0, 0.25, 1]),
            st.one_of(st.none(), st.integers(1, 3)),
            st.one_of(st.none(), st.sampled_from(["a", "b", "c"])),
        ),
        max_size=20,
    )
)
def test_means_agree_with_a_naive_loop(drawn):
    table = scored([(id_, row[0], row[1], row[2]) for id_, row in enumerate(drawn)])
    values = [row[3] for row in drawn]
    result = by_attribute(table, pd.DataFrame({"make": pd.array(values, "str")}), 20)
    expected = []
    for value in sorted({value for value in values if value}):
        group = [row for row in drawn if row[3] == value and row[0] > 0]
        if group:
            ap = sum(row[1] for row in group) / len(group)
            first = sum(row[2] == 1 for row in group) / len(group)
            expected.append(("make", value, len(group), pytest.approx(ap), pytest.approx(first)))
    assert list(result.itertuples(index=False, name=None)) == expected
