"""Times in questions become filters: `minutes of May 2021` looks among what is of that month.

Which words name a time is `periods`' business. Here it is decided which documents are of that time:

- The first of the fields that a document has tells its date, so that when a message was sent
  counts before when its file was changed. A field holds ISO dates or times as text; compared are
  the calendar days as they are written there, whatever their zones.
- A document with none of the fields is admitted: nothing says that it is of another time.
- Where no dated document of that time shares a word with the question, there is no filter: the
  question speaks of a time in the documents' story then, not of their own dates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from ragmem.errors import UsageError
from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not
from ragmem.ports import LexicalIndex
from ragmem.query import Query
from ragmem.retrieval.understanding import DATE_FIELDS, DATE_LANGUAGES
from ragmem.retrieval.understanding.periods import Period, PeriodFinder
from ragmem.types import Scope


def local_now() -> datetime:
    """Now, in this machine's time zone."""
    return datetime.now().astimezone()


class DateFilter:
    """Restricts a question to the time it names; implements `ragmem.ports.QueryTransform`."""

    name = "dates"

    def __init__(
        self,
        lexical: LexicalIndex,
        *,
        fields: Sequence[str] = DATE_FIELDS,
        languages: Sequence[str] = DATE_LANGUAGES,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        """Choose fields and languages.

        Args:
            lexical: tells whether anything of a time is there.
            fields: the metadata fields that tell a document's date, the most telling first.
            languages: ISO 639-1 codes of those that questions are asked in.
            now: gives the time that `last week` is counted from, with a zone: its day counts.

        Raises:
            UsageError: no field is named.
        """
        if not fields:
            raise UsageError("no date field is named; name the metadata fields that hold dates")
        self._lexical = lexical
        self._fields = tuple(fields)
        self._languages = tuple(languages)
        self._now = now

    @cached_property
    def _finder(self) -> PeriodFinder:
        return PeriodFinder(self._languages)

    def transform(self, query: Query, *, scope: Scope) -> Query:
        """The query with a filter for the time that its question names, if it names one."""
        now = self._now()
        periods = self._finder.find(query.question, today=now.date())
        if not periods:
            return replace(query, notes={**query.notes, self.name: {"understood": ()}})
        note: dict[str, object] = {
            "understood": tuple((each.text, _day(each.start), _day(each.end)) for each in periods),
            "now": now.isoformat(timespec="minutes"),
            "fields": self._fields,
        }
        if self._holds_something(query, periods, scope):
            where = _all_of(query.where, self._dated(periods, undated=True))
            query = replace(query, where=where)
        else:
            note["not_filtered"] = "no dated document of that time shares a word with the question"
        return replace(query, notes={**query.notes, self.name: note})

    def _holds_something(self, query: Query, periods: Sequence[Period], scope: Scope) -> bool:
        """Whether a document dated so shares a word; also where words cannot tell."""
        rest = query.question
        for period in periods:
            rest = rest.replace(period.text, " ")
        where = _all_of(query.where, self._dated(periods, undated=False))
        if self._lexical.search(rest, k=1, scope=scope, where=where):
            return True
        return not self._lexical.search(rest, k=1, scope=scope, where=query.where)

    def _dated(self, periods: Sequence[Period], *, undated: bool) -> Filter:
        """Documents whose date lies in one of the periods."""
        found: Filter = AllOf(()) if undated else AnyOf(())
        for field in reversed(self._fields):
            inside = AnyOf(tuple(_inside(field, period) for period in periods))
            # Every text is at least the empty one: only a document without the field has none.
            missing = Not(Condition(field=field, operator=">=", value=""))
            found = AnyOf((inside, AllOf((missing, found))))
        return found


def _inside(field: str, period: Period) -> Filter:
    parts: list[Filter] = []
    if period.start is not None:
        first = period.start.isoformat()
        # A bare year or month begins before its first day in the order of texts.
        coarse = Condition(field=field, operator="in", value=(first[:4], first[:7]))
        parts.append(AnyOf((Condition(field=field, operator=">=", value=first), coarse)))
    if period.end is not None:
        # Likewise at the end: what says no more than `2021-06` is not of May.
        after = period.end.isoformat().removesuffix("-01").removesuffix("-01")
        parts.append(Condition(field=field, operator="<", value=after))
    return AllOf(tuple(parts))


def _all_of(where: Filter | None, more: Filter) -> Filter:
    return more if where is None else AllOf((where, more))


def _day(day: object) -> str:
    return "" if day is None else str(day)
