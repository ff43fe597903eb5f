"""Folder names of mailboxes as people read them and as servers write them (modified UTF-7)."""

from __future__ import annotations

import base64
import binascii
import re

_ENCODED = re.compile(r"&([A-Za-z0-9+,]*)-")
_BEYOND_ASCII = re.compile(r"[^\x20-\x7e]+|&")


def decoded_folder(name: str) -> str:
    """A folder's name as people read it; what is not encoded properly stays as it is."""

    def letters(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        padded = match[1].replace(",", "/") + "=" * (-len(match[1]) % 4)
        try:
            return base64.b64decode(padded).decode("utf-16-be")
        except (binascii.Error, UnicodeDecodeError):
            return match[0]

    return _ENCODED.sub(letters, name)


def encoded_folder(name: str) -> str:
    """A folder's name as IMAP writes it (RFC 3501, section 5.1.3)."""

    def code(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        coded = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
        return f"&{coded.replace('/', ',')}-"

    return _BEYOND_ASCII.sub(code, name)
