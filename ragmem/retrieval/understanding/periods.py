"""Finding the time that a question speaks of: `in May 2021`, `since 2019`, `la semana pasada`.

Only what can hardly mean anything else counts: a month needs a year or a day beside it, a year a
word such as `since` before it. What is quoted is a title, and what follows `by` or `not` is left
alone. The names of months and phrases such as `last week` are those of the library dateparser, in
every language it knows; the words between them are in `time_words`. What becomes of a period is
`dates`' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from ragmem.errors import UsageError
from ragmem.retrieval.understanding.time_words import DOUBTFUL, TIME_WORDS, Unit, joined

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»")
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th|er|º|\.)?"
_RELATIVE = re.compile(r"(\d+) (day|week|month|year) ago")
_NUMBERED = re.compile(r"\\1 (day|week|month|year) ago")
_SHORTEST_NAME = 3
_MOST_BACK = 999
_MOST_CHARACTERS = 1000
# Months that are words too when they are written without a capital, and one that is with it.
_WITH_CAPITAL = frozenset({"may", "march", "mar", "set"})
_WITHOUT_CAPITAL = frozenset({"mars"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of days that a question names.

    Attributes:
        text: the question's own words for it.
        start: its first day; None where it has no beginning.
        end: the day after its last; None where it has no end.
    """

    text: str
    start: date | None
    end: date | None


class PeriodFinder:
    """Finds periods in questions of some languages; loading their names takes a moment, once."""

    def __init__(self, languages: Sequence[str]) -> None:
        """Load the names.

        Raises:
            UsageError: a language is unknown.
        """
        from dateparser.languages import default_loader

        self._months: dict[str, int] = {}
        self._phrases: dict[str, tuple[int, Unit]] = {}
        self._numbered: list[tuple[re.Pattern[str], Unit]] = []
        for language in languages:
            try:
                info = default_loader.get_locale(language).info
            except ValueError as error:
                raise UsageError(f"dateparser knows no language {language!r}: {error}") from error
            self._learn(info)
        for words in (TIME_WORDS[each] for each in languages if each in TIME_WORDS):
            self._phrases |= words.phrases
        self._expression = re.compile(self._pattern(), re.IGNORECASE)

    def find(self, question: str, *, today: date) -> tuple[Period, ...]:
        """The periods that a question names, in order.

        Args:
            question: any text.
            today: what `last week` is counted from.
        """
        text = _QUOTED.sub(lambda found: " " * len(found[0]), question[:_MOST_CHARACTERS])
        matches = (match for match in self._expression.finditer(text) if not _doubtful(match))
        found = (self._period(match, today) for match in matches)
        return tuple(period for period in found if period is not None)

    def _learn(self, info: dict[str, object]) -> None:
        names = info.get
        for number, month in enumerate(_MONTHS, start=1):
            for name in _texts(names(month)):
                if len(name) >= _SHORTEST_NAME:
                    self._months.setdefault(name.lower(), number)
        for key, phrases in _items(names("relative-type")):
            if (match := _RELATIVE.fullmatch(key)) and key != "0 day ago":
                unit = _unit(match[2])
                for phrase in phrases:
                    if len(phrase.split()[-1]) >= _SHORTEST_NAME:
                        self._phrases[phrase.lower()] = (int(match[1]), unit)
        for key, patterns in _items(names("relative-type-regex")):
            if match := _NUMBERED.fullmatch(key):
                for pattern in patterns:
                    if len(pattern.split()[-1]) >= _SHORTEST_NAME:
                        counted = re.sub(r"\(\\d.*?\)", r"(\\d{1,3})", pattern)
                        made = re.compile(counted, re.IGNORECASE)
                        self._numbered.append((made, _unit(match[1])))

    def _pattern(self) -> str:
        """One pattern for everything; which part matched says how it is read."""
        month = joined(self._months)
        numbered = joined({made.pattern for made, _ in self._numbered}, escaped=False)
        numbered = numbered.replace(r"(\d", r"(?:\d")
        back = joined({each.back for each in TIME_WORDS.values()}, escaped=False)
        dated = (
            rf"{_YEAR}-\d\d(?:-\d\d)?|\d{{1,2}}\.\d{{1,2}}\.{_YEAR}"
            rf"|(?:{_DAY}\s(?:of\s|de\s)?)?{month}\.?,?\s(?:of\s|de\s|del\s)?{_YEAR}"
            rf"|{month}\s{_DAY},?\s{_YEAR}|{numbered}|{joined(self._phrases)}"
        )
        of_year = rf",?\s(?:of\s|de\s|del\s)?{_YEAR}"
        yearless = rf"{month}\s{_DAY}|{_DAY}\s(?:of\s|de\s)?{month}"
        moment = f"{dated}|{yearless}"
        cue = {
            name: joined({w for each in TIME_WORDS.values() for w in getattr(each, name)})
            for name in (
                "since",
                "after",
                "before",
                "until",
                "opening",
                "joining",
                "excluding",
                "on",
            )
        }
        ended = r"(?=\s*(?:[?.!,;:)]|$))"
        loose = rf"(?:{moment}|{month}|{_YEAR}|{_DAY})"
        return (
            rf"(?<!\w)(?:(?P<no>{cue['excluding']})\s(?:the\s)?(?:{moment}|{_YEAR})"
            rf"|{cue['opening']}\s(?P<low>{loose})\s{cue['joining']}\s"
            rf"(?P<high>{moment}|{_YEAR}{ended})"
            rf"|(?P<since>{cue['since']})\s(?P<since_when>{moment}|{_YEAR})"
            rf"|(?:(?P<after>{cue['after']})|(?P<before>{cue['before']})"
            rf"|(?P<until>{cue['until']}))\s(?P<when>{moment}|{_YEAR}{ended})"
            rf"|(?P<back>{back})|{cue['on']}\s(?P<on>{yearless})(?!{of_year})|(?P<plain>{dated}))"
            r"(?!\w|-\d|\.\d)"
        )

    def _period(self, match: re.Match[str], today: date) -> Period | None:
        groups = match.groupdict()
        if groups["no"]:
            return None
        if groups["back"]:
            return self._back(match[0], today)
        if groups["high"]:
            high = self._moment(groups["high"], today)
            low = high and self._completed(groups["low"], high, today)
            return low and high and replace(low, text=match[0], end=high.end)
        text = groups["plain"] or groups["on"] or groups["since_when"] or groups["when"]
        period = self._moment(text, today)
        if period is None:
            return None
        if groups["since"]:
            return replace(period, text=match[0], end=None)
        if groups["after"]:
            return replace(period, text=match[0], start=period.end, end=None)
        if groups["before"]:
            return replace(period, text=match[0], start=None, end=period.start)
        if groups["until"]:
            return replace(period, text=match[0], start=None)
        return period

    def _back(self, text: str, today: date) -> Period | None:
        """`the last 3 weeks`, today among them."""
        number = re.search(r"\d+", text)
        unit = next(
            unit
            for each in TIME_WORDS.values()
            for unit, names in each.units.items()
            if re.search(rf"(?<!\w)(?:{names})(?!\w)", text, re.IGNORECASE)
        )
        start = _ago(today, min(int(number[0]) if number else 1, _MOST_BACK), unit)
        return Period(text=text, start=start, end=today + timedelta(days=1))

    def _completed(self, text: str, high: Period, today: date) -> Period | None:
        """The beginning of `3 to 9 June 2021`, which has month and year from its end."""
        assert high.end is not None
        last = high.end - timedelta(days=1)
        if re.fullmatch(_DAY, text, re.IGNORECASE):
            return _day(text, last.year, last.month, int(re.findall(r"\d+", text)[0]))
        if number := self._months.get(text.lower()):
            return _month(text, last.year, number)
        period = self._moment(text, today)
        if period and period.start and period.start > last and not re.search(_YEAR, text):
            return _day(text, last.year, period.start.month, period.start.day)
        return period

    def _moment(self, text: str, today: date) -> Period | None:
        """One expression without a word such as `since` before it."""
        if (phrase := self._phrases.get(" ".join(text.lower().split()))) is not None:
            return _unit_back(text, today, *phrase)
        for pattern, unit in self._numbered:
            if match := pattern.fullmatch(text):
                return _unit_back(text, today, int(match[1]), unit)
        numbers = [int(each) for each in re.findall(r"\d+", text)]
        if re.fullmatch(r"[\d-]+", text):
            if len(numbers) == 1:
                return Period(text=text, start=date(numbers[0], 1, 1), end=_first(numbers[0] + 1))
            year, month = numbers[0], numbers[1]
            return _day(text, year, month, numbers[2]) if numbers[2:] else _month(text, year, month)
        if re.fullmatch(r"[\d.]+", text):
            return _day(text, numbers[2], numbers[1], numbers[0])
        name = next(each for each in re.findall(r"[^\W\d_]+", text) if each.lower() in self._months)
        if name in _WITH_CAPITAL or name.lower() in _WITHOUT_CAPITAL - {name}:
            return None
        month = self._months[name.lower()]
        if len(numbers) == 2:
            return _day(text, numbers[1], month, numbers[0])
        if numbers[0] > 31:
            return _month(text, numbers[0], month)
        this_year = _day(text, today.year, month, numbers[0])
        later = this_year is None or (this_year.start or today) > today
        return _day(text, today.year - 1, month, numbers[0]) if later else this_year


_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


def _doubtful(match: re.Match[str]) -> bool:
    """Whether it is a word of another language, for nothing around it is of its own."""
    around = DOUBTFUL.get(match[0].lower())
    return around is not None and not re.search(around, match.string, re.IGNORECASE)


def _texts(names: object) -> list[str]:
    return [str(each) for each in names] if isinstance(names, list) else []


def _items(table: object) -> Iterator[tuple[str, list[str]]]:
    if isinstance(table, dict):
        for key, value in table.items():
            yield str(key), _texts(value)


def _unit(name: str) -> Unit:
    units: tuple[Unit, ...] = ("day", "week", "month", "year")
    return next(unit for unit in units if unit == name)


def _first(year: int, month: int = 1) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _month(text: str, year: int, month: int) -> Period | None:
    if not 1 <= month <= 12:
        return None
    return Period(text=text, start=_first(year, month), end=_first(year, month + 1))


def _day(text: str, year: int, month: int, day: int) -> Period | None:
    try:
        start = date(year, month, day)
    except ValueError:
        return None
    return Period(text=text, start=start, end=start + timedelta(days=1))


def _ago(today: date, count: int, unit: Unit) -> date:
    """The day this long before today; the month's last day where it has no such day."""
    if unit in ("day", "week"):
        return today - timedelta(days=count * (7 if unit == "week" else 1))
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
    first, after = _first(months // 12, months % 12 + 1), _first(months // 12, months % 12 + 2)
    return min(first + timedelta(days=today.day - 1), after - timedelta(days=1))


def _unit_back(text: str, today: date, count: int, unit: Unit) -> Period | None:
    """The whole day, week (from Monday), month or year that lies this far back."""
    there = _ago(today, count, unit)
    if unit == "day":
        return Period(text=text, start=there, end=there + timedelta(days=1))
    if unit == "week":
        monday = there - timedelta(days=there.weekday())
        return Period(text=text, start=monday, end=monday + timedelta(days=7))
    if unit == "month":
        return _month(text, there.year, there.month)
    return Period(text=text, start=_first(there.year), end=_first(there.year + 1))
