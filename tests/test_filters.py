"""What filters mean: `admits` is the reference that every index is tested against."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragmem.errors import UsageError
from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not, Operator, admits, equals
from ragmem.types import MetadataValue, Scalar

METADATA: dict[str, MetadataValue] = {
    "year": 2024,
    "rating": 4.5,
    "author": "Ana",
    "draft": True,
    "tags": ("red", "blue"),
}


def condition(field: str, operator: Operator, value: Scalar | tuple[Scalar, ...]) -> Condition:
    return Condition(field=field, operator=operator, value=value)


@pytest.mark.parametrize(
    ("field", "operator", "value", "admitted"),
    [
        ("year", "==", 2024, True),
        ("year", "==", 2024.0, True),
        ("year", "==", "2024", False),
        ("year", "!=", 2023, True),
        ("year", "!=", 2024, False),
        ("draft", "==", True, True),
        ("draft", "==", 1, False),
        ("draft", "!=", 1, True),
        ("missing", "==", "x", False),
        ("missing", "!=", "x", True),
        ("missing", "<", 1, False),
        ("missing", "in", ("x",), False),
        ("missing", "contains", "x", False),
        ("year", "<", 2025, True),
        ("year", "<", 2024, False),
        ("year", "<=", 2024, True),
        ("year", ">", 2024, False),
        ("year", ">=", 2024, True),
        ("rating", ">", 4, True),
        ("author", "<", "Bob", True),
        ("author", ">=", "Ana", True),
        ("author", "<", 5, False),
        ("author", ">", 5, False),
        ("draft", ">=", 0, False),
        ("draft", "<=", True, False),
        ("year", "in", (2023, 2024), True),
        ("year", "in", ("2024",), False),
        ("draft", "in", (1, 0), False),
        ("year", "in", (), False),
        ("tags", "contains", "red", True),
        ("tags", "contains", "re", False),
        ("author", "contains", "Ana", False),
        ("tags", "==", "red", True),
        ("tags", "==", "r", False),
        ("tags", "!=", "red", False),
        ("tags", "!=", "green", True),
        ("tags", "in", ("green", "red"), True),
        ("tags", "<", "red", True),
    ],
)
def test_condition(
    field: str, operator: Operator, value: Scalar | tuple[Scalar, ...], admitted: bool
) -> None:
    assert admits(condition(field, operator, value), METADATA) is admitted


def test_no_filter_admits_everything() -> None:
    assert admits(None, {})


def test_empty_parts() -> None:
    assert admits(AllOf(()), METADATA)
    assert not admits(AnyOf(()), METADATA)


def test_equals_joins_fields() -> None:
    assert equals(year=2024) == condition("year", "==", 2024)
    assert admits(equals(year=2024, author="Ana"), METADATA)
    assert not admits(equals(year=2024, author="Bob"), METADATA)
    assert admits(equals(), METADATA)


scalars = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b", "1"]))
conditions: st.SearchStrategy[Filter] = st.builds(
    Condition,
    field=st.sampled_from("xy"),
    operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    value=scalars,
)
metadata = st.dictionaries(st.sampled_from("xy"), scalars)


@given(conditions, conditions, metadata)
def test_de_morgan(left: Filter, right: Filter, held: dict[str, MetadataValue]) -> None:
    both = admits(AllOf((left, right)), held)
    assert both == admits(Not(AnyOf((Not(left), Not(right)))), held)


@given(conditions, metadata)
def test_not_is_the_complement(part: Filter, held: dict[str, MetadataValue]) -> None:
    assert admits(Not(part), held) is not admits(part, held)


@given(st.sampled_from("xy"), scalars, metadata)
def test_ordered_kinds_fall_in_exactly_one_of_three(
    field: str, value: Scalar, held: dict[str, MetadataValue]
) -> None:
    below, same, above = (admits(condition(field, op, value), held) for op in ("<", "==", ">"))
    assert below + same + above <= 1
    if below or above:
        assert admits(condition(field, "<=", value), held) is below
        assert admits(condition(field, ">=", value), held) is above


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        ("like", "x", "'like' is no operator"),
        ("in", 2024, "takes a tuple"),
        ("==", ("x",), "one value"),
    ],
)
def test_comparisons_that_could_not_be_meant(operator: Any, value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Condition(field="year", operator=operator, value=value)
