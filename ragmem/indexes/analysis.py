"""From text to the terms that the lexical indexes count, and from a question to term groups.

All languages share one term space, so that a name has one document frequency whatever the
language around it. A text is analyzed by its own language; a question's language is unknown, so
each of its words is analyzed by every language present, and the forms of one word make one
`TermGroup`, of which a chunk counts only its best: no word counts twice.

Choices and what they gave (nDCG@10 on SciFact, Cranfield, LISA, CISI, title joined to the text):
no stemming and no stop words 66.2, 34.3, 39.8, 35.0; Snowball with Lucene's 33 stop words 68.4,
36.9, 44.8, 38.3; Snowball with the list below 68.1, 37.3, 45.2, 41.6. The list was chosen by these
figures, so they flatter it a little. An unknown language is treated as English: its stemmer
leaves other scripts alone. Languages without a Snowball stemmer are only lower-cased. Accents are
folded last, where they no longer mislead the stemmer. Scripts without spaces become single
characters and pairs. Source code keeps an identifier whole and adds its stemmed parts
(`parseHTTPReply` gives `pars`, `http`, `repli` and `parsehttpreply`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ragmem.types import IndexEntry

if TYPE_CHECKING:
    import tantivy

FORMAT = 1
"""Raised whenever the same text gives other terms than before: indexes must be rebuilt then."""

TITLE_WEIGHT = 0.3
"""How much a word in the title adds, next to one in the text."""

_STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
_WITHOUT_STOP_WORDS = frozenset({"arabic", "greek", "romanian", "tamil", "turkish"})
"""Tantivy stems these languages and has no list of stop words for them."""
_ENGLISH_STOP_WORDS = """
a about above after again against all also am an and any are as at be because been before being
below between both but by can could did do does doing don down during each few for from further
had has have having he her here hers herself him himself his how i if in into is it its itself
just me more most my myself no nor not now of off on once only or other our ours ourselves out
over own s same she should so some such t than that the their theirs them themselves then there
these they this those through to too under until up very was we were what when where which while
who whom why will with would you your yours yourself yourselves
"""

# Han, kana, Hangul, Thai, Lao, Khmer, Myanmar: written without spaces between words, or, in
# Korean, with particles glued to them.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_WORD = r"[\p{L}\p{M}\p{N}]+"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENDINGS = ("", "e", "s", "a", "o", "en", "er", "ing")
_IDENTIFIER = re.compile(r"\w+")
_JOINT = re.compile(r"[^\W_]_+[^\W_]|[a-z0-9][A-Z]|[A-Z][A-Z][a-z]")
_LONGEST_TERM = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TermGroup:
    """The forms of one word of a question.

    Attributes:
        forms: a chunk scores by the form that scores best in it.
        weight: how often the question holds the word.
    """

    forms: frozenset[str]
    weight: int


def settled(score: float) -> float:
    """The score to five digits: implementations add the parts of a sum in different orders, and
    what differs only by that must count as equal."""
    return float(f"{score:.5g}")


def analyzer_name(language: str) -> str:
    """Which analysis a language gets.

    Args:
        language: an ISO 639-1 code, the name of a programming language, or empty when unknown.

    Returns:
        A code with a stemmer, `plain`, or `code`.
    """
    language = {"nb": "no", "nn": "no", "": "en"}.get(language, language)
    if language in _STEMMERS:
        return language
    if len(language) == 2 and language not in ("go", "js"):
        return "plain"
    return "code"


class Analyzer:
    """Turns text into terms; the word analyzers are built when first needed. Thread-safe."""

    def __init__(self) -> None:
        self._built: dict[str, tantivy.TextAnalyzer] = {}

    def terms(self, text: str, analyzer: str) -> list[str]:
        """The terms of a text, in order, repetitions kept.

        Args:
            text: any text.
            analyzer: a result of `analyzer_name`.
        """
        text = _clean(text)
        grams: list[str] = []
        if not text.isascii() and _UNSPACED.search(text):
            grams = [gram for run in _UNSPACED.findall(text) for gram in (*run, *_pairs(run))]
            text = _UNSPACED.sub(" ", text)
        if analyzer != "code":
            return self._words(text, analyzer) + grams
        whole = [name.lower() for name in _compounds(text)]
        return self._words(_HUMP.sub(" ", text), "en") + whole + grams

    def fields(self, entry: IndexEntry, analyzer: str) -> tuple[list[str], list[str]]:
        """The terms of an entry's text, title words that it lacks added, and of its title."""
        body, title = self.terms(entry.text, analyzer), self.terms(entry.title, analyzer)
        held = set(body)
        return body + [term for term in title if term not in held], title

    def groups(self, text: str, analyzers: Iterable[str]) -> list[TermGroup]:
        """The term groups of a question, for an index with texts of these analyses."""
        text = _clean(text)
        named = sorted(set(analyzers))
        counts: Counter[frozenset[str]] = Counter()
        for run in _UNSPACED.findall(text):
            counts.update(frozenset({gram}) for gram in _pairs(run) or [run])
        text = _UNSPACED.sub(" ", text)
        for word, count in Counter(self._splitter.analyze(text)).items():
            forms = frozenset(
                term
                for name in named
                for term in self._words(word, "en" if name == "code" else name)
            )
            counts[forms] += count
        if "code" in named:
            counts.update(self._code_groups(text, counts))
        counts.pop(frozenset(), None)
        return [TermGroup(forms=forms, weight=count) for forms, count in counts.items()]

    def forms(self, word: str, analyzers: Iterable[str]) -> frozenset[str]:
        """The terms of a single word; none where an analysis leaves it out, as it does stop words.

        Args:
            word: one word of a script with spaces; of anything else there are no forms.
            analyzers: the analyses of an index's texts.
        """
        word = _clean(word)
        if _UNSPACED.search(word) or len(self._splitter.analyze(word)) != 1:
            return frozenset()
        made = [self._words(word, "en" if name == "code" else name) for name in analyzers]
        return frozenset(term for terms in made for term in terms) if all(made) else frozenset()

    def word(self, term: str, analyzers: Iterable[str]) -> str | None:
        """A word that has this term among its forms; None where none is found.

        A stem is not always its own stem: `diseas` is that of `disease`, not of `diseas`.
        """
        named = list(analyzers)
        shorter = [term[:-1] + "y"] if term.endswith("i") else []
        spelt = [*shorter, *(term + ending for ending in _ENDINGS)]
        return next((word for word in spelt if term in self.forms(word, named)), None)

    def _code_groups(self, text: str, known: Iterable[frozenset[str]]) -> Counter[frozenset[str]]:
        """Identifiers as wholes, and those of their parts that prose analysis does not cut."""
        covered = {form for forms in known for form in forms}
        added: Counter[frozenset[str]] = Counter()
        for name in _compounds(text):
            parts = self.terms(name, "code")
            added.update(frozenset({part}) for part in parts if part not in covered)
        return added

    def _words(self, text: str, analyzer: str) -> list[str]:
        built = self._built.get(analyzer)
        if built is None:
            built = self._built[analyzer] = _build(analyzer)
        return [term for term in built.analyze(text) if term]

    @cached_property
    def _splitter(self) -> tantivy.TextAnalyzer:
        import tantivy

        words = tantivy.Tokenizer.regex(_WORD)
        return tantivy.TextAnalyzerBuilder(words).build()


def _build(analyzer: str) -> tantivy.TextAnalyzer:
    import tantivy

    step = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(_WORD))
    # Longer terms are encoded data, not words, and would only swell the dictionary.
    builder = builder.filter(step.remove_long(_LONGEST_TERM)).filter(step.lowercase())
    language = _STEMMERS.get(analyzer)
    if language == "english":
        builder = builder.filter(step.custom_stopword(_ENGLISH_STOP_WORDS.split()))
    elif language is not None and language not in _WITHOUT_STOP_WORDS:
        builder = builder.filter(step.stopword(language))
    if language is not None:
        builder = builder.filter(step.stemmer(language))
    return builder.filter(step.ascii_fold()).build()


def _clean(text: str) -> str:
    """Compatibility-composed and free of lone surrogates, which UTF-8 cannot carry."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text.encode("utf-8", "ignore").decode("utf-8"))


def _compounds(text: str) -> list[str]:
    """The identifiers that are made of several words."""
    names = _IDENTIFIER.findall(text)
    return [name for name in names if len(name) <= _LONGEST_TERM and _JOINT.search(name)]


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]
