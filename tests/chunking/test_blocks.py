import pytest

from ragmem.chunking.blocks import document_blocks
from ragmem.chunking.source_code import definition_spans
from ragmem.types import PageSpan, ParsedDocument, TextFormat


def kinds(text: str, text_format: TextFormat = "markdown") -> list[tuple[str, str]]:
    blocks = document_blocks(ParsedDocument(text=text, text_format=text_format))
    return [(block.kind, text[block.start : block.end]) for block in blocks]


def test_markdown_blocks() -> None:
    parts = [
        ("code", "---\ntitle: x\n---"),
        ("heading", "# One #"),
        ("prose", "A paragraph\nof two lines"),
        ("heading", "Two\n---"),
        ("item", "- an item\n  goes on"),
        ("item", "2. another"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "~~~~\n# no heading\n~~~\n~~~~"),
        ("prose", "#hashtag and `code`"),
    ]
    assert kinds("\n\n".join(text for _, text in parts)) == parts
    assert kinds("\n".join(text for _, text in parts[:3])) == parts[:3]


def test_heading_levels_and_titles() -> None:
    text = "# *Big* [link](http://x.y) #\n\nSub\n===\n\n### `deep`"
    blocks = document_blocks(ParsedDocument(text=text, text_format="markdown"))
    assert [(block.level, block.title) for block in blocks] == [
        (1, "Big link"),
        (1, "Sub"),
        (3, "deep"),
    ]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("BOOK TWO: 1805", 1),
        ("Chapter 12", 2),
        ("Section IV", 3),
        ("2.3 Methods and materials", 2),
        ("NOTES TO THE READER", 4),
        ("A short remark", 0),
        ("He left.", 0),
        ("Chapters are short", 0),
        ("12", 0),
    ],
)
def test_plain_headings(line: str, level: int) -> None:
    text = f"Some text.\n\n{line}\n\nMore text."
    blocks = document_blocks(ParsedDocument(text=text, text_format="plain"))
    assert blocks[1].level == level


def test_unclosed_fence_and_lone_marks_lose_nothing() -> None:
    for text in ("```\na\n\nb", "|", "---", "===", "a\n===\n===", "- \n-", "\t\n\t|\t\nx"):
        for text_format in ("markdown", "plain", "code"):
            joined = "".join(part for _, part in kinds(text, text_format))
            assert "".join(joined.split()) == "".join(text.split())


def test_no_block_lies_across_a_page() -> None:
    text = "first page goes on\nto the second page"
    pages = (PageSpan(number=1, start=0, end=19), PageSpan(number=2, start=19, end=len(text)))
    blocks = document_blocks(ParsedDocument(text=text, text_format="plain", pages=pages))
    assert [(block.start, block.end) for block in blocks] == [(0, 19), (19, len(text))]


def test_definitions_in_python() -> None:
    text = (
        "import os\n\n# about f\n@wrap\ndef f(\n    a,\n) -> int:\n    return 1\n\n"
        "X = 1\nclass A:\n    def g(self):\n        pass\n"
    )
    assert [
        (text[s:e].split("\n")[0], level, title) for s, e, level, title in definition_spans(text)
    ] == [
        ("import os", 0, ""),
        ("# about f", 1, "def f"),
        ("X = 1", 1, ""),
        ("class A:", 1, "class A"),
        ("    def g(self):", 2, "def g(self)"),
    ]


def test_definitions_with_braces() -> None:
    text = (
        "int main(void)\n{\n  if (x) {\n    y();\n  }\n}\n\npublic class A {\n"
        "  /** doc */\n  public int size() {\n    return 1;\n  }\n}\nfoo();\n"
    )
    assert [(level, title) for _, _, level, title in definition_spans(text)] == [
        (1, "int main(void)"),
        (1, "public class A"),
        (2, "public int size()"),
        (1, ""),
    ]
