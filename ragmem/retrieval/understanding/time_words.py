"""Words that say how a time is meant (`since`, `between`, `the last ... days`), by language.

What dateparser does not have: it knows times, not the words around them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Unit = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWords:
    """The words of one language.

    Attributes:
        since, after, before, until: stand before one time.
        opening, joining: stand before and between the two times of a stretch.
        excluding: mean that the time after them is not to be filtered by.
        on: stands before a day, and shows that one without a year is meant as a date.
        back: a pattern for a stretch that ends today.
        units: how the units are written in those, as patterns.
        phrases: forms of `last week` and the like that dateparser lacks.
    """

    since: tuple[str, ...]
    after: tuple[str, ...]
    before: tuple[str, ...]
    until: tuple[str, ...]
    opening: tuple[str, ...]
    joining: tuple[str, ...]
    excluding: tuple[str, ...]
    on: tuple[str, ...]
    back: str
    units: Mapping[Unit, str]
    phrases: Mapping[str, tuple[int, Unit]] = field(default_factory=dict)


DOUBTFUL: Mapping[str, str] = MappingProxyType(
    {"hier": r"(?<!\w)(?:(?:qu|d|l|j)['’]|(?:les?|la|est|ont?|des?|du)(?!\w))"}
)
"""Words for a time that mean something else in another language (German `hier` is `here`), with a
pattern for what must stand elsewhere in the question."""


def joined(texts: Collection[str], *, escaped: bool = True) -> str:
    """A pattern that matches any of these texts, the longest first; nothing where there is none."""
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    if not ordered:
        return r"(?!)"
    return f"(?:{'|'.join(re.escape(text) if escaped else text for text in ordered)})"


TIME_WORDS: Mapping[str, TimeWords] = MappingProxyType(
    {
        "en": TimeWords(
            since=("since",),
            after=("after", "later than"),
            before=("before", "prior to", "earlier than"),
            until=("until", "till", "up to"),
            opening=("between", "from"),
            joining=("and", "to", "until", "till", "through"),
            excluding=("by", "not in", "except", "excluding", "than in", "than", "versus", "as of"),
            on=("on",),
            back=(
                r"(?:the\s)?(?:(?:last|past)\s\d{1,3}\s(?:days|weeks|months|years)"
                r"|past\s(?:week|month|year))"
            ),
            units={"day": "days?", "week": "weeks?", "month": "months?", "year": "years?"},
        ),
        "de": TimeWords(
            since=("seit", "ab", "seit dem", "ab dem", "seit der"),
            after=("nach", "nach dem"),
            before=("vor", "vor dem"),
            until=("bis", "bis zum"),
            opening=("zwischen", "von", "zwischen dem", "vom"),
            joining=("und", "bis", "und dem", "bis zum"),
            excluding=("außer", "nicht", "als", "nicht im", "außer im"),
            on=("am",),
            back=r"(?:letzten|vergangenen)\s\d{1,3}\s(?:tagen?|wochen|monaten?|jahren?)",
            units={"day": "tagen?", "week": "wochen", "month": "monaten?", "year": "jahren?"},
            phrases={
                "letzter woche": (1, "week"),
                "letzten woche": (1, "week"),
                "vergangene woche": (1, "week"),
                "vergangener woche": (1, "week"),
                "vergangenen woche": (1, "week"),
                "vorige woche": (1, "week"),
                "dieser woche": (0, "week"),
                "letztem monat": (1, "month"),
                "vergangenen monat": (1, "month"),
                "diesem monat": (0, "month"),
                "letztem jahr": (1, "year"),
                "letzten jahr": (1, "year"),
                "vergangenen jahr": (1, "year"),
                "diesem jahr": (0, "year"),
            },
        ),
        "fr": TimeWords(
            since=("depuis", "depuis le", "à partir de", "à partir du", "dès"),
            after=("après", "après le"),
            before=("avant", "avant le"),
            until=("jusqu'en", "jusqu'au", "jusqu’en", "jusqu’au", "jusqu'à", "jusqu’à"),
            opening=("entre", "entre le", "de", "du"),
            joining=("et", "et le", "à", "au", "jusqu'au", "jusqu’au"),
            excluding=("sauf", "sauf en", "pas en", "qu'en", "qu’en", "hors"),
            on=("le",),
            back=r"\d{1,3}\sderni[eè]re?s\s(?:jours|semaines|mois|années|ans)",
            units={"day": "jours", "week": "semaines", "month": "mois", "year": "années|ans"},
            phrases={
                "semaine dernière": (1, "week"),
                "mois dernier": (1, "month"),
                "an dernier": (1, "year"),
                "l'an dernier": (1, "year"),
                "l’an dernier": (1, "year"),
                "année dernière": (1, "year"),
            },
        ),
        "es": TimeWords(
            since=("desde", "desde el", "a partir de", "a partir del"),
            after=("después de", "después del", "tras", "tras el"),
            before=("antes de", "antes del"),
            until=("hasta", "hasta el"),
            opening=("entre", "entre el", "de", "del", "desde", "desde el"),
            joining=("y", "y el", "a", "al", "hasta", "hasta el"),
            excluding=("salvo", "excepto", "no en", "que en", "salvo en"),
            on=("el",),
            back=r"últim[oa]s\s\d{1,3}\s(?:días|semanas|meses|años)",
            units={"day": "días", "week": "semanas", "month": "meses", "year": "años"},
            phrases={
                "semana pasada": (1, "week"),
                "mes pasado": (1, "month"),
                "año pasado": (1, "year"),
            },
        ),
    }
)
