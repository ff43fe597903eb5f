"""ChatGPT's data export: `conversations.json`, or several of it numbered from 000.

A conversation is a tree; what is read is the branch that its reader last saw.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

from ragmem.types import Utterance

from .chats_values import UNKNOWN_TIME, Chat, ChatOptions, fenced
from .json_values import as_dict, as_dicts, as_line, as_list, as_text, as_time, digest, joined

_PLATFORM = "ChatGPT"
# Marks of citations that mean nothing outside the application.
_MARKS = re.compile("\ue200[^\ue200\ue201]*\ue201|[\ue200-\ue2ff]|【[^【】\n]{1,60}†[^【】\n]*】")
# What only the model reads: its thoughts, and the settings of the account.
_UNSHOWN = frozenset(
    {
        "thoughts",
        "reasoning_recap",
        "user_editable_context",
        "model_editable_context",
        "tether_browsing_display",
        "system_error",
        "app_pairing_content",
    }
)


def chatgpt_chat(raw: dict[str, object], options: ChatOptions) -> Chat:
    """One element of `conversations.json`."""
    title = as_line(raw.get("title")) or "New chat"
    identity = as_line(raw.get("conversation_id")) or as_line(raw.get("id"))
    identity = identity or digest(title, as_text(raw.get("create_time")))
    return Chat(
        uri=f"chatgpt:{quote(identity, safe='')}",
        platform="chatgpt",
        title=title,
        conversation_id=identity,
        utterances=tuple(_utterances(raw, options)),
        order="turns",
    )


def _utterances(raw: dict[str, object], options: ChatOptions) -> Iterator[Utterance]:
    last = as_time(raw.get("create_time")) or UNKNOWN_TIME
    asked: str | None = None
    seen: set[str] = set()
    for node_id, message in _branch(raw):
        role = as_dict(message.get("author")).get("role")
        if role not in ("user", "assistant"):
            continue
        if not (text := _text(message)):
            continue
        identity = as_line(message.get("id")) or node_id
        if identity in seen:
            continue
        seen.add(identity)
        last = as_time(message.get("create_time")) or last
        by_user = role == "user"
        yield Utterance(
            id=identity,
            actor=(options.owner or "User") if by_user else _PLATFORM,
            text=text,
            at=last,
            reply_to=None if by_user else asked,
        )
        asked = identity if by_user else asked


def _branch(raw: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
    """The messages from the root to the current node, each with its node's id."""
    nodes = as_dict(raw.get("mapping"))
    at = as_text(raw.get("current_node"))
    if at not in nodes:
        at = _newest_leaf(nodes)
    branch: list[tuple[str, dict[str, object]]] = []
    passed: set[str] = set()
    while at in nodes and at not in passed:
        passed.add(at)
        node = as_dict(nodes[at])
        branch.append((at, as_dict(node.get("message"))))
        at = as_text(node.get("parent"))
    return branch[::-1]


def _newest_leaf(nodes: dict[str, object]) -> str:
    def time(node_id: str) -> float:
        created = as_time(as_dict(as_dict(nodes[node_id]).get("message")).get("create_time"))
        return (created or UNKNOWN_TIME).timestamp()

    leaves = [key for key, node in nodes.items() if not as_list(as_dict(node).get("children"))]
    return max(leaves, key=time, default="")


def _text(message: dict[str, object]) -> str:
    content = as_dict(message.get("content"))
    kind = as_text(content.get("content_type"))
    metadata = as_dict(message.get("metadata"))
    if kind in _UNSHOWN or metadata.get("is_visually_hidden_from_conversation") is True:
        return ""
    recipient = as_text(message.get("recipient")) or "all"
    if recipient.startswith("canmore."):
        return _canvas(joined([as_text(content.get("text")), *_parts(content)]))
    if kind == "code" and recipient in ("all", "python"):
        return fenced(as_text(content.get("text")), _language(content))
    if recipient != "all":
        return ""
    text = as_text(content.get("text"))
    if kind == "execution_output":
        text = fenced(text) if text else ""
    files = [
        f"[file: {as_line(each.get('name'))}]" for each in as_dicts(metadata.get("attachments"))
    ]
    return joined([_MARKS.sub("", joined([text, *_parts(content)])), *files])


def _language(content: dict[str, object]) -> str:
    language = as_text(content.get("language"))
    return "python" if language in ("", "unknown") else language


def _parts(content: dict[str, object]) -> Iterator[str]:
    for part in as_list(content.get("parts")):
        if not isinstance(part, dict):
            yield as_text(part)
        elif part.get("content_type") == "image_asset_pointer":
            yield "[image]"
        else:
            # Transcriptions of what was spoken, and kinds to come.
            yield as_text(part.get("text"))


def _canvas(call: str) -> str:
    """What was written into a canvas, where a message creates one."""
    try:
        made = as_dict(json.loads(call))
    except (ValueError, RecursionError):
        return ""
    written = as_text(made.get("content"))
    kind, slash, language = as_text(made.get("type")).partition("/")
    shown = fenced(written, language) if slash and kind == "code" else written
    return joined([f"Canvas: {as_line(made.get('name'))}", shown]) if written else ""
