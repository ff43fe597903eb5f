"""What every parser promises, over every format and over bad input."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from format_files import (
    FACT,
    OTHER,
    TITLE,
    all_formats,
    docx,
    encrypted_pdf,
    epub,
    paragraph,
    pdf,
    write_all,
    xlsx,
    zipped,
)

from ragmem.errors import ParseError
from ragmem.parsing.formats import SUPPORTED_SUFFIXES
from ragmem.parsing.isolation import IsolatedParser
from ragmem.parsing.parser import DocumentParser
from ragmem.ports import Parser
from ragmem.types import ParsedDocument, RawDocument

FORMATS = all_formats()
ENTITIES = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.fixture(scope="module", params=["document", "isolated"])
def parser(request: pytest.FixtureRequest) -> Iterator[Parser]:
    if request.param == "document":
        yield DocumentParser()
    else:
        isolated = IsolatedParser(workers=1)
        yield isolated
        isolated.close()


def parse(parser: Parser, name: str, content: bytes) -> ParsedDocument:
    return parser.parse(RawDocument(uri=f"memory:{name}", name=name, content=content))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_its_text(parser: Parser, suffix: str) -> None:
    document = parse(parser, f"a.{suffix}", FORMATS[suffix])
    assert FACT in document.text
    assert f".{suffix}" in SUPPORTED_SUFFIXES
    assert document.language == {"py": "python", "go": "go"}.get(suffix, "en")


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_survives_utf8_and_sql(parser: Parser, suffix: str) -> None:
    text = parse(parser, f"a.{suffix}", FORMATS[suffix]).text
    assert text.encode("utf-8").decode("utf-8") == text
    assert not set(text) & {"\0", "\r", "\ufeff"}
    assert text == text.strip("\n")


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_file_name_changes_nothing(parser: Parser, suffix: str) -> None:
    one, other = (parse(parser, f"{name}.{suffix}", FORMATS[suffix]) for name in ("a", "Other B"))
    assert one == other


@pytest.mark.parametrize("suffix", ["md", "rst", "html", "pdf", "docx", "pptx", "eml", "epub"])
def test_titles_are_the_documents_own(parser: Parser, suffix: str) -> None:
    assert parse(parser, f"a.{suffix}", FORMATS[suffix]).title == TITLE


@pytest.mark.parametrize("suffix", ["pdf", "pptx", "xlsx"])
def test_pages_are_spans_of_the_text(parser: Parser, suffix: str) -> None:
    document = parse(parser, f"a.{suffix}", FORMATS[suffix])
    first, second = (document.text[page.start : page.end] for page in document.pages)
    assert [page.number for page in document.pages] == [1, 2]
    assert FACT in first
    assert OTHER in second
    assert FACT not in second


@pytest.mark.parametrize("suffix", ["md", "rst", "pdf", "pptx", "xlsx", "epub"])
def test_headings_are_markdown(parser: Parser, suffix: str) -> None:
    document = parse(parser, f"a.{suffix}", FORMATS[suffix])
    assert document.text_format == "markdown"
    assert any(line in ("# Repairs", "## Repairs") for line in document.text.split("\n"))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "docx", "xlsx"])
def test_a_table_row_is_a_line(parser: Parser, suffix: str) -> None:
    lines = parse(parser, f"a.{suffix}", FORMATS[suffix]).text.split("\n")
    header = next(at for at, line in enumerate(lines) if line.startswith("| Part | Months |"))
    assert set(lines[header + 1]) == set("| -")
    assert lines[header + 2].startswith("| Battery | 24 |")


def test_write_all_writes_each_format(tmp_path: Path) -> None:
    paths = write_all(tmp_path / "new")
    assert {path.suffix[1:] for path in paths.values()} == set(FORMATS)
    assert all(path.read_bytes() for path in paths.values())


def lying_docx() -> bytes:
    """A document whose directory gives a member a hundredth of its size."""
    member, text = b"word/document.xml", b"a" * 1_000_000
    honest = zipped({member.decode(): text})
    size, fake = struct.pack("<I", len(text)), struct.pack("<I", len(text) // 100)
    return honest.replace(size, fake)


FAR_CELL = zipped(
    {
        "xl/workbook.xml": "<workbook/>",
        "xl/worksheets/sheet1.xml": '<c r="A1"/><c r="XFD1048576"/>',
    }
)
LONG_PDF = pdf([[FACT] * 30] * 5)
BAD = {
    "empty": ("a.txt", b"", "empty"),
    "blank": ("a.md", b" \n\n\t", "no text"),
    "binary named txt": ("a.txt", bytes(range(256)) * 40, "binary"),
    "nul bytes": ("a.txt", b"abc\0def" * 99, "binary"),
    "program named txt": ("a.txt", b"\x7fELF" + bytes(99), "program"),
    "picture named md": ("a.md", b"\x89PNG\r\n\x1a\n" + bytes(99), "PNG"),
    "unknown encoding": ("a.txt", bytes(range(128, 256)) * 40, "encoding"),
    "false utf-16": ("a.txt", b"\xff\xfe" + bytes(range(0x80, 0xFF)) * 9, "UTF-16"),
    "encrypted pdf": ("a.pdf", encrypted_pdf(), "password"),
    "truncated pdf": ("a.pdf", LONG_PDF[: len(LONG_PDF) // 2], "cut off"),
    "pdf without its end": ("a.pdf", LONG_PDF[:-30], "cut off"),
    "damaged pdf": ("a.pdf", b"%PDF-1.7\nnothing\n%%EOF", "damaged"),
    "pdf without text": ("a.pdf", pdf([[""], [""]]), "OCR"),
    "no pdf at all": ("a.pdf", b"hello", "none"),
    "docx bomb": ("a.docx", zipped({"word/document.xml": bytes(40 << 20)}), "zip bomb"),
    "xlsx bomb": ("a.xlsx", zipped({"xl/workbook.xml": bytes(40 << 20)}), "zip bomb"),
    "pptx bomb": ("a.pptx", zipped({"ppt/presentation.xml": bytes(40 << 20)}), "zip bomb"),
    "epub bomb": ("a.epub", zipped({"META-INF/container.xml": bytes(40 << 20)}), "zip bomb"),
    "lying directory": ("a.docx", lying_docx(), "damaged"),
    "many members": (
        "a.docx",
        zipped({"word/document.xml": "", **{f"m{n}": "" for n in range(20_001)}}),
        "members",
    ),
    "entity bomb": ("a.docx", zipped({"word/document.xml": ENTITIES}), "entities"),
    "utf-16 entity bomb": (
        "a.docx",
        zipped({"word/document.xml": ENTITIES.encode("utf-16")}),
        "entities",
    ),
    "encrypted docx": (
        "a.docx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        "password",
    ),
    "old office": ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "before 2007"),
    "outlook": (
        "a.msg",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__substg1.0_".encode("utf-16-le"),
        "save it as EML",
    ),
    "opendocument": ("a.odt", zipped({"mimetype": "", "content.xml": ""}), "OpenDocument"),
    "truncated docx": ("a.docx", FORMATS["docx"][:-40], "cut off"),
    "damaged docx": ("a.docx", zipped({"word/document.xml": "<w:document>"}), "cannot be read"),
    "empty docx": ("a.docx", docx(paragraph("")), "no text"),
    "far cell": ("a.xlsx", FAR_CELL, "cells"),
    "empty xlsx": ("a.xlsx", xlsx({"Sheet1": []}), "no text"),
    "other archive": ("a.txt", zipped({"a.txt": "text"}), "ZIP archive"),
    "protected epub": (
        "a.epub",
        zipped(
            {"META-INF/container.xml": "<a/>", "META-INF/encryption.xml": "<EncryptionMethod/>"}
        ),
        "DRM",
    ),
    "epub without package": ("a.epub", zipped({"META-INF/container.xml": "<a/>"}), "EPUB"),
    "epub without chapters": ("a.epub", epub([]), "no text"),
    "broken json": ("a.json", b'{"a": 1', "not valid JSON"),
    "deep json": ("a.json", b"[" * 100_000 + b"]" * 100_000, "too deeply"),
    "many lines": ("a.txt", b"a\n" * 1_000_001 + b"b", "more than 1,000,000 lines"),
    "no json lines": ("a.jsonl", b"one\ntwo\n", "no line"),
    "deep html": ("a.html", b"<div>" * 50_000 + b"text", "too deeply"),
    "no message": ("a.eml", b"hello there", "not a message"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_its_reason(parser: Parser, case: str) -> None:
    name, content, reason = BAD[case]
    with pytest.raises(ParseError, match=reason):
        parse(parser, name, content)


@pytest.mark.parametrize("suffix", FORMATS)
def test_damaged_files_are_read_or_refused(parser: Parser, suffix: str) -> None:
    content = FORMATS[suffix]
    for cut in range(1, len(content), max(1, len(content) // 25)):
        damaged = content[: cut - 1] + bytes([content[cut - 1] ^ 0xFF]) + content[cut:]
        for candidate in (content[:cut], damaged):
            try:
                document = parse(parser, f"a.{suffix}", candidate)
            except ParseError:
                continue
            assert document.text.strip()


@pytest.mark.parametrize("kind", [DocumentParser, IsolatedParser])
def test_limits_are_kept(kind: type[DocumentParser] | type[IsolatedParser]) -> None:
    with pytest.raises(ParseError, match="10 allowed"):
        parse(kind(max_file_bytes=10), "a.txt", b"eleven bytes")
    with pytest.raises(ParseError, match="more than 10 characters"):
        parse(kind(max_characters=10), "a.txt", b"eleven bytes")
    with pytest.raises(ParseError, match="zip bomb"):
        parse(kind(max_unpacked_bytes=100), "a.docx", FORMATS["docx"])


def test_nothing_outside_the_file_is_read(parser: Parser, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read me")
    page = f"<p>{FACT}<img src='{secret.as_uri()}'><iframe src='{secret.as_uri()}'></iframe></p>"
    assert "do not" not in parse(parser, "a.html", page.encode()).text
    external = (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><html><p>&x; {FACT}</p></html>'
    )
    assert "do not" not in parse(parser, "a.html", external.encode()).text


def test_content_wins_over_the_name(parser: Parser) -> None:
    for name in ("a.txt", "README", "a.docx"):
        assert parse(parser, name, FORMATS["pdf"]) == parse(parser, "a.pdf", FORMATS["pdf"])


def test_a_title_that_the_source_tells_wins_and_is_cleaned(parser: Parser) -> None:
    raw = RawDocument(uri="a", name="a.md", content="# Own\n\nText.", title=" A\0 \ud800 title\n")
    assert parser.parse(raw).title == "A title"
