"""Title and other properties that an Office document carries (`docProps/core.xml`)."""

from __future__ import annotations

from collections.abc import Mapping

from ragmem.types import Metadata

from .assembly import clean_text, one_line

_NAMES = {
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "created": "created_at",
}


def core_properties(members: Mapping[str, bytes]) -> tuple[str, Metadata]:
    """The title, empty when there is none, and the metadata of an unpacked Office document."""
    from lxml import etree

    found: dict[str, str] = {}
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        root = etree.fromstring(members.get("docProps/core.xml", b""), parser)
    except etree.XMLSyntaxError:
        # Properties are an extra: a document without readable ones is read all the same.
        return "", {}
    for element in root:
        value = one_line(clean_text(element.text or ""))
        if isinstance(element.tag, str) and value:
            found[etree.QName(element).localname] = value
    return found.get("title", ""), {
        _NAMES[key]: value for key, value in found.items() if key in _NAMES
    }
