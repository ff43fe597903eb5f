"""Claude's data export: `conversations.json` beside `users.json` and `projects.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from ragmem.types import Utterance

from .chats_values import UNKNOWN_TIME, Chat, ChatOptions, fenced
from .json_values import as_dict, as_dicts, as_line, as_text, as_time, digest, joined

_PLATFORM = "Claude"
_UNSUPPORTED = "This block is not supported on your current device yet."


def claude_chat(raw: dict[str, object], options: ChatOptions, users: Mapping[str, str]) -> Chat:
    """One element of `conversations.json`.

    Args:
        users: full names by account, from `users.json`.
    """
    title = as_line(raw.get("name")) or "Untitled"
    identity = as_line(raw.get("uuid")) or digest(title, as_text(raw.get("created_at")))
    account = as_text(as_dict(raw.get("account")).get("uuid"))
    owner = options.owner or users.get(account) or "User"
    return Chat(
        uri=f"claude:{quote(identity, safe='')}",
        platform="claude",
        title=title,
        conversation_id=identity,
        utterances=tuple(_utterances(raw, owner)),
        order="turns",
    )


def _utterances(raw: dict[str, object], owner: str) -> Iterator[Utterance]:
    last = as_time(raw.get("created_at")) or UNKNOWN_TIME
    asked: str | None = None
    seen: set[str] = set()
    for number, message in enumerate(as_dicts(raw.get("chat_messages"))):
        identity = as_line(message.get("uuid")) or str(number)
        text = _text(message)
        if not text or identity in seen:
            continue
        seen.add(identity)
        last = as_time(message.get("created_at")) or last
        by_user = message.get("sender") != "assistant"
        yield Utterance(
            id=identity,
            actor=owner if by_user else _PLATFORM,
            text=text,
            at=last,
            reply_to=None if by_user else asked,
        )
        asked = identity if by_user else asked


def _text(message: dict[str, object]) -> str:
    said = joined(_blocks(message)) or as_text(message.get("text"))
    attached = [_attachment(each) for each in as_dicts(message.get("attachments"))]
    named = {as_line(each.get("file_name")) for each in as_dicts(message.get("attachments"))}
    files = [
        f"[file: {name}]"
        for each in as_dicts(message.get("files"))
        if (name := as_line(each.get("file_name"))) and name not in named
    ]
    return joined([said, *attached, *files])


def _blocks(message: dict[str, object]) -> Iterator[str]:
    """What was said and what was made; thoughts and the results of tools are left out."""
    for block in as_dicts(message.get("content")):
        if block.get("type") == "text":
            yield as_text(block.get("text")).replace(_UNSUPPORTED, "")
        elif block.get("type") == "tool_use" and block.get("name") == "artifacts":
            made = as_dict(block.get("input"))
            content, kind = as_text(made.get("content")), as_text(made.get("type"))
            if content:
                shown = content if kind == "text/markdown" else fenced(content, _language(made))
                yield joined([f"Artifact: {as_line(made.get('title'))}", shown])


def _language(made: dict[str, object]) -> str:
    return as_text(made.get("language"))


def _attachment(raw: dict[str, object]) -> str:
    name = as_line(raw.get("file_name")) or "pasted text"
    content = as_text(raw.get("extracted_content"))
    return joined([f"[file: {name}]", fenced(content) if content.strip() else ""])
