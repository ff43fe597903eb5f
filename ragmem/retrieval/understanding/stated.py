"""Which values of metadata fields a question's words state, and which conditions they allow.

Nothing here asks a model: what a model chooses among these is `self_query`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ragmem.filters import AllOf, Condition, Operator, admits
from ragmem.retrieval.terms import STOPWORDS, words
from ragmem.types import Scalar, Scope

_MOST_FIELDS = 8
_MOST_VALUES = 8
_LONGEST_NAME = 64
_LONGEST_VALUE_WORDS = 8
_LONGEST_NUMBER = 15
_EQUALITY: tuple[Operator, ...] = ("==", "!=")
_ORDER: tuple[Operator, ...] = ("==", "!=", "<", "<=", ">", ">=")


class FieldReader(Protocol):
    """Reads which metadata fields there are."""

    def field_values(self, *, scope: Scope) -> Mapping[str, Sequence[Scalar]]:
        """By metadata field, its values in documents that the scope sees, frequent ones first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedField:
    """A metadata field that a question may state a condition on.

    Attributes:
        operators: those that suit the kind of its values.
        values: what the question's words state: known values; any number where there are numbers;
            true and false where the field's own name is stated.
        known: its values in documents that the asking scope sees.
    """

    name: str
    operators: tuple[Operator, ...]
    values: tuple[Scalar, ...]
    known: tuple[Scalar, ...]

    def allows(self, condition: Condition) -> bool:
        """Whether a condition has an operator and a value that are stated here."""
        value = condition.value
        return condition.operator in self.operators and any(
            isinstance(value, bool) == isinstance(each, bool) and value == each
            for each in self.values
        )

    def satisfies(self, conditions: Sequence[Condition]) -> bool:
        """Whether a known value holds all of these conditions on this field."""
        return any(admits(AllOf(tuple(conditions)), {self.name: value}) for value in self.known)


def stated_fields(
    question: str, field_values: Mapping[str, Sequence[Scalar]]
) -> dict[str, StatedField]:
    """The fields that a question states values of, by name; a few at most, each with few values."""
    found: dict[str, StatedField] = {}
    runs = _runs(question)
    numbers = _numbers(question)
    for name, known in field_values.items():
        if len(found) == _MOST_FIELDS:
            break
        if len(name) <= _LONGEST_NAME:
            field = _stated(name, tuple(known), question, runs, numbers)
            if field.values:
                found[name] = field
    return found


def _stated(
    name: str,
    known: tuple[Scalar, ...],
    question: str,
    runs: frozenset[tuple[str, ...]],
    numbers: Sequence[Scalar],
) -> StatedField:
    values: list[Scalar] = [
        each
        for each in known
        if isinstance(each, str) and tuple(words(each)) in runs and _tells(each, question)
    ]
    kinds = {type(each) for each in known}
    ordered = not kinds.isdisjoint((int, float))
    if ordered:
        values += numbers
    if bool in kinds and tuple(words(name.replace("_", " "))) in runs:
        values += (True, False)
    return StatedField(
        name=name,
        operators=_ORDER if ordered else _EQUALITY,
        values=tuple(values[:_MOST_VALUES]),
        known=known,
    )


def _runs(question: str) -> frozenset[tuple[str, ...]]:
    """Every run of a few words."""
    every = words(question)
    return frozenset(
        tuple(every[start:end])
        for start in range(len(every))
        for end in range(start + 1, min(start + _LONGEST_VALUE_WORDS, len(every)) + 1)
    )


def _tells(value: str, question: str) -> bool:
    """Whether a value is more than stop words; `IT` and `US` are, where they are written so."""
    if any(word not in STOPWORDS for word in words(value)):
        return True
    return value.isupper() and value in question.split()


def _numbers(question: str) -> list[Scalar]:
    numbers: list[Scalar] = []
    for word in words(question):
        if word[0].isdigit() and len(word) <= _LONGEST_NUMBER:
            with suppress(ValueError):  # a comma in it, or digits of a superscript
                numbers.append(float(word) if "." in word else int(word))
    return list(dict.fromkeys(numbers))
