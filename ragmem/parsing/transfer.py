"""What travels between the parser and its worker processes: frames of JSON and bytes.

Never pickle: a worker that hostile bytes have taken over must not be able to run code where its
answer is read. What it answers is checked as any input is.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal, get_args

from ragmem.types import Metadata, MetadataValue, PageSpan, ParsedDocument, RawDocument, TextFormat

_MAGIC = b"RGM1"
_LENGTHS = struct.Struct(">4sIQ")
_MOST_HEADER_BYTES = 4 * 1024 * 1024
_MOST_MESSAGE_CHARACTERS = 2_000

Failure = Literal["refused", "unforeseen", "memory", "slow", "crashed"]
"""Why there is no document: the bytes, an error of the parser's, too little memory, too little
time, or the end of the process that read it."""


class Malformed(Exception):
    """The other side does not keep to the protocol, or is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker says about one document, or what is to be said of the worker.

    Attributes:
        document: what was read; None when it could not be.
        failure, message: why not.
        spent: whether the worker has read or grown so much that another should follow it.
    """

    document: ParsedDocument | None = None
    failure: Failure | None = None
    message: str = ""
    spent: bool = False


def write_frame(stream: BinaryIO, header: dict[str, object], body: bytes = b"") -> None:
    """Send one frame."""
    head = json.dumps(header).encode("ascii")
    stream.write(_LENGTHS.pack(_MAGIC, len(head), len(body)) + head)
    stream.write(body)
    stream.flush()


def read_frame(stream: BinaryIO, *, most_bytes: int) -> tuple[dict[str, object], bytes] | None:
    """Receive one frame, None when the stream has ended.

    Raises:
        Malformed: it is none, or its body is longer than `most_bytes`.
    """
    lengths = stream.read(_LENGTHS.size)
    if not lengths:
        return None
    if len(lengths) < _LENGTHS.size:
        raise Malformed("the frame is cut off")
    magic, head_bytes, body_bytes = _LENGTHS.unpack(lengths)
    if magic != _MAGIC or head_bytes > _MOST_HEADER_BYTES or body_bytes > most_bytes:
        raise Malformed(f"no frame, or one too long: {lengths!r}")
    head, body = stream.read(head_bytes), stream.read(body_bytes)
    if len(head) < head_bytes or len(body) < body_bytes:
        raise Malformed("the frame is cut off")
    try:
        header = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise Malformed("the header is no object")
    return header, body


def request_of(raw: RawDocument) -> tuple[dict[str, object], bytes]:
    """What a worker needs to know of a document; access lists and the like stay here."""
    text = isinstance(raw.content, str)
    header: dict[str, object] = {"uri": raw.uri, "name": raw.name, "title": raw.title, "text": text}
    if isinstance(raw.content, str):
        return header, raw.content.encode("utf-8", "surrogatepass")
    return header, raw.content


def raw_of(header: dict[str, object], body: bytes) -> RawDocument:
    """The document of a request; only ragmem itself writes requests."""
    title = header["title"]
    return RawDocument(
        uri=str(header["uri"]),
        name=str(header["name"]),
        content=body.decode("utf-8", "surrogatepass") if header["text"] else body,
        title=None if title is None else str(title),
    )


def frame_of(answer: Answer) -> tuple[dict[str, object], bytes]:
    """An answer as a frame's parts."""
    if answer.document is None:
        message = answer.message[:_MOST_MESSAGE_CHARACTERS]
        return {"failure": answer.failure, "message": message, "spent": answer.spent}, b""
    document = answer.document
    header = {
        "text_format": document.text_format,
        "title": document.title,
        "pages": [[page.number, page.start, page.end] for page in document.pages],
        "language": document.language,
        "media_type": document.media_type,
        "metadata": dict(document.metadata),
        "warnings": document.warnings,
        "spent": answer.spent,
    }
    return header, document.text.encode()


def answer_of(header: dict[str, object], body: bytes) -> Answer:
    """The answer in a frame.

    Raises:
        Malformed: it is none.
    """
    spent = bool(header.get("spent"))
    if "failure" in header:
        for failure in get_args(Failure):
            if failure == header["failure"]:
                message = _text(header, "message")[:_MOST_MESSAGE_CHARACTERS]
                return Answer(failure=failure, message=message, spent=spent)
        raise Malformed("an unknown kind of failure")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"the text is not UTF-8: {error}") from error
    document = ParsedDocument(
        text=text,
        text_format=_text_format(header),
        title=_text(header, "title"),
        pages=_pages(header.get("pages"), len(text)),
        language=_text(header, "language"),
        media_type=_text(header, "media_type"),
        metadata=_metadata(header.get("metadata")),
        warnings=_texts(header.get("warnings")),
    )
    return Answer(document=document, spent=spent)


def _text(header: dict[str, object], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} is no text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise Malformed("a list is not one of texts")
    return tuple(value)


def _text_format(header: dict[str, object]) -> TextFormat:
    for text_format in get_args(TextFormat):
        if text_format == header.get("text_format"):
            found: TextFormat = text_format
            return found
    raise Malformed("an unknown text format")


def _pages(value: object, length: int) -> tuple[PageSpan, ...]:
    if not isinstance(value, list):
        raise Malformed("pages are no list")
    pages: list[PageSpan] = []
    position = 0
    for page in value:
        if not isinstance(page, list) or [type(part) for part in page] != [int, int, int]:
            raise Malformed("a page is not three numbers")
        number, start, end = page
        if not position <= start <= end <= length:
            raise Malformed("pages overlap or lie outside the text")
        pages.append(PageSpan(number=number, start=start, end=end))
        position = end
    return tuple(pages)


def _metadata(value: object) -> Metadata:
    if not isinstance(value, dict):
        raise Malformed("metadata is no object")
    metadata: dict[str, MetadataValue] = {}
    for key, entry in value.items():
        if isinstance(entry, str | int | float):
            metadata[key] = entry
        else:
            metadata[key] = _texts(entry)
    return metadata
