"""What the table of contents of a ZIP archive says about one of its members."""

from __future__ import annotations

import stat
import zipfile
from datetime import UTC, datetime

_ENCRYPTED = 0x1
# What tools write when they do not know.
_NO_YEAR = 1980


def is_encrypted(member: zipfile.ZipInfo) -> bool:
    """Whether a password is needed to read it."""
    return bool(member.flag_bits & _ENCRYPTED)


def is_link(member: zipfile.ZipInfo) -> bool:
    """Whether it is a symbolic link."""
    return stat.S_ISLNK(member.external_attr >> 16)


def modified_at(member: zipfile.ZipInfo) -> datetime | None:
    """When it last changed; archives tell no zone, so it is read as UTC to be the same everywhere.

    None where the archive does not know.
    """
    if member.date_time[0] <= _NO_YEAR:
        return None
    try:
        return datetime(*member.date_time, tzinfo=UTC)
    except ValueError:
        return None
