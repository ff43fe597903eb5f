"""What a Slack message says, as Markdown: mentions, links, blocks, attachments and files resolved.

Where the message stands in its channel is in `chats_slack`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .chats_values import fenced
from .json_values import as_dict, as_dicts, as_line, as_text, joined

NOISE = frozenset(
    {
        "bot_add",
        "bot_remove",
        "channel_archive",
        "channel_join",
        "channel_leave",
        "channel_unarchive",
        "group_archive",
        "group_join",
        "group_leave",
        "group_unarchive",
        "pinned_item",
        "tombstone",
        "unpinned_item",
    }
)
"""Subtypes of messages that nobody wrote, or that were deleted."""

_ANGLED = re.compile(r"<([^<>\n]+)>")
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackNames:
    """What ids stand for.

    Attributes:
        people, channels: names by id.
    """

    people: dict[str, str]
    channels: dict[str, str]

    def author(self, raw: dict[str, object]) -> str:
        """Who wrote a message: a person, a bot, or an id where the export tells no more."""
        user = as_text(raw.get("user"))
        profile = as_dict(raw.get("user_profile"))
        named = (
            self.people.get(user, ""),
            *map(as_line, (profile.get("display_name"), profile.get("real_name"))),
            *map(as_line, (raw.get("username"), as_dict(raw.get("bot_profile")).get("name"))),
            as_line(user),
            as_line(raw.get("bot_id")),
        )
        return next(filter(None, named), "unknown")

    def plain(self, text: str) -> str:
        """Slack's own markup as Markdown."""
        return html.unescape(_ANGLED.sub(self._resolved, text))

    def _resolved(self, match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        match target[:1]:
            case "@":
                return f"@{self.people.get(target[1:]) or label or target[1:]}"
            case "#":
                return f"#{label or self.channels.get(target[1:], target[1:])}"
            case "!":
                # Such as `!here`, `!subteam^S1|@team` and `!date^1392734382^{date}|Feb 18`.
                return label or f"@{target[1:].partition('^')[0]}"
        shown = target.removeprefix("mailto:")
        return f"[{label}]({target})" if label and label not in (shown, target) else shown


def message_text(raw: dict[str, object], names: SlackNames) -> str:
    """All that a message says; empty when that is nothing."""
    said = names.plain(as_text(raw.get("text"))).strip()
    parts = [said or joined(_block_texts(raw.get("blocks"), names))]
    for attachment in as_dicts(raw.get("attachments")):
        part = _attachment(attachment, names)
        # Previews of links repeat what the message says.
        if part and part not in parts[0]:
            parts.append(part)
    parts += [_file(file) for file in as_dicts(raw.get("files"))]
    text = joined(parts)
    return f"{text} (edited)" if text and raw.get("edited") and not text.endswith("```") else text


def _attachment(raw: dict[str, object], names: SlackNames) -> str:
    title, link = as_line(raw.get("title")), as_text(raw.get("title_link"))
    fields = (
        f"{as_line(field.get('title'))}: {names.plain(as_text(field.get('value')))}"
        for field in as_dicts(raw.get("fields"))
    )
    told = joined(
        [
            names.plain(as_text(raw.get("pretext"))),
            f"[{title}]({link})" if title and link else title,
            names.plain(as_text(raw.get("text"))),
            "\n".join(fields),
            *_block_texts(raw.get("blocks"), names),
        ]
    )
    return told or names.plain(as_text(raw.get("fallback")))


def _file(raw: dict[str, object]) -> str:
    name = as_line(raw.get("title")) or as_line(raw.get("name")) or "without a name"
    preview = as_text(raw.get("preview"))
    kind = as_text(raw.get("filetype"))
    return f"[file: {name}]" + (f"\n\n{fenced(preview, kind)}" if preview else "")


def _block_texts(value: object, names: SlackNames, depth: int = 0) -> Iterator[str]:
    """The texts of blocks, one a block."""
    for block in as_dicts(value):
        kind = block.get("type")
        if kind == "rich_text":
            yield "".join(_rich_text(block, names))
        elif depth < _MAX_DEPTH:
            yield names.plain(as_text(as_dict(block.get("text")).get("text")))
            for key in ("fields", "elements"):
                for each in as_dicts(block.get(key)):
                    yield names.plain(as_text(each.get("text")))


def _rich_text(block: dict[str, object], names: SlackNames, depth: int = 0) -> Iterator[str]:
    for element in as_dicts(block.get("elements")):
        kind = element.get("type")
        if kind == "text":
            yield as_text(element.get("text"))
        elif kind == "link":
            yield as_text(element.get("text")) or as_text(element.get("url"))
        elif kind == "user":
            user = as_text(element.get("user_id"))
            yield f"@{names.people.get(user, user)}"
        elif kind == "channel":
            channel = as_text(element.get("channel_id"))
            yield f"#{names.channels.get(channel, channel)}"
        elif kind == "emoji":
            yield f":{as_text(element.get('name'))}:"
        elif kind == "broadcast":
            yield f"@{as_text(element.get('range'))}"
        elif depth < _MAX_DEPTH:
            inner = "".join(_rich_text(element, names, depth + 1))
            yield fenced(inner) + "\n" if kind == "rich_text_preformatted" else inner
            if depth == 0 or kind == "rich_text_section":
                yield "\n"
