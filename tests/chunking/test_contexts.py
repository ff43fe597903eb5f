"""What stands before a chunk's text: titles, headings and header rows, within their share."""

from collections.abc import Sequence

from ragmem.chunking.contexts import Contexts
from ragmem.chunking.units import BLOCK, Section, Unit

TABLE = "| a | b |\n| 1 | 2 |"
SECTIONS = [
    Section(),
    Section(level=1, path=("Guide",)),
    Section(level=2, path=("Guide", "Install"), parents=("Guide",)),
]


def count(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def contexts(title: str, chunk_tokens: int = 60) -> Contexts:
    return Contexts(TABLE, title, SECTIONS, [(0, 9)], count=count, chunk_tokens=chunk_tokens)


def unit(section: int, *, opens: bool = False) -> Unit:
    return Unit(kind="prose", start=0, end=1, rank=BLOCK, section=section, opens=opens)


def test_title_and_path_without_what_the_text_begins_with() -> None:
    book = contexts("The Book")
    assert book.text(unit(0), "text") == "The Book"
    assert book.text(unit(0), "# The book") == ""
    assert book.text(unit(2), "text") == "The Book > Guide > Install"
    assert book.text(unit(2, opens=True), "## Install") == "The Book > Guide"
    assert contexts("guide").text(unit(2), "text") == "Guide > Install"
    assert contexts("").text(unit(0), "text") == ""


def test_titles_and_headings_can_be_left_out() -> None:
    bare = Contexts(
        TABLE, "The Book", SECTIONS, [(0, 9)], count=count, chunk_tokens=60, names=False
    )
    assert bare.text(unit(2), "text") == ""
    assert bare.tokens(unit(2)) == 0
    row = Unit(kind="table", start=10, end=19, rank=BLOCK, section=2, header=(0, 9), body=10)
    assert bare.text(row, "| 1 | 2 |") == "| a | b |"


def test_a_later_row_of_a_table_brings_the_header() -> None:
    row = Unit(kind="table", start=10, end=19, rank=BLOCK, section=0, header=(0, 9), body=10)
    assert contexts("T").text(row, "| 1 | 2 |") == "T\n| a | b |"
    assert contexts("").text(row, "| 1 | 2 |") == "| a | b |"
    assert contexts("T").tokens(row) >= 1 + 5


def test_a_quarter_of_the_budget_is_enough_for_the_path() -> None:
    long = contexts("word " * 50)
    assert 10 <= count([long.text(unit(0), "text")])[0] <= 15
    assert long.text(unit(2), "text").endswith("Install")
    assert count([contexts("word " * 50, 24).text(unit(2), "text")])[0] <= 6 + 2
