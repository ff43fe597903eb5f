"""Checks what callers and connectors say about documents, before anything is stored."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ragmem.errors import UsageError
from ragmem.types import EVERYONE, PUBLIC, Metadata, MetadataValue

_LARGEST_INTEGER = 2**63 - 1
_PRINCIPAL = re.compile(r"(?:user|group|agent|session):\S.*", re.DOTALL)


def check_acl(principals: Iterable[str]) -> frozenset[str]:
    """An access list as it is stored.

    Args:
        principals: such as `user:ana` or `group:staff`; `everyone` opens to the whole tenant.

    Raises:
        UsageError: a principal is written in another way; it would never admit anyone.
    """
    if isinstance(principals, str):
        raise UsageError(f"the access list is the string {principals!r}; give a list of principals")
    named = frozenset(principals)
    if EVERYONE in named:
        return PUBLIC
    for principal in sorted(named, key=str):
        if not isinstance(principal, str) or not _PRINCIPAL.fullmatch(check_text(principal)):
            raise UsageError(
                f"{principal!r} is no principal; write user:NAME, group:NAME, agent:NAME, "
                f"session:NAME or {EVERYONE}"
            )
    return named


def check_metadata(metadata: Metadata) -> Metadata:
    """Metadata as they are stored: lists of strings as tuples.

    Raises:
        UsageError: a value is none that a filter could compare and every database could hold.
    """
    return {check_text(key): _checked_value(key, value) for key, value in metadata.items()}


def check_text(text: str) -> str:
    """A text that every database can hold.

    Raises:
        UsageError: it is none, or holds NUL or half a surrogate pair.
    """
    if not isinstance(text, str):
        raise UsageError(f"{str(text)[:80]!r} is no text but {type(text).__name__}")
    if "\0" in text or not _is_unicode(text):
        raise UsageError(f"{text[:80]!r} holds NUL or a lone surrogate, which cannot be stored")
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()  # far quicker than looking for surrogates
    except UnicodeEncodeError:
        return False
    return True


def _checked_value(key: str, value: object) -> MetadataValue:
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) <= _LARGEST_INTEGER):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, tuple | list) and all(isinstance(each, str) for each in value):
        return tuple(check_text(each) for each in value)
    shown = "a huge number" if isinstance(value, int) else repr(value)[:80]
    raise UsageError(
        f"the metadata field {key!r} is {shown} ({type(value).__name__}); expected a string, a "
        "finite number, true or false, or strings (write times as ISO 8601)"
    )
