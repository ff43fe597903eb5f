"""Reading what an IMAP server answers: lists, fetched messages, refusals. No connection here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ragmem.errors import TransientSourceError

Reply = Sequence[bytes | tuple[bytes, bytes] | None]
"""What imaplib returns: lines, and pairs of a line's beginning and the literal after it."""

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_RECEIVED = re.compile(rb'\bINTERNALDATE "([^"]{1,40})"')
_QUOTED_BODY = re.compile(rb'\bBODY\[\] "((?:[^"\\]|\\.)*)"')
_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?:NIL|"(?:\\.|[^"])*") (?P<name>.*)', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)")
_CODE = re.compile(r"\[([A-Z-]+)[^\]]*\]")
_BACKOFF = re.compile(r"backoff time: (\d+) milliseconds", re.IGNORECASE)
_BUSY = re.compile(
    r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|OVERQUOTA)\]|throttl|too many|try again|temporar|"
    r"rate limit",
    re.IGNORECASE,
)
_MEANINGS = {
    "AUTHENTICATIONFAILED": "check the user and the password",
    "AUTHORIZATIONFAILED": "the account may not do this",
    "EXPIRED": "the password or token has expired; get a new one",
    "PRIVACYREQUIRED": "the server wants encryption; use imaps://",
    "CONTACTADMIN": "ask the server's administrator",
    "WEBALERT": "sign in to the account's web page once",
    "NONEXISTENT": "there is no such folder",
    "NOPERM": "the account may not read this folder",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMessage:
    """A message as the server sent it, and when the server received it."""

    content: bytes
    received: datetime | None


def refusal(action: str, answer: object, *, advice: str = "") -> TransientSourceError:
    """The error for a command that the server refused, telling whether waiting helps.

    None of it is about one message, so that none is permanent.
    """
    text = _readable(answer)
    code = _CODE.search(text)
    backoff = _BACKOFF.search(text)
    meaning = _MEANINGS.get(code[1], "") if code else ""
    hint = meaning or advice
    return TransientSourceError(
        f"the IMAP server refused {action}: {text}" + (f"; {hint}" if hint else ""),
        retry_after_seconds=int(backoff[1]) / 1000 if backoff else None,
        worth_waiting=_BUSY.search(text) is not None,
    )


def _readable(answer: object) -> str:
    line = answer[-1] if isinstance(answer, list) and answer else answer
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else str(line)
    return " ".join(re.sub(r"[^\x20-\x7e\u00a0-\uffff]", " ", text).split())[:300]


def numbers(reply: Reply) -> list[int]:
    """The numbers of a SEARCH reply."""
    lines = (line for line in reply if isinstance(line, bytes))
    return [int(word) for line in lines for word in line.split() if word.isdigit()]


def sizes(reply: Reply) -> dict[int, int]:
    """The sizes of messages by UID."""
    found: dict[int, int] = {}
    for line, _ in _responses(reply):
        uid, size = _UID.search(line), _SIZE.search(line)
        if uid and size:
            found[int(uid[1])] = int(size[1])
    return found


def messages(reply: Reply) -> dict[int, FetchedMessage]:
    """The messages of a FETCH reply by UID; what came along unasked is passed over."""
    found: dict[int, FetchedMessage] = {}
    for line, literal in _responses(reply):
        uid, quoted = _UID.search(line), _QUOTED_BODY.search(line)
        content = _ESCAPED.sub(rb"\1", quoted[1]) if quoted else literal
        if uid and content is not None and b"BODY[]" in line:
            found[int(uid[1])] = FetchedMessage(content=content, received=_received(line))
    return found


def _responses(reply: Reply) -> Iterator[tuple[bytes, bytes | None]]:
    """Each FETCH response without its literal, and the literal."""
    pending: tuple[bytes, bytes] | None = None
    for piece in reply:
        if isinstance(piece, tuple):
            # A second literal of one response would follow its beginning; only one is asked for.
            pending = (pending[0] + piece[0], pending[1]) if pending else piece
        elif isinstance(piece, bytes):
            # What the server tells after the literal counts as well.
            yield (pending[0] + b" " + piece, pending[1]) if pending else (piece, None)
            pending = None


def _received(line: bytes) -> datetime | None:
    match = _RECEIVED.search(line)
    if match is None:
        return None
    try:
        moment = parsedate_to_datetime(
            match[1].decode("ascii", "replace").strip().replace("-", " ", 2)
        )
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def folder_names(reply: Reply) -> list[str]:
    """The folders of a LIST reply that can be opened, as the server writes them."""
    found: list[str] = []
    for piece in reply:
        line = b"" if piece is None else piece[0] if isinstance(piece, tuple) else piece
        match = _LISTED.match(line)
        if match is None:
            continue
        flags = match["flags"].lower().split()
        if b"\\noselect" in flags or b"\\nonexistent" in flags:
            continue
        name = piece[1] if isinstance(piece, tuple) else match["name"].strip()
        if not isinstance(piece, tuple) and name[:1] == b'"':
            name = _ESCAPED.sub(rb"\1", name[1:-1])
        found.append(name.decode("utf-8", "replace"))
    return found
