"""Messages (EML): the headers a reader sees, then the text; attachments are named, not read."""

from __future__ import annotations

import email
import email.errors
import email.policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument

from .assembly import clean_text, literal, one_line
from .encoding import decode_text
from .html_page import parse_tree, render_html

_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def parse_email(content: bytes) -> ParsedDocument:
    """Parse a message.

    Raises:
        ParseError: it has neither sender nor subject nor date, or cannot be read.
    """
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        headers = {name: text for name in _SHOWN if (text := _header(message, name))}
        bodies, warnings = _bodies(message)
    except (email.errors.MessageError, ValueError, LookupError, RecursionError) as error:
        raise ParseError(f"the message cannot be read: {error}") from error
    if not headers.keys() & {"From", "Date", "Subject"}:
        raise ParseError("not a message: it has neither From nor Date nor Subject")
    subject = headers.get("Subject", "")
    heading = [f"# {subject}"] if subject else []
    shown = [f"{name}: {text}" for name, text in headers.items() if name != "Subject"]
    metadata = {"author": headers["From"]} if "From" in headers else {}
    try:
        metadata["created_at"] = parsedate_to_datetime(headers.get("Date", "")).isoformat()
    except ValueError:
        # Dates are free text in old messages: what cannot be read is still shown above.
        metadata.pop("created_at", None)
    return ParsedDocument(
        text="\n\n".join([*heading, "\n".join(shown), *bodies]),
        text_format="markdown",
        title=subject,
        media_type="message/rfc822",
        metadata=metadata,
        warnings=tuple(warnings),
    )


def _header(message: EmailMessage, name: str) -> str:
    return one_line(clean_text(str(message.get(name, ""))))


def _bodies(message: EmailMessage) -> tuple[list[str], list[str]]:
    """The texts of a message, of each alternative the plain one, and what was left out."""
    bodies: list[str] = []
    warnings: list[str] = []
    chosen = message.get_body(preferencelist=("plain", "html"))
    twins = {
        id(part)
        for container in message.walk()
        if container.get_content_type() == "multipart/alternative"
        for part in container.walk()
        if part.get_content_maintype() == "text" and part is not chosen
    }
    for part in message.walk():
        if part.is_multipart() or id(part) in twins:
            continue
        readable = part.get_content_type() in ("text/plain", "text/html")
        if not readable or part.get_content_disposition() == "attachment":
            name = one_line(part.get_filename() or part.get_content_type())
            warnings.append(f"attachment {name!r} was not read")
            continue
        text, notes = _text(part)
        warnings += notes
        if text:
            bodies.append(text)
    return bodies, warnings


def _text(part: EmailMessage) -> tuple[str, tuple[str, ...]]:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    text, warnings = decode_text(data, declared=part.get_content_charset())
    if part.get_content_type() == "text/html":
        tree = parse_tree(text)
        return ("" if tree is None else render_html(tree)), warnings
    return literal(clean_text(text)).strip(), warnings
