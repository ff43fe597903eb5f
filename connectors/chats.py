"""Data exports of chats: Slack, Discord, ChatGPT and Claude, as downloaded.

Documents and episodes from an export's conversations; how these are read is in `chats_reader`.
"""

from __future__ import annotations

import itertools
import pickle
import tempfile
from collections.abc import Iterator
from datetime import UTC, tzinfo
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from ragmem.errors import (
    PermanentSourceError,
    TransientSourceError,
    UsageError,
)
from ragmem.types import Conversation, RawDocument, SkippedItem, SourceItem

from .chats_reader import ChatExport, is_export
from .chats_render import documents, fingerprint
from .chats_values import ChatOptions
from .export_folder import place_of
from .json_values import digest

_MEBIBYTE = 1024 * 1024
Found = tuple[SourceItem, RawDocument | str]
"""An item, and its document or why it has none."""


class ChatExportConnector:
    """Reads the conversations of an export: a folder, or the ZIP as it was downloaded.

    ChatGPT's and Claude's conversations are a document each; Slack's and Discord's channels are one
    a day. A document's URI comes from the platform's own ids, so a newer export updates it.
    """

    schemes: ClassVar[frozenset[str]] = frozenset(
        {"chats", "slack", "discord", "chatgpt", "claude"}
    )

    def __init__(
        self,
        location: str | Path,
        *,
        kind: Literal["auto", "slack", "discord", "chatgpt", "claude"] = "auto",
        name: str = "",
        owner: str = "",
        time_zone: str = "UTC",
        restrict_private: bool = False,
        members_as: Literal["email", "name"] = "email",
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> None:
        """Find the export.

        Args:
            location: a path, perhaps after the platform's scheme: `slack:~/Downloads/export.zip`.
            kind: the platform; `auto` goes by the scheme, or else by the files.
            name: names the source whatever its path, so that the next export, under another file
                name, takes its place and what is no longer in it is deleted.
            owner: what the account's owner is called, where the export tells nothing better than
                "User".
            time_zone: what times are shown in and Discord's days are counted in.
            restrict_private: give private channels and direct messages (Slack, Discord) an access
                list of their members, `user:…`; else nothing is said about who may see them.
            members_as: what names Slack's members there; a member without it is left out, and a
                conversation without any is visible to `group:slack-CHANNEL` only.
            max_file_bytes: the largest file read at once, and the longest conversation in a
                `conversations.json`, which itself may be of any length.

        Raises:
            UnknownSource: nothing is there.
            UsageError: there is no such time zone.
        """
        self._path, scheme = place_of(location, self.schemes)
        self._name = name
        stem = self._path.stem if self._path.is_file() else self._path.name
        self._export = ChatExport(
            path=self._path,
            kind=scheme if kind == "auto" and scheme not in ("", "chats") else kind,
            options=ChatOptions(
                zone=_zone(time_zone),
                owner=owner,
                restrict_private=restrict_private,
                members_as=members_as,
                max_file_bytes=max_file_bytes,
                name=name or stem,
            ),
        )
        self._last: Found | None = None
        self._search: Iterator[Found] = iter(())

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether a folder or a ZIP is an export by the names of its files."""
        return is_export(Path(location).expanduser())

    @property
    def source_uri(self) -> str:
        """The name that was given, or else the export's path."""
        if self._name:
            return f"chats:{quote(self._name, safe='')}"
        return self._path.as_uri().replace("file:", "chats:", 1)

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the conversations in the export's order; all of it is read for that.

        Raises:
            SourceError: the export cannot be read to its end.
        """
        self.close()
        for found in _found(self._export):
            self._last = found
            yield found[0]

    def fetch(self, item: SourceItem) -> RawDocument:
        """The document listed last, or another one by reading the export again.

        Raises:
            PermanentSourceError: the conversation is broken.
            TransientSourceError: it is not in the export any more.
        """
        found = self._last
        if found is None or found[0].uri != item.uri:
            # Items are mostly asked for in their order: go on from the one before.
            again = itertools.chain(self._search, self._restarted())
            found = next((each for each in again if each[0].uri == item.uri), None)
        if found is None:
            raise TransientSourceError("no longer in the export", worth_waiting=False)
        if isinstance(found[1], str):
            raise PermanentSourceError(found[1])
        return found[1]

    def _restarted(self) -> Iterator[Found]:
        self._search = _found(self._export)
        yield from self._search

    def close(self) -> None:
        """Let go of the export."""
        self._last = None
        self._search = iter(())

    def conversations(self) -> Iterator[Conversation]:
        """The conversations, each whole, oldest first.

        Raises:
            SourceError: some cannot be read (raised after all that can be).
        """
        broken: list[str] = []
        places = []
        # Exports begin with the newest: they wait on disk, not in memory.
        with tempfile.TemporaryFile() as spool:
            for chat in self._export.chats():
                if chat.problem:
                    broken.append(f"{chat.uri}: {chat.problem}")
                if chat.utterances:
                    places.append((min(each.at for each in chat.utterances), spool.tell()))
                    conversation = Conversation(
                        id=chat.uri, title=chat.title, utterances=chat.utterances
                    )
                    pickle.dump(conversation, spool)
            for _, place in sorted(places):
                spool.seek(place)
                yield pickle.load(spool)
        if broken:
            raise PermanentSourceError("; ".join(broken[:5]))


def _found(export: ChatExport) -> Iterator[Found]:
    seen: set[str] = set()
    for chat in export.chats():
        if chat.problem and chat.uri not in seen:
            seen.add(chat.uri)
            yield SourceItem(uri=chat.uri, fingerprint=digest(chat.problem)), chat.problem
            continue
        for raw in documents(chat, export.options.zone):
            if raw.uri not in seen:
                seen.add(raw.uri)
                yield SourceItem(uri=raw.uri, fingerprint=fingerprint(raw)), raw


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise UsageError(
            f"no time zone is called {name!r}; expected one such as Europe/Madrid"
        ) from error
