import re
from collections.abc import Sequence

import pytest

from ragmem.chunking.blocks import document_blocks
from ragmem.chunking.cutting import safe_cut, weigh
from ragmem.chunking.units import Unit, draft_units
from ragmem.types import ParsedDocument, TextFormat


def count(texts: Sequence[str]) -> list[int]:
    return [len(re.findall(r"\w{1,4}|[^\w\s]", text)) for text in texts]


def weighed(text: str, text_format: TextFormat = "plain", limit: int = 20) -> list[Unit]:
    document = ParsedDocument(text=text, text_format=text_format)
    units, _ = draft_units(document, document_blocks(document))
    return weigh(text, units, count=count, limit=lambda _: limit)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A short sentence. Another one here.", ["A short sentence.", "Another one here."]),
        (
            "several words about one thing in the garden, and several words about another thing",
            [
                "several words about one thing in the garden,",
                "and several words about another thing",
            ],
        ),
        ("one two six ten " * 8, ["one two six ten one two six ten"] * 4),
        ("x" * 90, ["x" * 5] * 18),
    ],
)
def test_long_sentences_are_cut_at_the_strongest_boundaries(text: str, parts: list[str]) -> None:
    assert [text[unit.start : unit.end] for unit in weighed(text)] == parts


def test_weights_are_tokens_and_stay_below_the_limit() -> None:
    text = "```\n" + "\n\n".join("call(a, b)\nstop()" for _ in range(9)) + "\n```"
    units = weighed(text, "markdown")
    assert all(0 < unit.weight <= 20 for unit in units)
    assert text[units[1].start : units[1].end] == "call(a, b)\nstop()"


def test_one_token_of_many_characters_weighs_by_its_characters() -> None:
    text = "y" * 1600
    document = ParsedDocument(text=text, text_format="plain")
    units, _ = draft_units(document, document_blocks(document))
    parts = weigh(text, units, count=lambda texts: [1] * len(texts), limit=lambda _: 20)
    assert len(parts) > 5
    assert sum(part.end - part.start for part in parts) == len(text)


def test_safe_cut_keeps_signs_whole() -> None:
    assert safe_cut("abcdef", 0, 3, 6) == 3
    assert safe_cut("abe\u0301f", 0, 3, 5) == 2
    assert safe_cut("a👍🏽b", 0, 2, 4) == 1
    assert safe_cut("e" + "\u0301" * 50, 0, 40, 51) == 24
