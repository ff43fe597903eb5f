"""Word documents, through mammoth's HTML.

mammoth is what markitdown uses; called directly it needs neither a second HTML round nor the file
type model, and gives its messages. What it would drop is put where it reads: formulas as linear
text, page headers and footers as paragraphs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument

from .assembly import literal, one_line
from .html_page import parse_tree, render_html
from .limits import Limits
from .office_properties import core_properties
from .package import repack, unpack

if TYPE_CHECKING:
    from lxml import etree

_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_STYLE_MAP = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Source Code'] => pre:separator('\\n')
p[style-name='HTML Preformatted'] => pre:separator('\\n')
p[style-name='Code'] => pre:separator('\\n')
comment-reference => sup
"""
_BACK_LINK = "↑"
# What mammoth leaves out and could hold text: drawing instructions and properties do not.
_MAY_SAY = re.compile(r"(?!v:|\{urn:schemas-microsoft)(?:\w+:|\{[^}]+\})(?!\w*Pr(?:Ex)?$)\w+")
_MAIN = "word/document.xml"
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_STRICT_NAMESPACES = (
    (_STRICT, b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/math",
        b"http://schemas.openxmlformats.org/officeDocument/2006/math",
    ),
)
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FURNITURE = re.compile(r"word/(header|footer)\d*\.xml")
_PAGE_NUMBER = re.compile(r"(?:page|seite|página|pagina)?[\s\d/|.-]*(?:of|von|de)?[\s\d]*", re.I)


def parse_docx(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse a Word document.

    Raises:
        ParseError: it is damaged, a zip bomb, or cannot be converted.
    """
    members = unpack(content, most_bytes=limits.unpacked_bytes)
    if _MAIN not in members:
        raise ParseError(f"not a Word document: {_MAIN} is missing")
    for name, data in members.items():
        if name.endswith((".xml", ".rels")) and b"purl.oclc.org" in data:
            for strict, transitional in _STRICT_NAMESPACES:
                data = data.replace(strict, transitional)
            members[name] = data
    members[_MAIN] = _formulas_as_text(members[_MAIN])
    title, metadata = core_properties(members)
    body, warnings = _convert(members)
    above, below = _page_furniture(members)
    return ParsedDocument(
        text="\n\n".join([*above, body, *below]),
        text_format="markdown",
        title=title,
        media_type=_MEDIA_TYPE,
        metadata=metadata,
        warnings=warnings,
    )


def _convert(members: dict[str, bytes]) -> tuple[str, tuple[str, ...]]:
    import mammoth

    try:
        result = mammoth.convert_to_html(
            repack(members),
            style_map=_STYLE_MAP,
            convert_image=mammoth.images.inline(_image_description),
        )
    except RecursionError as error:
        raise ParseError("the document is nested too deeply to be read") from error
    except Exception as error:  # mammoth lets KeyError, expat's and others through
        raise ParseError(f"the document cannot be read: {error!r}") from error
    tree = parse_tree(result.value)
    if tree is None:
        return "", ()
    for link in tree.iter("a"):
        if link.text == _BACK_LINK:
            link.text = ""
    ignored = {message.message.rpartition(": ")[2] for message in result.messages}
    warnings = tuple(f"left out: {name}" for name in sorted(ignored) if _MAY_SAY.fullmatch(name))
    return render_html(tree), warnings


def _image_description(image: object) -> dict[str, str]:
    return {"alt": str(getattr(image, "alt_text", "") or "")}


def _parse(data: bytes) -> etree._Element:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ParseError(f"the document's XML is damaged: {error}") from error


def _page_furniture(members: dict[str, bytes]) -> tuple[list[str], list[str]]:
    """The distinct paragraphs of page headers and of footers, page numbers left out."""
    found: dict[str, dict[str, None]] = {"header": {}, "footer": {}}
    for name in sorted(members):
        if not (match := _FURNITURE.fullmatch(name)) or not members[name]:
            continue
        for paragraph in _parse(members[name]).iter(f"{_WORD}p"):
            text = one_line("".join(node.text or "" for node in paragraph.iter(f"{_WORD}t")))
            if text and not _PAGE_NUMBER.fullmatch(text[:40]):
                found[match[1]][literal(text)] = None
    return list(found["header"]), list(found["footer"])


# --- formulas ---


def _formulas_as_text(document: bytes) -> bytes:
    """The document with each formula replaced by a run of text, which mammoth reads."""
    if b"oMath" not in document:
        return document
    from lxml import etree

    root = _parse(document)
    for formula in list(root.iter(f"{_MATH}oMath")):
        parent = formula.getparent()
        if parent is None:
            continue
        run = etree.Element(f"{_WORD}r")
        text = etree.SubElement(run, f"{_WORD}t")
        text.text = one_line(_linear(formula))
        text.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        run.tail = formula.tail
        parent.replace(formula, run)
    # Displayed formulas: their runs have to stand in the paragraph itself.
    etree.strip_elements(root, f"{_MATH}oMathParaPr", with_tail=False)
    etree.strip_tags(root, f"{_MATH}oMathPara")
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


def _linear(element: etree._Element, depth: int = 0) -> str:
    """A formula on one line: `(a)/(b)`, `x^2`, `x_1`, `√(x)`."""
    if depth > 50:
        return "".join(str(text) for text in element.itertext())

    def part(name: str) -> str:
        return "".join(_linear(child, depth + 1) for child in element.findall(f"{_MATH}{name}"))

    def group(name: str) -> str:
        text = part(name)
        return text if len(text) <= 1 or text.isalnum() else f"({text})"

    kind = str(element.tag).removeprefix(_MATH)
    if kind == "t":
        return element.text or ""
    if kind == "f":
        return f"{group('num')}/{group('den')}"
    if kind in ("sSup", "sSub", "sSubSup", "nary"):
        sign = _operator(element) if kind == "nary" else group("e")
        below = f"_{group('sub')}" if part("sub") else ""
        above = f"^{group('sup')}" if part("sup") else ""
        return f"{sign}{below}{above}" + (f" {part('e')}" if kind == "nary" else "")
    if kind == "rad":
        return f"{part('deg')}√({part('e')})"
    if kind == "d":
        return "(" + ", ".join(_linear(e, depth + 1) for e in element.findall(f"{_MATH}e")) + ")"
    if kind == "func":
        return f"{part('fName')} {part('e')}"
    return "".join(_linear(child, depth + 1) for child in element)


def _operator(element: etree._Element) -> str:
    sign = element.find(f"{_MATH}naryPr/{_MATH}chr")
    return "∫" if sign is None else sign.get(f"{_MATH}val", "∫")
