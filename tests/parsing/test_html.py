"""HTML: structure, what is shown, and what is not."""

import pytest

from ragmem.parsing.html_page import parse_html, parse_tree, render_html


def rendered(markup: str) -> str:
    tree = parse_tree(markup)
    assert tree is not None
    return render_html(tree)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<h2>A  <b>b</b></h2><p>x\n y<br>z</p>", "## A b\n\nx y\nz"),
        ("<p>one <b>b<i>old</i></b>, <a href='x'>link</a></p>", "one bold, link"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ol start=3><li>a<p>more</p><li>b</ol>", "3. a\n   more\n4. b"),
        ("<dl><dt>a<dd>b<dd>c</dl>", "a\n: b\n: c"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<pre class='language-py'>  x\n    y</pre>", "```py\nx\n  y\n```"),
        ("<script>x</script><style>y</style>text<template>z</template>", "text"),
        ("<p><img alt='A duck' src=x> swims</p>", "A duck swims"),
        (
            "2<sup>64</sup>, m<sup>-1</sup>, 1<sup>st</sup>, a<sup><a>2</a></sup>",
            "2^64, m^-1, 1st, a2",
        ),
        ("<p># not a heading</p>", "\\# not a heading"),
        ("a<!-- secret -->b<div>c</div>d", "ab\n\nc\n\nd"),
        ("<a><div>x</div></a><span>y</span>", "x\n\ny"),
    ],
)
def test_blocks(markup: str, expected: str) -> None:
    assert rendered(markup) == expected


def test_a_table_with_spans_speaks_row_by_row() -> None:
    markup = (
        "<table><caption>Prices</caption><tr><th>City<th colspan=2>Euro</tr>"
        "<tr><td rowspan=2>Lisbon<td>1<td>2</tr><tr><td>3<td>4|5</tr></table>"
    )
    assert rendered(markup) == (
        "Prices\n\n| City | Euro |  |\n| --- | --- | --- |\n"
        "| Lisbon | 1 | 2 |\n| Lisbon | 3 | 4\\|5 |"
    )


def test_lists_in_cells_stay_in_their_row() -> None:
    markup = "<table><tr><td>a<td>b</tr><tr><td>Teal<td><ul><li>Pond<li>Marsh</ul></tr></table>"
    assert rendered(markup).endswith("| Teal | Pond; Marsh |")


def test_tables_that_only_arrange_are_no_tables() -> None:
    inner = "<table><tr><th>x<th>y</tr><tr><td>1<td>2</tr></table>"
    assert rendered(f"<table><tr><td><p>Hi</p>{inner}</td></tr></table>") == (
        "Hi\n\n| x | y |\n| --- | --- |\n| 1 | 2 |"
    )


def test_spans_do_not_blow_up() -> None:
    row = "<tr>" + "<td colspan=1000 rowspan=65534>x</td>" * 50 + "</tr>"
    assert len(rendered(f"<table>{row}{'<tr><td>y' * 5000}</table>")) < 3_000_000


def test_the_main_part_is_the_document_and_the_rest_is_named() -> None:
    page = parse_html(
        b"<title>T</title><nav>Menu</nav><main><h1>H</h1><p>Long enough text.</p></main>"
    )
    assert page.text == "# H\n\nLong enough text."
    assert page.title == "T"
    assert "menus, footers) were left out" in page.warnings[0]


def test_declared_charset_and_language() -> None:
    page = parse_html(
        "<html lang='pt-BR'><meta charset='iso-8859-1'><meta name=author content='Ana'><p>Ação"
        "".encode("latin-1")
    )
    assert page.text == "Ação"
    assert page.language == "pt"
    assert page.metadata == {"author": "Ana"}
