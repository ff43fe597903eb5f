"""Documents from the files of a collection: what is known about each beside its text.

What stands in a note is in `notes_text` and `notes_properties`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote

from ragmem.errors import PermanentSourceError
from ragmem.types import MetadataValue, RawDocument

from .export_folder import Export, ExportFile
from .file_reading import printable
from .file_reasons import suffix_of
from .json_values import as_dict, as_dicts, as_line, as_text, joined
from .notes_links import NoteLinks, notion_id, without_ids
from .notes_properties import (
    linked,
    names_in,
    notion_properties,
    split_front_matter,
    split_logseq,
)
from .notes_text import read_note

_HREF = re.compile(rb'href="([^"]{1,2000})"')
_TITLE = re.compile(r"\A\s*# +(\S[^\n]*)")

Kind = Literal["obsidian", "notion", "logseq"]


@dataclass(slots=True, kw_only=True)
class Notes:
    """An open collection.

    Attributes:
        uris: the items' URIs by the files' names.
        files: the files by their items' URIs.
    """

    kind: Kind
    export: Export
    links: NoteLinks
    uris: dict[str, str] = field(default_factory=dict)
    files: dict[str, ExportFile] = field(default_factory=dict)


def note_document(notes: Notes, uri: str, file: ExportFile, markdown: str) -> RawDocument:
    """A note with its links, tags and properties as metadata."""
    properties, body, is_broken = split_front_matter(markdown)
    if notes.kind == "logseq":
        head, body = split_logseq(body)
        properties = {**properties, **head}
    if notes.kind == "notion":
        properties = {**properties, **notion_properties(body)}
    note = read_note(body)
    heading = _TITLE.match(note.text)
    named = properties.pop("title", "") or (heading[1] if heading else "")
    shown = PurePosixPath(_shown_name(notes, file))
    title = " ".join(str(named).split()) or shown.stem
    front_tags = [*names_in(properties.pop("tags", None)), *names_in(properties.pop("tag", None))]
    tags = [] if notes.kind == "notion" else [*(tag.lstrip("#") for tag in front_tags), *note.tags]
    own = [properties.pop(key, None) for key in ("aliases", "alias")]
    aliases = tuple(each for value in own for each in _listed_names(value))
    targets = [*(() if is_broken else linked(markdown)), *note.targets]
    metadata: dict[str, MetadataValue] = {
        **properties,
        **_place(notes, file),
        "links": _resolved(notes, file, targets),
        "tags": tuple(dict.fromkeys(filter(None, tags))),
    }
    if aliases:
        metadata["aliases"] = aliases
    if is_broken:
        metadata["front_matter"] = "broken"
    return RawDocument(
        uri=uri,
        name=f"{shown.stem}.md",
        content=(note.text or f"# {title}") + "\n",
        title=title,
        modified_at=file.modified_at,
        metadata=metadata,
    )


def attachment_document(notes: Notes, uri: str, file: ExportFile, content: bytes) -> RawDocument:
    """A file beside the notes, or a page in HTML, which the parsers read."""
    name = _shown_name(notes, file)
    metadata = _place(notes, file)
    if notes.kind == "notion" and suffix_of(file.name) == ".html":
        targets = [unquote(each.decode("utf-8", "replace")) for each in _HREF.findall(content)]
        # A page also links to its style and to the world outside.
        found = _resolved(notes, file, targets)
        metadata["links"] = tuple(each for each in found if each.startswith("notion:"))
    return RawDocument(
        uri=uri,
        name=name,
        content=content,
        title=PurePosixPath(name).stem if notion_id(file.name) else None,
        modified_at=file.modified_at,
        metadata=metadata,
    )


def _listed_names(value: MetadataValue | None) -> tuple[str, ...]:
    """Aliases, which may hold spaces."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def _resolved(notes: Notes, file: ExportFile, targets: list[str]) -> tuple[str, ...]:
    """The items that targets name, or the names where there is no such item; each once."""
    found: dict[str, None] = {}
    for target in targets:
        name = notes.links.resolve(target, source=file.name)
        if name == file.name:
            continue
        uri = notes.uris.get(name or "")
        if uri or name is None:
            shown = target.partition("#")[0].replace("\0", "")
            found.setdefault(uri or shown.encode("utf-8", "replace").decode())
    return tuple(found)


def _place(notes: Notes, file: ExportFile) -> dict[str, MetadataValue]:
    path = printable(file.name)
    folder = str(PurePosixPath(path).parent)
    shown = without_ids(folder) if notes.kind == "notion" else folder
    place: dict[str, MetadataValue] = {
        "name": _shown_name(notes, file),
        "suffix": suffix_of(file.name),
        "folder": "" if shown == "." else shown,
    }
    if file.modified_at is not None:
        place["modified_at"] = file.modified_at.isoformat()
    return place


def _shown_name(notes: Notes, file: ExportFile) -> str:
    name = printable(PurePosixPath(file.name).name)
    name = " ".join(name.split())
    if notes.kind == "notion":
        return without_ids(name)
    # Logseq writes the parts of a page's name with three underscores between them.
    return unquote(name.replace("___", " > ")) if notes.kind == "logseq" else name


def canvas_text(content: bytes) -> str:
    """The texts on a canvas, with links to the notes that lie on it.

    Raises:
        PermanentSourceError: it is no canvas.
    """
    try:
        canvas = as_dict(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise PermanentSourceError(f"the canvas is broken: {error}") from error
    parts = []
    for node in as_dicts(canvas.get("nodes")):
        file, label = as_line(node.get("file")), as_line(node.get("label"))
        parts += [
            f"## {label}" if label else "",
            as_text(node.get("text")),
            f"[[{file}]]" if file else "",
            as_line(node.get("url")),
        ]
    parts += [as_line(edge.get("label")) for edge in as_dicts(canvas.get("edges"))]
    return joined(parts)
