"""Collections of notes: an Obsidian vault, a Notion export, a Logseq graph.

Which application they are from and which of the files are notes; what becomes of one is in
`notes_documents`.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, TransientSourceError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .export_folder import (
    Export,
    ExportFile,
    is_hidden,
    open_export,
    place_of,
    unwrapped_names,
)
from .file_reasons import no_parser, suffix_of, too_large
from .json_values import as_dict, as_text, digest
from .notes_documents import Kind, Notes, attachment_document, canvas_text, note_document
from .notes_links import NoteLinks, notion_id

_MEBIBYTE = 1024 * 1024
_LINKING = frozenset({".md", ".canvas", ".html"})
_MEDIA = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|bmp|avif|heic|ico|tiff?"
    r"|mp3|wav|m4a|ogg|flac|3gp|mp4|webm|mov|mkv|ogv|avi)$"
)
# What the applications keep for themselves beside the notes.
_OWN = frozenset({"logseq", "whiteboards"})
_PART = re.compile(r"^(?:Export|ExportBlock)-[0-9a-f]{8}-[0-9a-f-]{27}[^/]*\.zip$")
_GLANCE_FILES = 200


class NotesConnector:
    """Reads notes with their links, tags and properties, and the files attached to them.

    Images, sound and films, the trash and the applications' own files are passed over, and so are
    notes without any content.
    """

    schemes: ClassVar[frozenset[str]] = frozenset({"notes", "obsidian", "notion", "logseq"})

    def __init__(
        self,
        location: str | Path,
        *,
        kind: Literal["auto", "obsidian", "notion", "logseq"] = "auto",
        name: str = "",
        ignore: tuple[str, ...] = (),
        suffixes: frozenset[str] | None = None,
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> None:
        """Find the notes.

        Args:
            location: a folder, or the ZIP as it was downloaded, perhaps after a scheme:
                `obsidian:~/Vault`.
            kind: the application; `auto` goes by the scheme, or else by the files.
            name: names the source whatever its path, so that the next export, under another file
                name, takes its place.
            ignore: folders to pass over, by path in the collection; Obsidian's folder of templates
                always is.
            suffixes: the lower-case suffixes of attachments to read; None for all.
            max_file_bytes: larger files are skipped.

        Raises:
            UnknownSource: nothing is there.
        """
        self._path, scheme = place_of(location, self.schemes)
        self._kind: str = scheme if kind == "auto" and scheme not in ("", "notes") else kind
        self._name = name
        self._ignored = {each.strip("/").lower() for each in ignore}
        self._suffixes = suffixes
        self._max_file_bytes = max_file_bytes
        self._held = ExitStack()
        self._notes: Notes | None = None

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether a folder or a ZIP is a vault, a graph or an export by the names of its files."""
        try:
            return _kind_of(_glance(Path(location).expanduser())) is not None
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
            return False

    @property
    def source_uri(self) -> str:
        """The name that was given, or else the path."""
        if self._name:
            return f"notes:{quote(self._name, safe='')}"
        return self._path.as_uri().replace("file:", "notes:", 1)

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List notes and attachments in the order of their paths.

        Raises:
            TransientSourceError: it cannot be opened, or folders could not be listed.
        """
        self.close()
        notes = self._opened()
        # Another note of the same name may make a link name another file.
        names = digest(*notes.uris)
        for uri, file in notes.files.items():
            if reason := self._objection(file):
                yield SkippedItem(uri=uri, reason=reason)
                continue
            suffix = suffix_of(file.name)
            fingerprint = f"{file.stamp}-{names}" if suffix in _LINKING else file.stamp
            yield SourceItem(uri=uri, fingerprint=fingerprint, size_bytes=file.size_bytes)
        notes.export.check_listing()

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one note or attachment.

        Raises:
            PermanentSourceError: it is damaged, or grew over the limit.
            TransientSourceError: it vanished or may not be read.
        """
        notes = self._opened()
        file = notes.files.get(item.uri)
        if file is None:
            raise TransientSourceError("no longer there", worth_waiting=False)
        content = notes.export.read(file.name, max_bytes=self._max_file_bytes)
        match suffix_of(file.name):
            case ".md":
                return note_document(
                    notes, item.uri, file, content.decode("utf-8-sig", "replace").replace("\0", "")
                )
            case ".canvas":
                return note_document(notes, item.uri, file, canvas_text(content))
        return attachment_document(notes, item.uri, file, content)

    def close(self) -> None:
        """Let go of the files."""
        self._held.close()
        self._notes = None

    def _opened(self) -> Notes:
        if self._notes is None:
            opening: AbstractContextManager[Export] = open_export(
                self._path, passes=is_hidden, is_nested=lambda name: bool(_PART.match(name))
            )
            export = self._held.enter_context(opening)
            self._notes = self._listed(export)
        return self._notes

    def _listed(self, export: Export) -> Notes:
        kind = self._kind_of(export)
        ignored = self._ignored | ({_templates(self._path)} if kind == "obsidian" else set())
        names = [name for name in export.files if not _is_within(name.lower(), ignored - {""})]
        if kind == "logseq":
            names = [name for name in names if name.partition("/")[0] not in _OWN]
        notes = Notes(kind=kind, export=export, links=NoteLinks(names))
        for name in names:
            # The whole of a Notion database comes beside the view of it that was shown last.
            whole = f"{name.removesuffix('.csv')}_all.csv" if kind == "notion" else ""
            file = export.files.get(whole) or export.files[name]
            uri = self._uri(kind, file.name)
            if not _is_passed(file) and not (kind == "notion" and name == "index.html"):
                notes.uris[name] = uri
                notes.files.setdefault(uri, file)
        return notes

    def _kind_of(self, export: Export) -> Kind:
        known = self._kind
        if known == "auto":
            known = _kind_of(_glance(self._path)) or _kind_of(set(export.files)) or ""
        match known:
            case "obsidian" | "notion" | "logseq":
                return known
        raise PermanentSourceError(
            f"{self._path} is no collection of notes that ragmem knows: expected an Obsidian "
            "vault, a Notion export or a Logseq graph; say which with kind"
        )

    def _uri(self, kind: Kind, name: str) -> str:
        if kind == "notion" and (identity := notion_id(name)):
            suffix = PurePosixPath(name).suffix.lower()
            return f"notion:{identity}" + (suffix if suffix not in (".md", ".html") else "")
        quoted = quote(os.fsencode(name))
        if self._name:
            return f"{kind}:{quote(self._name, safe='')}/{quoted}"
        uri = self._path.as_uri()
        return f"{uri if self._path.is_dir() else uri.replace('file:', f'{kind}:', 1)}/{quoted}"

    def _objection(self, file: ExportFile) -> str:
        if file.objection:
            return file.objection
        suffix = suffix_of(file.name)
        own = suffix in (".md", ".canvas")
        if self._suffixes is not None and suffix not in self._suffixes and not own:
            return no_parser(suffix)
        if file.size_bytes > self._max_file_bytes:
            return too_large(file.size_bytes, self._max_file_bytes)
        return ""


def _templates(vault: Path) -> str:
    """The folder that a vault's settings name as that of its templates."""
    try:
        settings = json.loads((vault / ".obsidian" / "templates.json").read_bytes()[:65536])
    except (OSError, ValueError, RecursionError):
        return ""
    return as_text(as_dict(settings).get("folder")).strip("/").lower()


def _is_within(name: str, folders: set[str]) -> bool:
    return any(name.startswith(f"{folder}/") for folder in folders)


def _is_passed(file: ExportFile) -> bool:
    suffix = suffix_of(file.name)
    return not file.objection and (
        bool(_MEDIA.fullmatch(suffix)) or (suffix == ".md" and not file.size_bytes)
    )


def _kind_of(names: set[str]) -> Kind | None:
    """The application that files of these names are from, where they leave no doubt."""
    names = unwrapped_names(names)
    if any(name.startswith(".obsidian/") for name in names):
        return "obsidian"
    if "logseq/config.edn" in names:
        return "logseq"
    if names and all(_PART.match(name) for name in names):
        return "notion"
    pages = [name for name in names if suffix_of(name) in (".md", ".html", ".csv")]
    with_id = [name for name in pages if notion_id(name)]
    return "notion" if with_id and len(with_id) * 2 > len(pages) else None


def _glance(path: Path) -> set[str]:
    """The first names in a folder or a ZIP, folders with `/` at their end; none for other files."""
    if path.is_file():
        if path.suffix.lower() != ".zip":
            return set()
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    if not path.is_dir():
        return set()
    names: set[str] = set()
    if (path / "logseq" / "config.edn").is_file():
        names.add("logseq/config.edn")
    if (path / ".obsidian").is_dir():
        names.add(".obsidian/")
    with os.scandir(path) as entries:
        for entry in entries:
            names.add(entry.name)
            if len(names) > _GLANCE_FILES:
                break
    return names
