"""What notes say about themselves: YAML front matter, and Logseq's and Notion's properties."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import date

from ragmem.types import MetadataValue

from .storable_text import storable

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)(?:^)(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.S | re.M)
_LOGSEQ = re.compile(r"^(?:- )?([A-Za-z][\w-]*):: *(.*)$")
_NOTION = re.compile(r"^([A-Z][\w /()-]{0,40}): (\S.*)$")
_WIKI = re.compile(r"\[\[([^\[\]|]+)(?:\|([^\[\]]*))?\]\]")
_MAX_FRONT_CHARACTERS = 100_000
_MAX_DEPTH = 4
_MAX_NESTING = 100
_LARGEST_EXACT = 2**53

Properties = dict[str, MetadataValue]


def split_front_matter(markdown: str) -> tuple[Properties, str, bool]:
    """Take the front matter off a note.

    Returns:
        Its fields, the rest of the note, and whether it is broken: then it stays in the text.
    """
    match = _FRONT.match(markdown)
    if match is None or match.end(1) > _MAX_FRONT_CHARACTERS:
        return {}, markdown, False
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        nesting = 0
        for event in yaml.parse(match[1], loader):
            nesting += isinstance(event, yaml.CollectionStartEvent)
            nesting -= isinstance(event, yaml.CollectionEndEvent)
            # Aliases could make a few lines unfold into gigabytes; libyaml's binding builds nested
            # values by recursion, and takes the process with it where that goes too deep.
            if isinstance(event, yaml.AliasEvent) or nesting > _MAX_NESTING:
                return {}, markdown, True
        fields = yaml.load(match[1], loader)
        if fields is not None and not isinstance(fields, dict):
            return {}, markdown, True
        # In here, for numbers may be too long to be written out.
        properties = dict(_flat(fields or {}))
    except (yaml.YAMLError, ValueError, OverflowError):
        return {}, markdown, True
    return properties, markdown[match.end() :], False


def split_logseq(markdown: str) -> tuple[Properties, str]:
    """Take the properties off the head of a Logseq page."""
    properties: Properties = {}
    lines = markdown.splitlines()
    for number, line in enumerate(lines):
        match = _LOGSEQ.match(line)
        if match is None:
            return properties, "\n".join(lines[number:])
        values = [_clean(value) for value in match[2].split(",")]
        is_list = match[1] in ("tags", "alias") or len(values) > 1
        properties[match[1]] = tuple(filter(None, values)) if is_list else values[0]
    return properties, ""


def notion_properties(markdown: str) -> Properties:
    """The lines `Key: value` below a Notion page's title, which stay in its text."""
    head, _, rest = markdown.lstrip().partition("\n\n")
    lines = rest.partition("\n\n")[0].splitlines() if head.startswith("# ") else []
    matches = [_NOTION.match(line) for line in lines]
    # A paragraph that happens to hold a colon is none.
    return {match[1]: _clean(match[2]) for match in matches if match} if all(matches) else {}


def linked(markdown: str) -> Iterator[str]:
    """What the properties in a note's head link to."""
    front = _FRONT.match(markdown)
    yield from (match[1].strip() for match in _WIKI.finditer(front[1] if front else ""))


def names_in(value: MetadataValue | None) -> tuple[str, ...]:
    """A property that may hold one name or several, as several."""
    if value is None:
        return ()
    if isinstance(value, tuple):
        return value
    return tuple(filter(None, re.split(r"[,\s]+", str(value))))


def _flat(
    fields: dict[object, object], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, MetadataValue]]:
    for key, value in fields.items():
        name = prefix + _clean(str(key))
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, (list, set, tuple)):
            yield name, tuple(str(_scalar(each)) for each in value if each is not None)
        elif value is not None:
            yield name, _scalar(value)


def _scalar(value: object) -> str | int | float | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _clean(value)
    return _clean(json.dumps(value, default=str, ensure_ascii=False))


def _clean(text: str) -> str:
    """A text that every store holds, its links readable."""
    readable = _WIKI.sub(lambda match: (match[2] or match[1]).strip(), text)
    return storable(readable).strip()
