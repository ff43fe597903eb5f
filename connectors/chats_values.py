"""What every chat export comes down to, and what its texts have in common as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal

from ragmem.types import Utterance

_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})")
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """What the user says about an export.

    Attributes:
        zone: the time zone that times are shown in and days are counted in.
        owner: what the account's owner is called; empty for what the export says.
        restrict_private: whether private conversations get an access list.
        members_as: what names a member in it.
        max_file_bytes: the largest file, and the longest conversation of a long file.
        name: what the export is called where it has no name of its own.
    """

    zone: tzinfo
    owner: str
    restrict_private: bool
    members_as: str
    max_file_bytes: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One conversation as an export tells it.

    Attributes:
        uri: the same in every export.
        conversation_id: of the channel or the conversation, as the platform has it.
        order: as it was said (`flow`); threads after all that was said outside them (`threads`);
            each question with its answers, under a heading (`turns`).
        acl: who may see it; None where nothing is said.
        problem: why it cannot be read; empty when it can.
    """

    uri: str
    platform: str
    title: str
    conversation_id: str
    utterances: tuple[Utterance, ...] = ()
    channel: str = ""
    order: Literal["flow", "threads", "turns"] = "flow"
    acl: frozenset[str] | None = None
    problem: str = ""


def fenced(text: str, language: str = "") -> str:
    """Text as a code block, whatever it holds."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{re.sub(r'[^A-Za-z0-9+#-]', '', language)}\n{text.rstrip()}\n{fence}"


def beginning(text: str, length: int = 80) -> str:
    """The first line that says something, for a heading."""
    fence = ""
    for line in text.splitlines():
        if mark := _FENCE.match(line):
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
            continue
        words = line.strip().lstrip("#>*-` ").rstrip("*`")
        # Marks of files and images say nothing by themselves.
        if words and not fence and not words.startswith("["):
            return words if len(words) <= length else words[: length - 1].rstrip() + "…"
    return ""
