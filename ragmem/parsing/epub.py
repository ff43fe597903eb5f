"""EPUB books: the chapters in reading order."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ragmem.errors import ParseError
from ragmem.types import Metadata, ParsedDocument

from .assembly import clean_text, one_line
from .html_page import parse_html
from .limits import Limits
from .package import unpack

if TYPE_CHECKING:
    from lxml import etree

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_DC = "{http://purl.org/dc/elements/1.1/}"
_FONT_OBFUSCATION = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")
_NAMES = {"creator": "author", "date": "created_at", "subject": "subject", "publisher": "publisher"}


def parse_epub(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse a book.

    Raises:
        ParseError: it is damaged, protected, a zip bomb, or no book.
    """
    members = unpack(content, most_bytes=limits.unpacked_bytes)
    _refuse_protected(members.get(_ENCRYPTION, b""))
    root_file = _parse(members, _CONTAINER).find(".//{*}rootfile")
    path = unquote(root_file.get("full-path", "")) if root_file is not None else ""
    package = _parse(members, path)
    title, language, metadata = _metadata(package)
    chapters: list[str] = []
    warnings: list[str] = []
    for name in _spine(package, posixpath.dirname(path)):
        if name not in members:
            warnings.append(f"the chapter {name!r} is missing from the book")
            continue
        try:
            chapter = parse_html(members[name])
        except ParseError as error:
            warnings.append(f"the chapter {name!r} could not be read: {error}")
            continue
        chapters.append(chapter.text)
        warnings += chapter.warnings
        limits.check_characters(sum(map(len, chapters)))
    return ParsedDocument(
        text="\n\n".join(filter(None, chapters)),
        text_format="markdown",
        title=title,
        language=language,
        media_type="application/epub+zip",
        metadata=metadata,
        warnings=tuple(warnings),
    )


def _refuse_protected(encryption: bytes) -> None:
    methods = encryption.count(b"EncryptionMethod")
    fonts = sum(encryption.count(algorithm) for algorithm in _FONT_OBFUSCATION)
    if methods > fonts:
        raise ParseError("the book is protected (DRM) and cannot be read; use a copy without it")


def _parse(members: Mapping[str, bytes], name: str) -> etree._Element:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(members[name], parser)
    except (KeyError, etree.XMLSyntaxError) as error:
        raise ParseError(f"not an intact EPUB: {name or 'the package file'} is missing") from error
    if root is None:
        raise ParseError(f"not an intact EPUB: {name} is empty")
    return root


def _metadata(package: etree._Element) -> tuple[str, str, Metadata]:
    found: dict[str, str] = {}
    for element in package.iter(f"{_DC}*"):
        key = str(element.tag).removeprefix(_DC)
        value = one_line(clean_text(element.text or ""))
        if value and key not in found:
            found[key] = value
    language = found.get("language", "").split("-")[0].lower()
    metadata = {_NAMES[key]: value for key, value in found.items() if key in _NAMES}
    return found.get("title", ""), language if len(language) == 2 else "", metadata


def _spine(package: etree._Element, folder: str) -> list[str]:
    """The names of the chapters' members, in reading order."""
    paths = {
        item.get("id", ""): posixpath.normpath(
            posixpath.join(folder, unquote(item.get("href", "")))
        )
        for item in package.iter("{*}item")
    }
    order = [reference.get("idref", "") for reference in package.iter("{*}itemref")]
    return [paths[identity] for identity in order if identity in paths]
