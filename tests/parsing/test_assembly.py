"""Cleaning and joining."""

from hypothesis import given
from hypothesis import strategies as st

from ragmem.parsing.assembly import clean_text, fence, join_pages, literal, numbers_in_words


@given(st.text(st.characters()))
def test_cleaned_text_is_storable_and_stays_so(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert not set(cleaned) & set("\0\r\f\v\x1b\ufeff")
    assert clean_text(cleaned) == cleaned


@given(st.lists(st.text(max_size=30), max_size=6))
def test_pages_are_where_their_spans_say(pages: list[str]) -> None:
    text, spans = join_pages(enumerate(pages, start=1))
    by_number = {span.number: text[span.start : span.end] for span in spans}
    kept = {n: t for n, page in enumerate(pages, 1) if (t := clean_text(page).strip())}
    assert by_number == kept


def test_newlines_become_one_kind() -> None:
    assert clean_text("a\r\nb\rc\u2028d\fe") == "a\nb\nc\nd\ne"


def test_no_code_closes_its_fence() -> None:
    assert fence("a\n```\nb", "md") == "````md\na\n```\nb\n````"


def test_prose_does_not_become_structure() -> None:
    assert literal("# 1 of 3\n#hash\n```") == "\\# 1 of 3\n#hash\n\\```"


def test_numbers_are_named_in_runs() -> None:
    assert numbers_in_words([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
