"""Which words of a question name a time."""

from __future__ import annotations

from datetime import date

import pytest

from ragmem.errors import UsageError
from ragmem.retrieval.understanding import DATE_LANGUAGES
from ragmem.retrieval.understanding.periods import PeriodFinder

WEDNESDAY = date(2024, 6, 12)
FINDER = PeriodFinder(DATE_LANGUAGES)


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("What did we decide in May 2021?", "2021-05-01", "2021-06-01"),
        ("in december 2021", "2021-12-01", "2022-01-01"),
        ("on 3 June 2021", "2021-06-03", "2021-06-04"),
        ("June 3rd, 2021", "2021-06-03", "2021-06-04"),
        ("mails of 2021-06-03", "2021-06-03", "2021-06-04"),
        ("in 2021-06", "2021-06-01", "2021-07-01"),
        ("am 3.6.2021", "2021-06-03", "2021-06-04"),
        ("on 3 June", "2024-06-03", "2024-06-04"),
        ("on 3 July", "2023-07-03", "2023-07-04"),
        ("who wrote yesterday?", "2024-06-11", "2024-06-12"),
        ("emails from last week", "2024-06-03", "2024-06-10"),
        ("this week", "2024-06-10", "2024-06-17"),
        ("last month", "2024-05-01", "2024-06-01"),
        ("last year", "2023-01-01", "2024-01-01"),
        ("3 days ago", "2024-06-09", "2024-06-10"),
        ("in the last 3 days", "2024-06-09", "2024-06-13"),
        ("over the past month", "2024-05-12", "2024-06-13"),
        ("since 2019", "2019-01-01", None),
        ("since 3 June", "2024-06-03", None),
        ("after May 2021", "2021-06-01", None),
        ("before 2015?", None, "2015-01-01"),
        ("until 2021-05-03", None, "2021-05-04"),
        ("between 3 and 9 June", "2024-06-03", "2024-06-10"),
        ("between 3 and 9 June 2021", "2021-06-03", "2021-06-10"),
        ("between May and July 2021", "2021-05-01", "2021-08-01"),
        ("from 28 December to 3 January", "2023-12-28", "2024-01-04"),
        ("from 2019 to 2021", "2019-01-01", "2022-01-01"),
        ("im Mai 2021", "2021-05-01", "2021-06-01"),
        ("was geschah letzte Woche?", "2024-06-03", "2024-06-10"),
        ("seit letztem Monat", "2024-05-01", None),
        ("vor 3 Tagen", "2024-06-09", "2024-06-10"),
        ("vor 2019", None, "2019-01-01"),
        ("zwischen dem 3. und dem 9. Juni 2021", "2021-06-03", "2021-06-10"),
        ("in den letzten 2 Wochen", "2024-05-29", "2024-06-13"),
        ("gestern", "2024-06-11", "2024-06-12"),
        ("en mai 2021", "2021-05-01", "2021-06-01"),
        ("depuis 2019", "2019-01-01", None),
        ("la semaine dernière", "2024-06-03", "2024-06-10"),
        ("qu'a-t-il dit hier ?", "2024-06-11", "2024-06-12"),
        ("il y a 2 semaines", "2024-05-27", "2024-06-03"),
        ("les 3 derniers jours", "2024-06-09", "2024-06-13"),
        ("entre mars et juin 2021", "2021-03-01", "2021-07-01"),
        ("en mayo de 2021", "2021-05-01", "2021-06-01"),
        ("la semana pasada", "2024-06-03", "2024-06-10"),
        ("desde 2019", "2019-01-01", None),
        ("hace 3 días", "2024-06-09", "2024-06-10"),
        ("entre el 3 y el 9 de junio de 2021", "2021-06-03", "2021-06-10"),
        ("los últimos 6 meses", "2023-12-12", "2024-06-13"),
    ],
)
def test_times(question: str, start: str | None, end: str | None) -> None:
    [period] = FINDER.find(question, today=WEDNESDAY)
    assert period.text in question
    assert period.start == (start and date.fromisoformat(start))
    assert period.end == (end and date.fromisoformat(end))


@pytest.mark.parametrize(
    "question",
    [
        "What may we do in march?",
        "the revenue in 2021",
        "the Boeing 2021 and the iPhone 2019",
        "may 2000 people attend?",
        "set 2000 as the limit",
        "the Mars 2020 rover",
        "after 2000 steps it stops",
        "How is it used today?",
        "the September 11 attacks",
        "version 2021.05.03 or 1990-2000",
        "by May 2021",
        "not in May 2021",
        "what was said in 'The Song' \"May 2021\"",
        "Was steht hier im Vertrag?",
        "31 February 2021",
        "2021-13",
        "next week",
        "room 0612 at 10:30",
        "",
    ],
)
def test_what_may_be_no_time(question: str) -> None:
    assert FINDER.find(question, today=WEDNESDAY) == ()


def test_several_times_in_order() -> None:
    found = FINDER.find("Compare May 2021 with last week", today=WEDNESDAY)
    assert [period.text for period in found] == ["May 2021", "last week"]


@pytest.mark.parametrize(
    ("today", "question", "start"),
    [
        (date(2024, 3, 31), "since 1 month ago", date(2024, 2, 1)),
        (date(2024, 3, 31), "the last 1 months", date(2024, 2, 29)),
        (date(2024, 1, 1), "last month", date(2023, 12, 1)),
        (date(2024, 1, 1), "on 31 December", date(2023, 12, 31)),
        (date(2024, 1, 1), "last week", date(2023, 12, 25)),
    ],
)
def test_calendars_have_edges(today: date, question: str, start: date) -> None:
    [period] = FINDER.find(question, today=today)
    assert period.start == start


def test_other_languages_and_none() -> None:
    [period] = PeriodFinder(["it"]).find("a maggio 2021", today=WEDNESDAY)
    assert period.start == date(2021, 5, 1)
    with pytest.raises(UsageError, match="tlh"):
        PeriodFinder(["tlh"])


def test_long_questions_take_no_time() -> None:
    for text in ("between 3 and " * 10_000, "3 " * 50_000, "since the last " * 10_000):
        assert FINDER.find(text, today=WEDNESDAY) == ()
