"""Slack's workspace export: who and where. What a message says is in `chats_slack_text`.

A document is a channel's day. A thread stands whole on the day it began, late replies included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import quote

from ragmem.errors import PermanentSourceError
from ragmem.types import Utterance

from .chats_json import BrokenJson, JsonReader
from .chats_slack_text import NOISE, SlackNames, message_text
from .chats_values import UNKNOWN_TIME, Chat, ChatOptions
from .export_folder import Export
from .json_values import as_dict, as_dicts, as_line, as_list, as_text, as_time

_DAY = re.compile(r"^(.+)/(\d{4}-\d\d-\d\d)\.json$")
_LISTS = ("channels", "groups", "dms", "mpims")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    id: str
    title: str
    name: str
    is_private: bool
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workspace:
    names: SlackNames
    emails: dict[str, str]
    handles: dict[str, str]
    channels: dict[str, _Channel]
    uri: str


def is_slack(names: set[str]) -> bool:
    """Whether files of these names are a workspace export."""
    listed = "users.json" in names and any(f"{each}.json" in names for each in _LISTS)
    return listed and any(_DAY.match(name) for name in names)


def read_slack(export: Export, options: ChatOptions) -> Iterator[Chat]:
    """Each channel's days, in the order of the folders' names.

    Raises:
        SourceError: there are none, or the lists of people or channels cannot be read.
    """
    workspace = _workspace(export, options)
    folders: dict[str, list[tuple[str, str]]] = {}
    for name in export.files:
        if match := _DAY.match(name):
            folders.setdefault(match[1], []).append((match[2], name))
    if not folders:
        raise PermanentSourceError(
            "no channels are there; expected folders with a file a day, such as 2026-03-01.json"
        )
    for folder, days in folders.items():
        stem = PurePosixPath(folder).name
        unlisted = _Channel(id=stem, title=f"#{stem}", name=stem, is_private=True, members=())
        channel = workspace.channels.get(stem, unlisted)
        yield from _channel_days(export, days, channel, workspace, options)


def _workspace(export: Export, options: ChatOptions) -> _Workspace:
    users = _listed(export, "users", options)
    people: dict[str, str] = {}
    for user in users:
        profile = as_dict(user.get("profile"))
        shown = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"))
        named = next(filter(None, map(as_line, (*shown, user.get("name")))), "")
        people[as_text(user.get("id"))] = named or as_line(user.get("id"))
    kinds = {kind: _listed(export, kind, options) for kind in _LISTS}
    channels = {
        folder: _channel(kind, raw, people)
        for kind, listed in kinds.items()
        for raw in listed
        # Direct messages lie in folders named by their ids.
        for folder in {as_text(raw.get("name")), as_text(raw.get("id"))} - {""}
    }
    team = next((team for user in users if (team := as_text(user.get("team_id")))), options.name)
    return _Workspace(
        names=SlackNames(
            people=people, channels={channel.id: channel.name for channel in channels.values()}
        ),
        emails={
            as_text(user.get("id")): as_line(as_dict(user.get("profile")).get("email"))
            for user in users
        },
        handles={as_text(user.get("id")): as_line(user.get("name")) for user in users},
        channels=channels,
        uri=f"slack:{quote(team, safe='')}",
    )


def _listed(export: Export, name: str, options: ChatOptions) -> list[dict[str, object]]:
    """The objects of one of the lists at the export's root, which may lack."""
    paths = [path for path in export.files if PurePosixPath(path).name == f"{name}.json"]
    if not paths:
        return []
    path = min(paths, key=lambda path: (path.count("/"), path))
    try:
        return as_dicts(json.loads(export.read(path, max_bytes=options.max_file_bytes)))
    except (ValueError, RecursionError) as error:
        # Without it names and access lists would change for the worse.
        raise PermanentSourceError(
            f"{path} cannot be read ({error}); export or download it again"
        ) from error


def _channel(kind: str, raw: dict[str, object], people: dict[str, str]) -> _Channel:
    members = tuple(filter(None, map(as_text, as_list(raw.get("members")))))
    name = as_line(raw.get("name"))
    if kind in ("dms", "mpims"):
        name = ", ".join(people.get(member, member) for member in members) or name
        title = f"Direct message: {name}" if kind == "dms" else f"Group message: {name}"
    else:
        title = f"#{name}"
    return _Channel(
        id=as_line(raw.get("id")) or name,
        title=title,
        name=name,
        is_private=kind != "channels",
        members=members,
    )


def _channel_days(
    export: Export,
    days: list[tuple[str, str]],
    channel: _Channel,
    workspace: _Workspace,
    options: ChatOptions,
) -> Iterator[Chat]:
    said: dict[str, list[Utterance]] = {}
    problems: dict[str, str] = {}
    began: dict[str, str] = {}
    for day, name in days:
        try:
            read = list(_utterances(export, name, day, workspace.names, options))
        except PermanentSourceError as error:
            problems[day] = str(error)
            continue
        for utterance in read:
            home = began.get(utterance.reply_to or "", day)
            began.setdefault(utterance.id, home)
            said.setdefault(home, []).append(utterance)
    acl = _access_list(channel, workspace, options)
    for day in sorted({*said, *problems}):
        yield Chat(
            uri=f"{workspace.uri}/{quote(channel.id, safe='')}/{day}",
            platform="slack",
            title=f"{channel.title}, {day}",
            conversation_id=channel.id,
            channel=channel.name,
            utterances=tuple(sorted(said.get(day, ()), key=lambda each: each.at)),
            order="threads",
            acl=acl,
            problem=problems.get(day, ""),
        )


def _utterances(
    export: Export, name: str, day: str, names: SlackNames, options: ChatOptions
) -> Iterator[Utterance]:
    last = _noon(day)
    try:
        with export.stream(name) as stream:
            reader = JsonReader(stream, max_value_characters=options.max_file_bytes)
            for number, raw in enumerate(reader.elements()):
                if not isinstance(raw, dict) or as_text(raw.get("subtype")) in NOISE:
                    continue
                text = message_text(raw, names)
                last = as_time(raw.get("ts")) or last
                root = as_text(raw.get("thread_ts"))
                identity = as_text(raw.get("ts")) or f"{day}-{number}"
                if text:
                    yield Utterance(
                        id=identity,
                        actor=names.author(raw),
                        text=text,
                        at=last,
                        reply_to=root if root != identity else None,
                    )
    except BrokenJson as error:
        raise PermanentSourceError(f"{name} is broken: {error}; export it again") from error


def _noon(day: str) -> datetime:
    """A time for what has none, on this day in most time zones."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(hours=12)
    except ValueError:
        return UNKNOWN_TIME


def _access_list(
    channel: _Channel, workspace: _Workspace, options: ChatOptions
) -> frozenset[str] | None:
    if not options.restrict_private or not channel.is_private:
        return None
    known = workspace.emails if options.members_as == "email" else workspace.handles
    members = {f"user:{name}" for member in channel.members if (name := known.get(member))}
    # Nobody known must not mean everybody.
    return frozenset(members or {f"group:slack-{channel.id}"})
