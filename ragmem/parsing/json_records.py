"""JSON and JSON Lines, written as indented `key: value` lines that read as text.

Every key and value is kept, numbers as they are written; brackets and quotation marks are not.
Notebooks become Markdown with fenced code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ragmem.errors import ParseError
from ragmem.types import ParsedDocument

from .assembly import fence
from .encoding import decode_text
from .limits import Limits

_INDENT = "  "


class _Number(str):
    """A number as it is written, so that neither digits nor precision are lost."""

    __slots__ = ()


_DECODER = json.JSONDecoder(
    parse_float=_Number, parse_int=_Number, parse_constant=_Number, strict=False
)


def parse_json(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse a JSON document; a top-level list becomes one paragraph a record.

    Raises:
        ParseError: it is not JSON, or nested too deeply.
    """
    text, warnings = decode_text(content)
    try:
        value = _DECODER.decode(text.strip())
        if isinstance(value, dict) and isinstance(value.get("cells"), list) and "nbformat" in value:
            return _notebook(value)
        records = value if isinstance(value, list) else [value]
        body = "\n\n".join("\n".join(_lines(record)) for record in records)
    except json.JSONDecodeError as error:
        if len(records := text.strip().splitlines()) > 1 and _is_record(records[0]):
            return parse_jsonl(content, limits=limits)
        raise ParseError(f"not valid JSON: {error}; repair it, or name it .txt") from error
    except RecursionError as error:
        raise ParseError("the JSON is nested too deeply to be read") from error
    limits.check_characters(len(body))
    return ParsedDocument(
        text=body, text_format="plain", media_type="application/json", warnings=warnings
    )


def parse_jsonl(content: bytes, *, limits: Limits) -> ParsedDocument:
    """Parse JSON Lines, one paragraph a record; lines that are not JSON are kept as they are.

    Raises:
        ParseError: no line is JSON.
    """
    text, warnings = decode_text(content)
    paragraphs: list[str] = []
    broken: list[int] = []
    characters = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            paragraph = "\n".join(_lines(_DECODER.decode(line.strip())))
        except (json.JSONDecodeError, RecursionError):
            broken.append(number)
            paragraph = line.strip()
        characters += len(paragraph)
        limits.check_characters(characters)
        paragraphs.append(paragraph)
    if broken and len(broken) == len(paragraphs):
        raise ParseError("no line is valid JSON; JSON Lines has one JSON value a line")
    if broken:
        named = ", ".join(map(str, broken[:5])) + (", ..." if len(broken) > 5 else "")
        warnings = (*warnings, f"{len(broken):,} lines are not JSON, kept as they are: {named}")
    return ParsedDocument(
        text="\n\n".join(paragraphs),
        text_format="plain",
        media_type="application/x-ndjson",
        warnings=warnings,
    )


def _is_record(line: str) -> bool:
    try:
        return isinstance(_DECODER.decode(line.strip()), dict | list)
    except (json.JSONDecodeError, RecursionError):
        return False


def _lines(value: object, indent: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _entry(f"{indent}{key}:", inner, indent)
    elif isinstance(value, list):
        for inner in value:
            first, *rest = list(_lines(inner)) or [""]
            yield f"{indent}- {first}".rstrip()
            yield from (f"{indent}{_INDENT}{line}" for line in rest)
    else:
        yield indent + _scalar(value)


def _entry(label: str, value: object, indent: str) -> Iterator[str]:
    """A labelled value: on the label's line when it is short, below it when it has parts."""
    if isinstance(value, list) and value and not any(isinstance(v, dict | list) for v in value):
        joined = ", ".join(map(_scalar, value))
        if len(joined) <= 200 and "\n" not in joined:
            yield f"{label} {joined}"
            return
    if isinstance(value, dict | list) and value:
        yield label
        yield from _lines(value, indent + _INDENT)
        return
    first, *rest = ("" if isinstance(value, dict | list) else _scalar(value)).split("\n")
    yield f"{label} {first}".rstrip()
    for line in rest:
        yield f"{indent}{_INDENT}{line}"


def _scalar(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _notebook(value: dict[str, object]) -> ParsedDocument:
    metadata = value.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = str(kernel.get("language", "")) if isinstance(kernel, dict) else ""
    blocks: list[str] = []
    cells = value["cells"]
    for cell in cells if isinstance(cells, list) else []:
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", "")
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if text.strip():
            code = cell.get("cell_type") == "code"
            blocks.append(fence(text, language) if code else text.strip())
    return ParsedDocument(
        text="\n\n".join(blocks),
        text_format="markdown",
        media_type="application/x-ipynb+json",
        warnings=("the outputs of the notebook's cells were left out",),
    )
