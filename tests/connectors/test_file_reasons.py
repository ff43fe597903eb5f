"""Names and sizes, judged in the same words by every connector."""

import pytest

from connectors.file_reasons import (
    has_control_characters,
    incomplete,
    is_hidden_name,
    no_parser,
    suffix_of,
    too_large,
)
from connectors.storable_text import storable


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.MD", ".md"), ("Apache-2.0", ""), (".bashrc", ""), ("x.tar.gz", ".gz"), ("README", "")],
)
def test_the_suffix_of_a_name(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


@pytest.mark.parametrize("name", [".git", "~$report.docx", "Thumbs.db", "desktop.ini"])
def test_hidden_names(name: str) -> None:
    assert is_hidden_name(name)


def test_names_that_are_shown() -> None:
    assert not any(map(is_hidden_name, ("a.md", "~draft.txt", "thumbs.db.md")))


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\u2028b", "a\u2029b", "a\x7fb"])
def test_control_characters(name: str) -> None:
    assert has_control_characters(name)


def test_letters_of_every_kind_are_no_control_characters() -> None:
    assert not any(map(has_control_characters, ("ü 日本.md", "a\u00a0b", "a\udcffb", "👩\u200d🚀")))


def test_reasons_say_what_to_do() -> None:
    assert no_parser(".doc") == "no parser for .doc files: save it as DOCX or PDF"
    assert no_parser("") == "no parser for suffixless files"
    assert too_large(2000, 1000, what="message") == (
        "the message has 2,000 bytes, more than the 1,000 allowed; raise max_file_bytes"
    )


def test_an_incomplete_listing_names_the_first_problems() -> None:
    error = incomplete("folders could not be listed", [f"folder {n}" for n in range(7)])
    assert str(error).startswith("7 folders could not be listed, so nothing is taken as deleted: ")
    assert "folder 4" in str(error)
    assert "folder 5" not in str(error)
    assert not error.worth_waiting


def test_what_no_store_holds_is_replaced() -> None:
    assert storable("a\0b\ud800c") == "ab\ufffdc"
    assert storable("a\tb\n") == "a\tb\n"
