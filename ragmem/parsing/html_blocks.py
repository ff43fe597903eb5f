"""Rendering an HTML tree as Markdown: headings, paragraphs, lists, tables, fenced code.

Own code rather than markdownify, which breaks rows at nested tables and lists, writes empty header
rows, escapes punctuation inside words (which quotes would then carry) and recurses without bound.
Emphasis and link targets are left out, for what is quoted should read as on the page.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from lxml import etree

from .assembly import fence, literal
from .tables import is_number, pipe_table

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog "  # noqa: SIM905
    "dir div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html "
    "legend li main menu nav ol p pre search section summary table tbody td tfoot th thead tr "
    "ul".split()
)
_ENTRIES = frozenset({"li", "dt", "dd", "td", "th"})
_UNSEEN = frozenset(
    {"script", "style", "template", "title", "iframe", "object", "embed", "canvas", "datalist"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"[ \t\n\r\f]+")
_LANGUAGE = re.compile(r"\b(?:language|lang|highlight-source|highlight)-([\w+#-]+)")
_EXPONENT = re.compile(r"[-+−]?(?:\d+|[a-z])")
_DEEPEST = 150
_MOST_CELLS = 200_000
_LONGEST_REPEATED = 200
# No parsed text can hold these.
_BREAK = "\0"
_ENTRY = "\1"


def render_blocks(root: etree._Element) -> str:
    """The Markdown of everything under an element."""
    return "\n\n".join(_Renderer(root).blocks(root))


class _Renderer:
    """Renders one tree; knows which inline elements have blocks inside."""

    def __init__(self, root: etree._Element) -> None:
        self._holds_blocks: set[etree._Element] = set()
        for element in root.iter(*_BLOCKS):
            above = element.getparent()
            while above is not None and above not in self._holds_blocks:
                self._holds_blocks.add(above)
                above = above.getparent()

    def blocks(self, element: etree._Element, depth: int = 0) -> list[str]:
        """The blocks under an element, each without blank lines around it."""
        if depth > _DEEPEST:
            flat = _collapse("".join(_strings(element)))
            return [literal(flat)] if flat else []
        found: list[str] = []
        inline: list[str] = [element.text or ""]
        for child in element:
            if child.tag in _BLOCKS or child in self._holds_blocks:
                found += self._paragraph(inline)
                inline = []
                found += self._block(child, depth + 1)
            elif isinstance(child.tag, str):
                inline += _strings(child)
            inline.append(child.tail or "")
        return found + self._paragraph(inline)

    def _paragraph(self, inline: list[str]) -> list[str]:
        text = _collapse("".join(inline))
        return [literal(text)] if text else []

    def _block(self, element: etree._Element, depth: int) -> list[str]:
        tag = element.tag
        if tag in _UNSEEN:
            return []
        if tag in _HEADINGS:
            text = self._flat(element)
            return [f"{'#' * _HEADINGS[str(tag)]} {text}"] if text else []
        if tag == "pre":
            code = textwrap.dedent("".join(_strings(element, spaced=False)).replace(_BREAK, "\n"))
            return [fence(code, _code_language(element))] if code.strip() else []
        if tag in ("ul", "ol", "menu", "dir"):
            items = self._list(element, depth)
            return ["\n".join(items)] if items else []
        if tag == "table":
            return self._table(element, depth)
        if tag == "blockquote":
            inner = "\n\n".join(self.blocks(element, depth))
            return ["\n".join(f"> {line}".rstrip() for line in inner.split("\n"))] if inner else []
        if tag == "dl":
            return self._definitions(element, depth)
        return self.blocks(element, depth)

    def _flat(self, element: etree._Element) -> str:
        """Everything in an element on one line, list items and inner cells parted by `;`."""
        entries = "".join(_strings(element)).replace(_BREAK, " ").split(_ENTRY)
        parts = [part for entry in entries if (part := " ".join(entry.split()))]
        return "; ".join(parts).replace(":; ", ": ")

    def _list(self, element: etree._Element, depth: int) -> list[str]:
        lines: list[str] = []
        start = element.get("start", "1")
        number = int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 1
        for child in element:
            if not isinstance(child.tag, str):
                continue
            blocks = self.blocks(child, depth) if child.tag == "li" else self._block(child, depth)
            if not blocks:
                continue
            marker = f"{number}. " if element.tag == "ol" else "- "
            if child.tag != "li":
                marker = "  "
            else:
                number += 1
            inner = "\n".join(blocks).split("\n")
            lines.append(f"{marker}{inner[0]}")
            lines += [f"{' ' * len(marker)}{line}" if line else "" for line in inner[1:]]
        return lines

    def _definitions(self, element: etree._Element, depth: int) -> list[str]:
        blocks: list[str] = []
        for child in element:
            if child.tag == "dd" and blocks:
                blocks[-1] += "".join(f"\n: {text}" for text in self.blocks(child, depth))
            elif isinstance(child.tag, str):
                blocks += self._block(child, depth)
        return blocks

    # --- tables ---

    def _table(self, table: etree._Element, depth: int) -> list[str]:
        rows = [row for row in table.iter("tr") if _nearest(row, "table") is table]
        cells = [[cell for cell in row if cell.tag in ("td", "th")] for row in rows]
        captions = [self._flat(child) for child in table if child.tag == "caption"]
        blocks = [literal(text) for text in captions if text]
        if _is_layout(table, cells):
            for row in cells:
                for cell in row:
                    blocks += self.blocks(cell, depth)
            return blocks
        grid = [row for row in self._grid(cells) if any(row)]
        if not grid:
            return blocks
        first_is_header = any(cell.tag == "th" for cell in cells[0]) or not all(
            is_number(text) for text in grid[0] if text
        )
        width = max(map(len, grid))
        header = grid.pop(0) if first_is_header else []
        return [*blocks, pipe_table([*header, *[""] * (width - len(header))], grid)]

    def _grid(self, rows: list[list[etree._Element]]) -> list[list[str]]:
        """The cells' texts; what spans several rows is repeated, so that each row speaks alone."""
        widest = max((sum(_span(cell, "colspan") for cell in row) for row in rows), default=0)
        if widest * len(rows) > _MOST_CELLS:
            return [[self._flat(cell) for cell in row] for row in rows]
        waiting: dict[int, tuple[int, str]] = {}
        grid: list[list[str]] = []
        for cells in rows:
            line: list[str] = []
            for cell in cells:
                _fill_from_above(line, waiting)
                text = self._flat(cell)
                repeated = text if len(text) <= _LONGEST_REPEATED else ""
                for offset in range(_span(cell, "colspan")):
                    if (height := _span(cell, "rowspan")) > 1:
                        waiting[len(line)] = (height - 1, repeated if offset == 0 else "")
                    line.append(text if offset == 0 else "")
            _fill_from_above(line, waiting)
            grid.append(line)
        return grid


def _fill_from_above(line: list[str], waiting: dict[int, tuple[int, str]]) -> None:
    while (column := len(line)) in waiting:
        left, text = waiting.pop(column)
        if left > 1:
            waiting[column] = (left - 1, text)
        line.append(text)


def _is_layout(table: etree._Element, cells: list[list[etree._Element]]) -> bool:
    """Whether a table only arranges things: a frame, a column of text, tables inside a table."""
    if table.get("role") in ("presentation", "none") or sum(map(len, cells)) < 2:
        return True
    if max(map(len, cells)) < 2 and any(len(_text_of(c)) > 200 for row in cells for c in row):
        return True
    if any(cell.tag == "th" for row in cells for cell in row):
        return False
    inner = sum(len(_text_of(t)) for t in table.iter("table") if _nearest(t, "table") is table)
    return inner > 0.5 * len(_text_of(table))


def _text_of(element: etree._Element) -> str:
    return "".join(element.itertext())


def _nearest(element: etree._Element, tag: str) -> etree._Element | None:
    return next(element.iterancestors(tag), None)


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name, "1").strip()
    return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _code_language(pre: etree._Element) -> str:
    for element in (pre, *pre.iter("code")):
        if match := _LANGUAGE.search(element.get("class", "")):
            return match[1].lower()
    return ""


def _collapse(text: str) -> str:
    """White space as a browser shows it, line breaks kept."""
    lines = _SPACE.sub(" ", text).split(_BREAK)
    return "\n".join(line.strip() for line in lines).strip("\n").replace(_ENTRY, "")


def _strings(element: etree._Element, *, spaced: bool = True) -> Iterator[str]:
    """The texts in an element in order, without recursion; blocks are set apart by a space."""
    walker = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, node in walker:
        if event != "start":
            if spaced and event == "end" and node.tag in _BLOCKS:
                yield " "
            if node is not element:
                yield node.tail or ""
        elif node.tag in _UNSEEN:
            walker.skip_subtree()
        else:
            if spaced and node.tag in _BLOCKS:
                yield _ENTRY if node.tag in _ENTRIES else " "
            yield _shown(node)
            yield node.text or ""


def _shown(element: etree._Element) -> str:
    """What an element shows by itself."""
    if element.tag == "br":
        return _BREAK
    if element.tag == "img":
        return element.get("alt", "")
    if element.tag == "sup" and element.find(".//a") is None:
        # 2 to the 64th must not read as 264; note marks (links) and ordinals stay as they are.
        return "^" if _EXPONENT.fullmatch(_text_of(element).strip()) else ""
    if element.tag == "input" and element.get("type") == "checkbox":
        return "[x] " if element.get("checked") is not None else "[ ] "
    return ""
