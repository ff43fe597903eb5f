"""PowerPoint presentations: a slide is a page with its title as heading, notes below.

Walked with python-pptx, as markitdown does; markitdown itself stops at the first shape of a kind
it does not know, marks slides with HTML comments and forgets their boundaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument

from .assembly import join_pages, literal, numbers_in_words, one_line
from .limits import Limits
from .office_properties import core_properties
from .package import repack, unpack
from .tables import pipe_table, with_header

if TYPE_CHECKING:
    from lxml import etree
    from pptx.slide import Slide

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_DEEPEST_GROUP = 20
_DRAWING_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_CHART_VALUE = "{http://schemas.openxmlformats.org/drawingml/2006/chart}v"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_DIAGRAM_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"


def parse_pptx(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse a presentation.

    Raises:
        ParseError: it is damaged, a zip bomb, or no presentation.
    """
    from pptx import Presentation

    members = unpack(content, most_bytes=limits.unpacked_bytes)
    try:
        slides = list(Presentation(repack(members)).slides)
    except Exception as error:  # python-pptx lets KeyError and lxml's through
        raise ParseError(f"the presentation cannot be read: {error!r}") from error
    pages: list[tuple[int, str]] = []
    damaged: list[int] = []
    for number, slide in enumerate(slides, start=1):
        try:
            blocks, whole = _slide_blocks(slide)
        except Exception:  # noqa: BLE001 - the same: one bad slide must not cost the others
            blocks, whole = [literal(_bare_text(slide.element))], False
        if not whole:
            damaged.append(number)
        pages.append((number, "\n\n".join(blocks)))
        limits.check_characters(sum(len(text) for _, text in pages))
    text, spans = join_pages(pages)
    title, metadata = core_properties(members)
    warnings: tuple[str, ...] = ()
    if damaged:
        warnings = (
            f"slides {numbers_in_words(damaged)} were read in part: text without structure",
        )
    return ParsedDocument(
        text=text,
        text_format="markdown",
        title="" if title == "PowerPoint Presentation" else title,
        pages=spans,
        media_type=_MEDIA_TYPE,
        metadata=metadata,
        warnings=warnings,
    )


def _slide_blocks(slide: Slide) -> tuple[list[str], bool]:
    """A slide's blocks, and whether every shape could be read."""
    title = slide.shapes.title
    heading = one_line(title.text_frame.text) if title is not None else ""
    blocks = [f"# {heading}"] if heading else []
    whole = True
    for shape in slide.shapes:
        if heading and title is not None and shape.shape_id == title.shape_id:
            continue
        try:
            blocks += list(_shape_blocks(shape))
        except Exception:  # noqa: BLE001 - the same, for shapes of rare kinds
            blocks.append(literal(_bare_text(shape.element)))
            whole = False
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    notes = "\n".join(one_line(line) for line in frame.text.splitlines()) if frame else ""
    if notes.strip():
        blocks.append(f"## Notes\n\n{literal(notes.strip())}")
    return [block for block in blocks if block], whole


def _bare_text(element: Any) -> str:
    return one_line(" ".join(node.text or "" for node in element.iter(_DRAWING_TEXT)))


def _shape_blocks(shape: Any, depth: int = 0) -> Iterator[str]:
    """The blocks of a shape; a group's in their drawing order."""
    from pptx.shapes.group import GroupShape

    if isinstance(shape, GroupShape) and depth < _DEEPEST_GROUP:
        for inner in shape.shapes:
            yield from _shape_blocks(inner, depth + 1)
    elif getattr(shape, "has_table", False):
        rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
        if any(any(row) for row in rows):
            yield with_header(rows)
    elif getattr(shape, "has_chart", False):
        yield from _chart_blocks(shape.chart)
    elif getattr(shape, "has_text_frame", False):
        yield _text_block(shape.text_frame)
    elif text := _other_text(shape):
        yield literal(text)


def _text_block(frame: Any) -> str:
    """A text frame's paragraphs; several short ones are a list, as slides show them."""
    paragraphs = [(one_line(p.text), p.level) for p in frame.paragraphs if p.text.strip()]
    if len(paragraphs) < 2:
        return "\n".join(literal(text) for text, _ in paragraphs)
    return "\n".join(f"{'  ' * level}- {text}" for text, level in paragraphs)


def _chart_blocks(chart: Any) -> Iterator[str]:
    if chart.has_title and chart.chart_title.has_text_frame:
        yield literal(one_line(chart.chart_title.text_frame.text))
    try:
        plots = list(chart.plots)
    except (NotImplementedError, ValueError):
        # A kind that python-pptx does not know: its labels and values, without the table.
        plots = []
        values = chart._chartSpace.iter(_CHART_VALUE)
        yield literal(one_line(" ".join(node.text or "" for node in values)))
    for plot in plots:
        series = list(plot.series)
        categories = [str(category) for category in plot.categories]
        header = ["", *(str(one.name) for one in series)]
        values = [list(one.values) for one in series]
        rows = [
            [name, *(f"{column[at]:.15g}" if _has(column, at) else "" for column in values)]
            for at, name in enumerate(categories)
        ]
        if rows:
            yield pipe_table(header, rows)


def _has(column: list[float | None], at: int) -> bool:
    return at < len(column) and column[at] is not None


def _other_text(shape: Any) -> str:
    """What other kinds say: the text of diagrams and unknown shapes, a picture's description."""
    nodes = list(shape.element.iter(_DRAWING_TEXT))
    for reference in shape.element.iter(_DIAGRAM):
        nodes += _diagram(shape.part.related_part(reference.get(_DIAGRAM_DATA)).blob)
    if text := one_line(" ".join(node.text or "" for node in nodes)):
        return text
    described = next((n.get("descr", "") for n in shape.element.iter() if n.get("descr")), "")
    return one_line(str(described))


def _diagram(data: bytes) -> list[etree._Element]:
    """The texts of a SmartArt drawing, which stand in a part of their own."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return list(etree.fromstring(data, parser).iter(_DRAWING_TEXT))
