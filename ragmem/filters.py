"""Typed filters over document metadata, and what they mean.

A filter is a small tree of frozen values. `admits` is the reference meaning; every index
judges with it and is tested against it.
Scopes (who may see a document) are not filters: see `ragmem.types.Scope`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ragmem.errors import UsageError
from ragmem.types import MetadataValue, Scalar

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "contains"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a metadata field.

    `in` takes a tuple of scalars and admits a field equal to one of them; `contains` takes a
    string and admits a field that is a tuple holding it. A field with several values satisfies the
    other operators when one of its values does, and `!=` when none is equal. A missing field
    admits nothing, but for `!=`, which it satisfies.
    """

    field: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...]

    def __post_init__(self) -> None:
        """Refuse a comparison that could never be meant.

        Raises:
            UsageError: the operator is none, or its value of the wrong kind.
        """
        if self.operator not in get_args(Operator):
            known = ", ".join(get_args(Operator))
            raise UsageError(f"{self.operator!r} is no operator; known are {known}")
        if (self.operator == "in") != isinstance(self.value, tuple):
            expected = "a tuple of values" if self.operator == "in" else "one value"
            raise UsageError(f"{self.operator!r} takes {expected}, got {self.value!r}")


@dataclass(frozen=True, slots=True)
class AllOf:
    """Admits what every part admits; with no parts, everything."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Admits what at least one part admits; with no parts, nothing."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Admits what its part does not."""

    part: Filter


Filter = Condition | AllOf | AnyOf | Not


def equals(**fields: Scalar) -> Filter:
    """A filter that admits documents whose metadata hold exactly these values."""
    parts = tuple(Condition(field=k, operator="==", value=v) for k, v in sorted(fields.items()))
    return parts[0] if len(parts) == 1 else AllOf(parts)


def admits(where: Filter | None, metadata: Mapping[str, MetadataValue]) -> bool:
    """Whether a document with this metadata passes the filter.

    Args:
        where: the filter; None admits everything.
        metadata: the document's metadata.

    Returns:
        True when the document passes. Values of different kinds (a number and a string) are
        never equal and never ordered; True and 1 are different kinds too.
    """
    if where is None:
        return True
    if isinstance(where, AllOf):
        return all(admits(part, metadata) for part in where.parts)
    if isinstance(where, AnyOf):
        return any(admits(part, metadata) for part in where.parts)
    if isinstance(where, Not):
        return not admits(where.part, metadata)
    return _holds(where, metadata.get(where.field))


def _holds(condition: Condition, actual: MetadataValue | None) -> bool:
    operator, wanted = condition.operator, condition.value
    if operator == "contains":
        return isinstance(actual, tuple) and wanted in actual
    if operator == "!=":
        return not _holds(replace(condition, operator="=="), actual)
    values = actual if isinstance(actual, tuple) else (actual,)
    return any(_holds_for(operator, value, wanted) for value in values)


def _holds_for(operator: Operator, value: object, wanted: object) -> bool:
    if operator == "in":
        return isinstance(wanted, tuple) and any(_same(value, each) for each in wanted)
    if operator == "==":
        return _same(value, wanted)
    return _ordered(operator, value, wanted)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _same(left: object, right: object) -> bool:
    return _kind(left) == _kind(right) and left == right


def _ordered(operator: Operator, left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        below, equal = left < right, left == right
    elif _kind(left) == _kind(right) == "number":
        assert isinstance(left, (int, float))
        assert isinstance(right, (int, float))
        below, equal = left < right, left == right
    else:
        return False
    if operator == "<":
        return below
    if operator == "<=":
        return below or equal
    if operator == ">":
        return not below and not equal
    return not below
