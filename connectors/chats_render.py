"""Writes conversations as Markdown documents. Where they come from is the readers' business."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import tzinfo

from ragmem.types import RawDocument, Utterance

from .chats_values import UNKNOWN_TIME, Chat, beginning

# Parts are counted from a conversation's beginning, so that one that goes on changes its last only.
_PART_CHARACTERS = 100_000
_HEADING = re.compile(r"^([ ]{0,3})(#{1,6})(?=[ \t])")
_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})(.*)$")
_MESSAGE_LEVEL = 2

Line = tuple[str, Utterance]


def documents(chat: Chat, zone: tzinfo) -> Iterator[RawDocument]:
    """A conversation as documents: one, or several where it is long."""
    lines = list(_lines(chat, zone))
    part: list[Line] = []
    number, characters = 1, 0
    for line in lines:
        if part and characters + len(line[0]) > _PART_CHARACTERS:
            yield _document(chat, part, number)
            part, characters = [], 0
            number += 1
        part.append(line)
        characters += len(line[0])
    if part:
        yield _document(chat, part, number)


def fingerprint(raw: RawDocument) -> str:
    """Changes with anything in the document."""
    facets = [raw.title, sorted(raw.metadata.items()), None if raw.acl is None else sorted(raw.acl)]
    whole = json.dumps([facets, str(raw.content)])
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()


def _document(chat: Chat, part: list[Line], number: int) -> RawDocument:
    utterances = [utterance for _, utterance in part]
    times = sorted(each.at for each in utterances if each.at != UNKNOWN_TIME)
    title = f"{chat.title} (part {number})" if number > 1 else chat.title
    metadata: dict[str, str | int | tuple[str, ...]] = {
        "platform": chat.platform,
        "conversation_id": chat.conversation_id,
        "participants": tuple(dict.fromkeys(each.actor for each in utterances)),
        "messages": len(utterances),
    }
    if chat.channel:
        metadata["channel"] = chat.channel
    if times:
        metadata |= {"started_at": times[0].isoformat(), "ended_at": times[-1].isoformat()}
    body = "\n\n".join(text for text, _ in part)
    return RawDocument(
        uri=f"{chat.uri}/{number}" if number > 1 else chat.uri,
        name="conversation.md",
        content=f"# {title}\n\n{body}\n",
        title=title,
        modified_at=times[-1] if times else None,
        metadata=metadata,
        acl=chat.acl,
    )


def _lines(chat: Chat, zone: tzinfo) -> Iterator[Line]:
    """Each utterance as text, in the chat's order."""
    by_id = {each.id: each for each in chat.utterances}
    if chat.order == "flow":
        yield from ((_said(each, by_id, zone), each) for each in chat.utterances)
        return
    threads: dict[str, list[Utterance]] = {}
    for each in chat.utterances:
        root = each.reply_to if each.reply_to in by_id else None
        threads.setdefault(root or each.id, []).append(each)
    in_order = list(threads.values())
    if chat.order == "threads":
        # What follows a heading would seem to belong to its thread.
        in_order.sort(key=lambda thread: len(thread) > 1)
    for thread in in_order:
        has_heading = chat.order == "turns" or len(thread) > 1
        heading = beginning(thread[0].text) if has_heading else ""
        for number, each in enumerate(thread):
            said = _said(each, {}, zone)
            yield (f"## {heading}\n\n{said}" if heading and not number else said), each


def _said(utterance: Utterance, by_id: dict[str, Utterance], zone: tzinfo) -> str:
    at = utterance.at
    when = "" if at == UNKNOWN_TIME else f" ({at.astimezone(zone):%Y-%m-%d %H:%M})"
    answered = by_id.get(utterance.reply_to or "")
    to = f", in reply to {answered.actor}" if answered and answered is not utterance else ""
    return f"**{utterance.actor}**{when}{to}:\n\n{_contained(utterance.text)}"


def _contained(text: str) -> str:
    """A message whose headings and code blocks end with it."""
    lines, fence = [], ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
        elif not fence:
            line = _HEADING.sub(_lowered, line)
        lines.append(line)
    return "\n".join([*lines, fence] if fence else lines)


def _lowered(match: re.Match[str]) -> str:
    return match[1] + "#" * min(6, len(match[2]) + _MESSAGE_LEVEL)
