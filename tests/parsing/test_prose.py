"""Plain text, code, Markdown and the markups turned into it."""

from ragmem.parsing.prose import parse_code, parse_markdown, parse_markup, parse_plain

RST = """\
=====
Title
=====

Intro
with :ref:`link`.

Sub
---

Use::

    code

    more

Then

.. code-block:: python
   :linenos:

   x = 1

====  ====
A     B
====  ====
1     2
====  ====

Sub two
-------
"""


def test_restructured_text_headings_and_code() -> None:
    text = parse_markup(RST.encode(), suffix=".rst").text
    headings = [line for line in text.split("\n") if line.startswith("#")]
    assert headings == ["# Title", "## Sub", "## Sub two"]
    assert "Use:\n\n```\ncode\n\nmore\n```\n" in text
    assert "```python\nx = 1\n```" in text
    assert "====  ====\nA     B\n====  ====" in text


def test_asciidoc_org_and_latex_headings() -> None:
    assert parse_markup(b"= T\n\n== S\ntext", suffix=".adoc").text == "# T\n\n## S\ntext"
    assert parse_markup(b"* T\n** S\n", suffix=".org").text == "# T\n## S\n"
    latex = parse_markup(
        rb"\title{On Lamps}\section{A {b}}\label{x}" b"\n" rb"\section*{C}\label{y}", suffix=".tex"
    )
    assert latex.title == "On Lamps"
    assert latex.text.endswith("# C\n\\label{y}")


def test_markdown_stays_as_it_is_and_front_matter_names_it() -> None:
    content = b"---\ntitle: 'My lamp'\n---\n\n# Other\r\n\r\ntext\n"
    document = parse_markdown(content)
    assert document.title == "My lamp"
    assert document.text == content.decode().replace("\r", "")


def test_code_and_plain_text_stay_as_they_are() -> None:
    assert parse_code(b"# x\n", language="python").text == "# x\n"
    assert parse_plain(b"# x\n").text_format == "plain"
