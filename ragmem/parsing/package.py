"""Opening ZIP-based documents (DOCX, PPTX, XLSX, ODS, EPUB) without trusting them.

The central directory is checked first, then every member is unpacked under a bound. Parsers get a
repacked archive that holds only what was checked, so that no library unpacks the original.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping

from ragmem.errors import ParseError

from .limits import MEBIBYTE

_MOST_MEMBERS = 20_000
_MOST_RATIO = 200
_RATIO_MATTERS_ABOVE = 8 * MEBIBYTE
_ENTITY = re.compile(rb"<!\s*ENTITY|<!\s*DOCTYPE[^>]*\[", re.IGNORECASE)
_READABLE = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")
_BROKEN = "the file is damaged or cut off ({}); get an intact copy"


def member_names(content: bytes) -> list[str]:
    """The names in the archive's directory.

    Raises:
        ParseError: the bytes are no intact ZIP archive.
    """
    with _open(content) as archive:
        return archive.namelist()


def unpack(
    content: bytes, *, most_bytes: int, wanted: Callable[[str], bool] | None = None
) -> dict[str, bytes]:
    """Read the readable members of an archive.

    Args:
        content: the archive.
        most_bytes: the most bytes that all members may have together.
        wanted: which members to read; without it, XML and HTML.

    Returns:
        Every member by name, those not wanted as empty bytes.

    Raises:
        ParseError: the archive is damaged, encrypted, a bomb, or defines XML entities.
    """
    take = wanted or (lambda name: name.lower().endswith(_READABLE) or name == "mimetype")
    members: dict[str, bytes] = {}
    with _open(content) as archive:
        entries = archive.infolist()
        _check_directory(entries, most_bytes)
        left = most_bytes
        for entry in entries:
            if entry.is_dir():
                continue
            data = _read(archive, entry, left) if take(entry.filename) else b""
            left -= len(data)
            # Without NULs, so that UTF-16 hides nothing.
            if _ENTITY.search(data.replace(b"\0", b"")):
                raise ParseError(
                    f"{entry.filename} defines XML entities, which documents have no use for and "
                    "attacks do; the file was not read"
                )
            members[entry.filename] = data
    return members


def repack(members: Mapping[str, bytes]) -> io.BytesIO:
    """An uncompressed archive of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    packed.seek(0)
    return packed


def _open(content: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise ParseError(_BROKEN.format(error)) from error


def _check_directory(entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
    if len(entries) > _MOST_MEMBERS:
        raise ParseError(f"the archive has {len(entries):,} members, more than {_MOST_MEMBERS:,}")
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if unpacked > most_bytes:
        raise ParseError(
            f"unpacked it has {unpacked:,} bytes, more than the {most_bytes:,} allowed: a zip "
            "bomb, or a document to split"
        )
    if unpacked > _RATIO_MATTERS_ABOVE and unpacked > _MOST_RATIO * max(packed, 1):
        raise ParseError(
            f"it unpacks to {unpacked // max(packed, 1):,} times its size, as a zip bomb does"
        )
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise ParseError("it is protected by a password; save a copy without one")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most_bytes: int) -> bytes:
    try:
        with archive.open(entry) as stream:
            data = stream.read(most_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise ParseError(_BROKEN.format(f"{entry.filename}: {error}")) from error
    if len(data) > most_bytes:
        raise ParseError("it unpacks to more than its directory says, as a zip bomb does")
    return data
