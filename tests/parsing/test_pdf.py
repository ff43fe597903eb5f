"""PDF: paragraphs, hyphens, headings, titles and pages without text."""

import pytest
from format_files import pdf

from ragmem.parsing.limits import Limits
from ragmem.parsing.pdf import parse_pdf
from ragmem.parsing.pdf_lines import (
    HYPHEN,
    Line,
    body_height,
    largest_lines,
    mend_hyphens,
    paragraphs,
)

LIMITS = Limits()


def test_lines_stay_and_gaps_part_paragraphs() -> None:
    lines = ["First line of one", "second line of it.", "", "Another paragraph", "goes on."]
    document = parse_pdf(pdf([lines]), limits=LIMITS)
    assert document.text == ("First line of one\nsecond line of it.\n\nAnother paragraph\ngoes on.")
    assert document.text_format == "plain"


def test_a_page_without_text_keeps_its_number() -> None:
    document = parse_pdf(pdf([["one"], [""], ["three"]]), limits=LIMITS)
    assert [page.number for page in document.pages] == [1, 3]
    assert document.text == "one\n\nthree"


def test_the_outline_makes_headings_only_where_the_page_has_them() -> None:
    pages = [["Contents", "Care 2", "# 5"], ["Care", "", "Wash it. Care is all."]]
    document = parse_pdf(pdf(pages, outline=[("Care", 1), ("Elsewhere", 0)]), limits=LIMITS)
    assert document.text == "Contents\nCare 2\n\\# 5\n\n# Care\n\nWash it. Care is all."
    assert document.text_format == "markdown"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"an exam{HYPHEN}ple here", "an example here"),
        (f"the non{HYPHEN}GAAP figure", "the non-GAAP figure"),
        (f"long-term debt and long{HYPHEN}term plans", "long-term debt and long-term plans"),
        (f"cost of a care plan, personal care, personal{HYPHEN}care", None),
        (f"disclaimed and DIS{HYPHEN}CLAIMED", "disclaimed and DISCLAIMED"),
        (f"pages 3{HYPHEN}4", "pages 3-4"),
        (f"a lone {HYPHEN} mark", "a lone - mark"),
    ],
)
def test_hyphens_at_line_ends(text: str, expected: str | None) -> None:
    assert mend_hyphens([text]) == [expected or text.replace(HYPHEN, "-")]


def test_endless_words_take_no_time() -> None:
    assert len(mend_hyphens(["a" * 200_000 + HYPHEN + "b"])[0]) >= 200_001


def test_a_new_column_goes_on_mid_sentence() -> None:
    left = [Line("Left ends with", 100, 10), Line("an open sentence", 88, 10)]
    right = [Line("that goes on here.", 100, 10), Line("And ends.", 88, 10)]
    assert [len(group) for group in paragraphs(left + right)] == [4]


def test_another_size_begins_a_paragraph() -> None:
    lines = [Line("Heading", 100, 16), Line("text", 84, 10), Line("more", 72, 10)]
    assert [len(group) for group in paragraphs(lines)] == [1, 2]


def test_the_largest_lines_are_the_title() -> None:
    small = [Line("Some text of the page", 500 - 12 * n, 10) for n in range(5)]
    large = [Line("A Manual of", 600, 24), Line("Lamps", 570, 24)]
    body = body_height([large, small])
    assert body == 10
    assert largest_lines([small[0], *large, *small[1:]], body=body) == "A Manual of Lamps"
    assert largest_lines(small, body=body) == ""
    assert largest_lines([Line("0 20 40 60", 600, 30), *small], body=body) == ""
    assert largest_lines([], body=body_height([])) == ""
