"""From text to terms."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragmem.indexes.analysis import _STEMMERS, Analyzer, TermGroup, analyzer_name, settled
from ragmem.types import PUBLIC, IndexEntry

ANALYZER = Analyzer()


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "en"),
        ("", "en"),
        ("de", "de"),
        ("nb", "no"),
        ("pl", "plain"),
        ("ja", "plain"),
        ("python", "code"),
        ("c", "code"),
        ("go", "code"),
        ("c++", "code"),
    ],
)
def test_analyzer_of_a_language(language: str, name: str) -> None:
    assert analyzer_name(language) == name


@pytest.mark.parametrize(
    ("text", "name", "terms"),
    [
        ("The runners' Running shoes", "en", ["runner", "run", "shoe"]),
        ("Die Häuser und Gärten", "de", ["haus", "gart"]),
        ("l’été à la plage", "fr", ["ete", "plag"]),
        ("Książki i 3 gazety", "plain", ["ksiazki", "i", "3", "gazety"]),
        ("日本語", "plain", ["日", "本", "語", "日本", "本語"]),
        ("Python の型", "en", ["python", "の", "型", "の型"]),
        (
            "getHTTPReply(max_size)",
            "code",
            ["get", "http", "repli", "max", "size", "gethttpreply", "max_size"],
        ),
        ("x" * 300 + " ok", "en", ["ok"]),
        ("", "en", []),
    ],
)
def test_terms(text: str, name: str, terms: list[str]) -> None:
    assert ANALYZER.terms(text, name) == terms


def group(*forms: str, weight: int = 1) -> TermGroup:
    return TermGroup(forms=frozenset(forms), weight=weight)


def test_the_forms_of_a_word_are_one_group() -> None:
    assert ANALYZER.groups("The libraries", ["en", "plain"]) == [
        group("the"),
        group("librari", "libraries"),
    ]


def test_repeated_words_weigh_more() -> None:
    assert ANALYZER.groups("dog Dogs cat", ["en"]) == [group("dog", weight=2), group("cat")]


def test_identifiers_are_cut_only_where_there_is_code() -> None:
    assert ANALYZER.groups("parseReply", ["en"]) == [group("parserepli")]
    assert ANALYZER.groups("parseReply", ["code", "en"]) == [
        group("parserepli"),
        group("pars"),
        group("repli"),
        group("parsereply"),
    ]


def test_questions_in_unspaced_scripts_look_for_pairs() -> None:
    assert ANALYZER.groups("文書検索", ["plain"]) == [group("文書"), group("書検"), group("検索")]
    assert ANALYZER.groups("猫", ["plain"]) == [group("猫")]


def test_no_languages_give_no_groups() -> None:
    assert ANALYZER.groups("word", []) == []


def test_title_words_join_the_text_once() -> None:
    entry = IndexEntry(
        chunk_id="c",
        document_id="d",
        tenant="default",
        acl=PUBLIC,
        title="Battery care",
        text="battery life",
        language="en",
        metadata={},
    )
    assert ANALYZER.fields(entry, "en") == (["batteri", "life", "care"], ["batteri", "care"])


@given(st.text(), st.sampled_from(["en", "de", "plain", "code"]))
def test_terms_hold_no_white_space_and_are_found_again(text: str, name: str) -> None:
    terms = ANALYZER.terms(text, name)
    assert all(term and len(term.split()) == 1 for term in terms)
    asked = {form for one in ANALYZER.groups(text, [name]) for form in one.forms}
    assert bool(asked & set(terms)) is bool(terms)


@pytest.mark.parametrize("text", ["a" * 300_000, "aB" * 150_000, "a_" * 150_000, "語" * 300_000])
def test_time_grows_with_length_only(text: str) -> None:
    started = time.process_time()
    ANALYZER.terms(text, "code")
    ANALYZER.groups(text, ["code", "en"])
    assert time.process_time() - started < 3


def test_settled_scores_forget_the_last_digits() -> None:
    assert settled(1.0000001) == settled(0.99999999) == 1.0
    assert settled(5e-5) > 0
    assert settled(12.3456) < settled(12.3466)


@pytest.mark.parametrize("language", [*_STEMMERS, "", "pl", "zh", "python"])
def test_every_language_can_be_analyzed(language: str) -> None:
    assert Analyzer().terms("Kettle 42", analyzer_name(language))[-1] == "42"
