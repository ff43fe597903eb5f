"""Which files are passed over, and why others are not read: the same words in every connector.

Only names and sizes are judged here; opening files is `file_reading`'s business.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from ragmem.errors import PermanentSourceError, TransientSourceError

IGNORED_FOLDERS = frozenset({"__pycache__", "node_modules", "venv", "__MACOSX"})
EMPTY = "the file is empty"
CONTROL_CHARACTERS = "the name has control characters such as a newline; rename it"
IRREGULAR = "not a regular file (a pipe, socket or device)"
LINK = "a symbolic link; add its target by itself"

_IGNORED_FILES = frozenset({"thumbs.db", "desktop.ini"})
_CONTROL_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})
_SHOWN_PROBLEMS = 5
_ADVICE = {
    ".doc": "save it as DOCX or PDF",
    ".ppt": "save it as PPTX or PDF",
    ".odt": "save it as DOCX or PDF",
    ".ods": "save it as XLSX",
    ".odp": "save it as PPTX or PDF",
    ".rtf": "save it as DOCX or PDF",
    ".msg": "save it as EML",
    ".zip": "unpack it",
}


def is_hidden_name(name: str) -> bool:
    """Whether a file or folder is hidden, or what office and desktop programs leave behind."""
    # `~$` begins the lock files that Office leaves beside open documents.
    return name.startswith((".", "~$")) or name.lower() in _IGNORED_FILES


def suffix_of(name: str) -> str:
    """The lower-case suffix; the end of a version number (`Apache-2.0`) is none."""
    suffix = PurePosixPath(name).suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def has_control_characters(text: str) -> bool:
    """Whether a name would break lines or terminals."""
    return not text.isprintable() and any(
        unicodedata.category(character) in _CONTROL_CATEGORIES for character in text
    )


def no_parser(suffix: str) -> str:
    """Why a file of a format that nothing parses is not read."""
    advice = f": {_ADVICE[suffix]}" if suffix in _ADVICE else ""
    return f"no parser for {suffix or 'suffixless'} files{advice}"


def too_large(size: int, limit: int, *, what: str = "file") -> str:
    """Why a file, a message or a text of this size is not read."""
    return f"the {what} has {size:,} bytes, more than the {limit:,} allowed; raise max_file_bytes"


def too_long(limit: int) -> PermanentSourceError:
    """The error for content over the limit, where nobody told its size before."""
    return PermanentSourceError(f"longer than the {limit:,} bytes allowed; raise max_file_bytes")


def outside(source_uri: str) -> PermanentSourceError:
    """The error for an item that does not belong to the source."""
    return PermanentSourceError(f"not within {source_uri}: add it by itself")


def incomplete(
    what: str, problems: Sequence[str], *, worth_waiting: bool = False
) -> TransientSourceError:
    """The error after a listing that lacks parts.

    Args:
        what: the parts and what befell them, such as `folders could not be listed`.
        problems: what is known of each.
        worth_waiting: whether seconds may make it work.
    """
    return TransientSourceError(
        f"{len(problems)} {what}, so nothing is taken as deleted: "
        + "; ".join(problems[:_SHOWN_PROBLEMS]),
        worth_waiting=worth_waiting,
    )
