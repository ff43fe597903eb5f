"""What is left of a sentence without its marks, and which spans state nothing."""

from __future__ import annotations

import pytest

from ragmem.agent.markup import plain, states


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("• Item one is **bold** and *sloped*", "Item one is bold and sloped"),
        ("* **Fast:** it is [quick](http://a/b_(c)) here", "Fast: it is quick here"),
        ("2. Install the lamp.", "Install the lamp."),
        ("> ## Care of the lamp", "Care of the lamp"),
        ("| lamp | 24 | | a\\|b |", "lamp · 24 · a|b"),
        ("**around *inner* words** and _so on_", "around inner words and so on"),
        ("**Torn. It goes on", "Torn. It goes on"),
        ("see [the text][ref] and ![a lamp](x.png)", "see the text and a lamp"),
        ("two\n  lines", "two lines"),
    ],
)
def test_marks_are_not_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2. Mai 2020 war kalt.",
        "2 * 3 * 4 is 24.",
        "-5 degrees",
        "3.5 is more.",
        "snake_case and __init__ stay",
        "def f(*args, **kwargs)",
        "`a = *b* + *c*` stays",
        "“[T]he lamp” (sic)",
        "2.",
    ],
)
def test_what_only_looks_like_a_mark_stays(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "# Warranty",
        "How long is it?",
        "[hooks]: https://example.org/hooks",
        ".. _hooks: https://example.org/hooks",
        "[The MIT License](LICENSE)",
        "* [One](a) | [Two](b)",
        "https://example.org/a?b=1",
        "ann@example.org, <bob@example.org>",
        "![badge](https://example.org/b.svg)",
        "<!-- a note -->",
        "|---|:--:|",
        "Copyright (c) 2019 Example",
        "© 2020 Example Inc. All rights reserved.",
        "Chapter 2: Getting started 4",
        "Page 3 of 9",
        "Introduction .......... 4",
    ],
)
def test_these_state_nothing(text: str) -> None:
    assert not states(text, 0, len(text), question="How long does it last")


@pytest.mark.parametrize(
    "text",
    [
        "It is [Paris](paris.md).",
        "License: [MIT](LICENSE)",
        "| [Lamp](a) | [Kettle](b) |",
        "Copyright law changed in 1976.",
        "Chapter 2 describes the lamp.",
        "[^1]: The lamp is new.",
    ],
)
def test_these_state_something(text: str) -> None:
    assert states(text, 0, len(text), question="How long does it last")


def test_addresses_and_notices_are_evidence_where_they_are_asked_for() -> None:
    for question, text in [
        ("Which license is it under?", "[The MIT License](LICENSE)"),
        ("Who holds the copyright?", "Copyright (c) 2019 Example"),
        ("What is the e-mail address?", "ann@example.org"),
    ]:
        assert states(text, 0, len(text), question=question)
