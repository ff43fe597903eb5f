"""Attributes survive encoding exactly, kinds of values included, and are judged once a value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ragmem.filters import Condition, Operator, admits
from ragmem.indexes.attributes import chosen, decode_value, encode_audience, encode_value, sees
from ragmem.types import PUBLIC, IndexEntry, MetadataValue, Scope

scalars = st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans())
values = st.one_of(scalars, st.lists(st.text(), max_size=3).map(tuple))
operators: st.SearchStrategy[Operator] = st.sampled_from(
    ["==", "!=", "<", "<=", ">", ">=", "in", "contains"]
)


def entry(tenant: str, acl: frozenset[str]) -> IndexEntry:
    return IndexEntry(
        chunk_id="c",
        document_id="d",
        tenant=tenant,
        acl=acl,
        title="",
        text="",
        language="",
        metadata={},
    )


@given(value=values)
def test_what_is_encoded_is_decoded(value: MetadataValue) -> None:
    text = encode_value(value)
    held = decode_value(text)
    assert held == value
    assert type(held) is type(value)
    assert text.isascii()


def test_kinds_that_python_holds_to_be_equal_stay_apart() -> None:
    assert len({encode_value(value) for value in (1, 1.0, True, "1")}) == 4


@given(tenant=st.text(), other=st.text(), acl=st.frozensets(st.text(), max_size=3))
def test_an_audience_is_a_tenant_with_an_access_list(
    tenant: str, other: str, acl: frozenset[str]
) -> None:
    held = encode_audience(entry(tenant, acl))
    assert held.isascii()
    assert held == encode_audience(entry(tenant, frozenset(sorted(acl, reverse=True))))
    groups = frozenset({"staff"})
    for scope in (Scope(tenant=tenant), Scope(tenant=other), Scope(tenant=tenant, groups=groups)):
        assert sees(scope, held) == scope.sees(tenant=tenant, acl=acl)


def test_an_access_list_admits_its_principals() -> None:
    held = encode_audience(entry("t", frozenset({"user:ana"})))
    assert sees(Scope(tenant="t", user="ana"), held)
    assert not sees(Scope(tenant="t"), held)
    assert not sees(Scope(tenant="u", user="ana"), held)
    assert sees(Scope(tenant="t"), encode_audience(entry("t", PUBLIC)))


@given(
    compared=st.one_of(
        st.tuples(operators.filter(lambda operator: operator != "in"), scalars),
        st.tuples(st.just("in"), st.lists(st.integers(0, 3), max_size=3).map(tuple)),
    ),
    held=st.lists(st.one_of(values, st.integers(0, 3)), max_size=6),
)
def test_judging_values_is_judging_entries(
    compared: tuple[Operator, Any], held: list[MetadataValue]
) -> None:
    condition = Condition(field="f", operator=compared[0], value=compared[1])
    keys, refused = chosen(condition, list(enumerate(held)))
    for number, value in enumerate(held):
        assert admits(condition, {"f": value}) == ((number in keys) is not refused)
    assert admits(condition, {}) is refused
