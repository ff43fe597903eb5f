"""What a note's Markdown says: links as readable text, and what is linked and tagged on the side.

Code, fenced or inline, stays as it is. Which note a link names is in `notes_links`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
_BLOCK_ID = re.compile(r"(?:^|[ \t]+)\^[A-Za-z0-9-]+[ \t]*$")
_EXTERNAL = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_MEDIA_TARGET = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|bmp|avif|mp3|wav|m4a|ogg|mp4|webm|mov)$")
# Longer lines are no prose; patterns with two ends would be slow on them.
_MAX_LINE_CHARACTERS = 20_000
_INLINE = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`{1,3})(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<embeds>!)?(?<!\#)\[\[(?P<wiki>[^\[\]|]+)(?:\|(?P<alias>[^\[\]]*))?\]\]"
    r"|(?P<image>!)?\[(?P<label>[^\[\]]*)\]\("
    r"(?P<target><[^<>]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:[ ]+\"[^\"]*\")?\)"
    r"|(?P<url>https?://[^\s<>]+)"
    r"|(?<![\w/#&])\#(?:\[\[(?P<phrase>[^\[\]]+)\]\]|(?P<tag>[\w/-]*[^\W\d_][\w/-]*))"
)


@dataclass(slots=True)
class NoteText:
    """A note as it is read.

    Attributes:
        text: without marks that only the application understands.
        targets: what it links to, as written, in order and each once.
        tags: without `#`.
    """

    text: str = ""
    targets: dict[str, None] = field(default_factory=dict)
    tags: dict[str, None] = field(default_factory=dict)


def read_note(markdown: str) -> NoteText:
    """Read a note's Markdown, front matter taken out before."""
    note = NoteText()
    lines: list[str] = []
    fence = ""
    for line in markdown.splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence and len(line) <= _MAX_LINE_CHARACTERS:
            line = _BLOCK_ID.sub("", _INLINE.sub(lambda match: _readable(match, note), line))
        lines.append(line)
    note.text = "\n".join(lines).strip("\n")
    return note


def _readable(match: re.Match[str], note: NoteText) -> str:
    if match["wiki"] is not None:
        return _wiki(match, note)
    if match["target"] is not None:
        target = unquote(match["target"].strip("<>"))
        if not target or _EXTERNAL.match(target):
            return match[0]
        note.targets.setdefault(target)
        return match["label"]
    for tag in filter(None, (match["tag"], match["phrase"])):
        note.tags.setdefault(tag.strip("/"))
    return match["phrase"] or match[0]


def _wiki(match: re.Match[str], note: NoteText) -> str:
    # In tables the bar is escaped.
    target = match["wiki"].rstrip("\\").strip()
    note.targets.setdefault(target)
    if match["embeds"] and _MEDIA_TARGET.search(target.lower()):
        # The alias of an image is its size.
        return ""
    if match["alias"]:
        return match["alias"].strip()
    name, _, place = target.partition("#")
    heading = "" if place.startswith("^") else place.replace("#", " > ")
    return " > ".join(filter(None, (name, heading)))
