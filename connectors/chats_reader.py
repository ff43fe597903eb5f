"""Reads the conversations of an export, whichever platform it is of.

Which one that is, is told by the names of its files; the platforms' own formats are in
`chats_slack`, `chats_discord`, `chats_chatgpt` and `chats_claude`.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from ragmem.errors import PermanentSourceError, SourceError

from .chats_chatgpt import chatgpt_chat
from .chats_claude import claude_chat
from .chats_discord import is_discord, read_discord
from .chats_json import BrokenJson, JsonReader
from .chats_slack import is_slack, read_slack
from .chats_values import Chat, ChatOptions
from .export_folder import Export, is_hidden, open_export, unwrapped_names
from .json_values import as_dicts, as_line, as_text

_CONVERSATIONS = re.compile(r"^(.*/)?conversations(-\d+)?\.json$")
_CHATGPT_FILES = frozenset({"chat.html", "message_feedback.json", "user.json"})
_CLAUDE_FILES = frozenset({"projects.json", "users.json"})
_GLANCE_FILES = 20_000
_GLANCE_FOLDERS = 60
_GLANCE_BYTES = 1 << 16

Platform = Literal["slack", "discord", "chatgpt", "claude"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatExport:
    """An export.

    Attributes:
        path: a folder, a ZIP or a single file.
        kind: the platform; `auto` where the files tell.
    """

    path: Path
    kind: str
    options: ChatOptions

    def chats(self) -> Iterator[Chat]:
        """The conversations in the export's order.

        Raises:
            SourceError: it cannot be read to its end.
        """
        with open_export(self.path) as export:
            match self._platform_of(export):
                case "slack":
                    yield from read_slack(export, self.options)
                case "discord":
                    yield from read_discord(export, self.options)
                case "chatgpt":
                    for raw in self._conversations(export):
                        yield chatgpt_chat(raw, self.options)
                case "claude":
                    users = self._claude_users(export)
                    for raw in self._conversations(export):
                        yield claude_chat(raw, self.options, users)
            export.check_listing()

    def _platform_of(self, export: Export) -> Platform:
        names = set(export.files)
        known = _platform(names) if self.kind == "auto" else self.kind
        files = sorted(name for name in names if name.endswith(".json"))
        for file in files if known is None else ():
            with export.stream(file) as stream:
                known = _platform_by_content(stream.read(_GLANCE_BYTES))
            break
        match known:
            case "slack" | "discord" | "chatgpt" | "claude":
                return known
        raise PermanentSourceError(
            f"{self.path} is no export that ragmem knows: expected one of Slack, Discord, ChatGPT "
            "or Claude, as a folder or a ZIP; say which with kind"
        )

    def _conversations(self, export: Export) -> Iterator[dict[str, object]]:
        names = [name for name in export.files if _CONVERSATIONS.match(name)]
        # A single file may be called anything.
        names = names or (list(export.files) if len(export.files) == 1 else [])
        if not names:
            raise PermanentSourceError(
                f"{self.path} has no conversations.json; download the export again"
            )
        depth = min(name.count("/") for name in names)
        for name in (name for name in names if name.count("/") == depth):
            limit = self.options.max_file_bytes
            try:
                with export.stream(name) as stream:
                    for raw in JsonReader(stream, max_value_characters=limit).elements():
                        if isinstance(raw, dict):
                            yield raw
            except BrokenJson as error:
                raise PermanentSourceError(
                    f"{name} is broken: {error}; download the export again"
                ) from error

    def _claude_users(self, export: Export) -> dict[str, str]:
        name = next((each for each in export.files if PurePosixPath(each).name == "users.json"), "")
        try:
            users = json.loads(export.read(name, max_bytes=self.options.max_file_bytes))
        except (SourceError, ValueError, RecursionError):
            # Without it the owner is "User".
            return {}
        return {
            as_text(each.get("uuid")): as_line(each.get("full_name")) for each in as_dicts(users)
        }


def _platform(names: set[str]) -> Platform | None:
    """The platform that an export is of, where the names of its files leave no doubt."""
    names = unwrapped_names(names)
    if is_slack(names):
        return "slack"
    if is_discord(names):
        return "discord"
    if any(_CONVERSATIONS.match(name) for name in names if "/" not in name):
        if names & _CLAUDE_FILES:
            return "claude"
        if names & _CHATGPT_FILES:
            return "chatgpt"
    return None


def _platform_by_content(start: bytes) -> Platform | None:
    if b'"chat_messages"' in start:
        return "claude"
    if b'"mapping"' in start:
        return "chatgpt"
    return "discord" if b'"guild"' in start and b'"channel"' in start else None


def _glance(path: Path) -> set[str]:
    """The first names in a folder or a ZIP; none for other files."""
    if path.is_file():
        if path.suffix.lower() != ".zip":
            return set()
        with zipfile.ZipFile(path) as archive:
            return {name for name in archive.namelist() if not is_hidden(PurePosixPath(name))}
    if not path.is_dir():
        return set()
    names: set[str] = set()
    folders = [PurePosixPath()]
    for folder in itertools.islice(folders, _GLANCE_FOLDERS):
        with os.scandir(path / folder) as entries:
            for entry in itertools.islice(entries, _GLANCE_FILES - len(names)):
                inner = folder / entry.name
                if is_hidden(inner):
                    continue
                if entry.is_dir(follow_symlinks=False) and len(inner.parts) < 3:
                    folders.append(inner)
                else:
                    names.add(str(inner))
    return names


def is_export(path: Path) -> bool:
    """Whether a folder or a ZIP is an export by the names of its files."""
    try:
        names = _glance(path)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False
    return bool(names) and _platform(names) is not None
