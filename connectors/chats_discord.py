"""Discord's data package, and the JSON of DiscordChatExporter. A document is a channel's day."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote

from ragmem.errors import PermanentSourceError
from ragmem.types import Utterance

from .chats_json import BrokenJson, JsonReader
from .chats_values import UNKNOWN_TIME, Chat, ChatOptions
from .export_folder import Export
from .json_values import as_dict, as_dicts, as_line, as_list, as_text, as_time, joined

_PACKAGED = re.compile(r"^(.*/)?c?(\d+)/messages\.(csv|json)$")
_EXPORTED = re.compile(r"\[(\d{17,20})\].*\.json$")
# Numbers as in Discord's API; names as its package and DiscordChatExporter write them.
_PRIVATE_KINDS = frozenset(
    {
        "1",
        "3",
        "12",
        "DM",
        "GROUP_DM",
        "PRIVATE_THREAD",
        "DirectTextChat",
        "DirectGroupTextChat",
        "GuildPrivateThread",
    }
)
_NOISE = frozenset(
    {
        "RecipientAdd",
        "RecipientRemove",
        "Call",
        "ChannelNameChange",
        "ChannelIconChange",
        "ChannelPinnedMessage",
        "GuildMemberJoin",
        "ThreadCreated",
    }
)
_MEDIA_FOLDER = re.compile(r"_Files/")
_EMOJI = re.compile(r"<a?(:\w+:)\d+>")
_MENTION = re.compile(r"<@!?(\d+)>")


@dataclass(slots=True, kw_only=True)
class _Channel:
    id: str
    name: str
    place: str = ""
    is_private: bool = False
    members: set[str] = field(default_factory=set)
    utterances: dict[str, Utterance] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def is_discord(names: set[str]) -> bool:
    """Whether files of these names are a data package or written by DiscordChatExporter."""
    packaged = any(
        match and (match[1] or "").lower() == "messages/" for match in map(_PACKAGED.match, names)
    )
    # Beside the channels there is at most a folder of media for each.
    own = [name for name in names if not _MEDIA_FOLDER.search(name)]
    return packaged or (bool(own) and all(map(_EXPORTED.search, own)))


def read_discord(export: Export, options: ChatOptions) -> Iterator[Chat]:
    """Each channel's days, in the order of the files' names.

    Raises:
        PermanentSourceError: there are none, or some could not be read (raised after all that
            could be).
    """
    problems: list[str] = []
    for channel in _channels(export, options):
        # A part of a channel would look like the whole of its days.
        problems += channel.problems
        yield from () if channel.problems else _days(channel, options)
    if problems:
        raise PermanentSourceError(
            f"{len(problems)} files could not be read, so nothing is taken as deleted: "
            + "; ".join(problems[:5])
        )


def _channels(export: Export, options: ChatOptions) -> Iterator[_Channel]:
    packaged = [match for name in export.files if (match := _PACKAGED.match(name))]
    if packaged:
        names = _channel_names(export, options)
        owner = options.owner or _account_name(export, options)
        for match in packaged:
            yield _packaged(export, match, names, owner, options)
        return
    parts: dict[str, list[str]] = {}
    for name in export.files:
        if name.endswith(".json") and not _MEDIA_FOLDER.search(name):
            match = _EXPORTED.search(name)
            parts.setdefault(match[1] if match else PurePosixPath(name).stem, []).append(name)
    if not parts:
        raise PermanentSourceError(
            "no channels are there; expected Discord's data package, or JSON by DiscordChatExporter"
        )
    for identity, files in parts.items():
        channel = _Channel(id=identity, name=identity)
        for name in files:
            _read_exported(export, name, channel, options)
        yield channel


def _days(channel: _Channel, options: ChatOptions) -> Iterator[Chat]:
    uri = f"discord:{quote(channel.id, safe='')}"
    prefix = "" if channel.is_private else "#"
    where = f"{prefix}{channel.name}" + (f" in {channel.place}" if channel.place else "")
    days: dict[str, list[Utterance]] = {}
    for utterance in sorted(channel.utterances.values(), key=lambda each: (each.at, each.id)):
        days.setdefault(f"{utterance.at.astimezone(options.zone):%Y-%m-%d}", []).append(utterance)
    acl = None
    if options.restrict_private and channel.is_private:
        people = channel.members | {each.actor for each in channel.utterances.values()}
        acl = frozenset(f"user:{name}" for name in people)
    for day, utterances in days.items():
        yield Chat(
            uri=f"{uri}/{day}",
            platform="discord",
            title=f"{where}, {day}",
            conversation_id=channel.id,
            channel=channel.name,
            utterances=tuple(utterances),
            acl=acl,
        )


def _is_private(told: dict[str, object]) -> bool:
    kind = as_text(told.get("type"))
    # What is not known to be open is closed.
    return not kind or kind in _PRIVATE_KINDS


# --- the data package ---


def _packaged(
    export: Export, match: re.Match[str], names: dict[str, str], owner: str, options: ChatOptions
) -> _Channel:
    path, identity = match[0], match[2]
    told = _json_object(export, str(PurePosixPath(path).with_name("channel.json")), options)
    name = as_line(told.get("name")) or names.get(identity) or identity
    place = as_line(as_dict(told.get("guild")).get("name"))
    channel = _Channel(
        id=identity,
        name=name.removesuffix(f" in {place}"),
        place=place,
        is_private=_is_private(told),
        members=set(map(as_line, as_list(told.get("recipients")))) - {""},
    )
    try:
        for raw in _packaged_messages(export, path, options):
            text = joined([as_text(raw.get("Contents")), *_links(raw.get("Attachments"))])
            if text:
                _add(channel, as_text(raw.get("ID")), owner, text, raw.get("Timestamp"))
    except (PermanentSourceError, BrokenJson, csv.Error) as error:
        channel.problems.append(f"{path} cannot be read: {error}")
    return channel


def _packaged_messages(
    export: Export, path: str, options: ChatOptions
) -> Iterator[dict[str, object]]:
    if path.endswith(".csv"):
        table = export.read(path, max_bytes=options.max_file_bytes).decode("utf-8-sig", "replace")
        yield from (dict(row) for row in csv.DictReader(io.StringIO(table, newline="")))
        return
    with export.stream(path) as stream:
        reader = JsonReader(stream, max_value_characters=options.max_file_bytes)
        yield from _objects(reader.elements())


def _objects(values: Iterator[object]) -> Iterator[dict[str, object]]:
    """The objects among values."""
    return (value for value in values if isinstance(value, dict))


def _links(value: object) -> list[str]:
    return [f"[file: {url.rpartition('/')[2].partition('?')[0]}]" for url in as_text(value).split()]


def _channel_names(export: Export, options: ChatOptions) -> dict[str, str]:
    path = next((each for each in export.files if each.lower().endswith("messages/index.json")), "")
    return {key: as_line(name) for key, name in _json_object(export, path, options).items()}


def _account_name(export: Export, options: ChatOptions) -> str:
    path = next((each for each in export.files if each.lower().endswith("account/user.json")), "")
    user = _json_object(export, path, options)
    return as_line(user.get("global_name")) or as_line(user.get("username")) or "User"


def _json_object(export: Export, path: str, options: ChatOptions) -> dict[str, object]:
    """What a small file tells; nothing where it lacks or is broken: it only names things."""
    try:
        return as_dict(json.loads(export.read(path, max_bytes=options.max_file_bytes)))
    except (PermanentSourceError, ValueError, RecursionError):
        return {}


# --- DiscordChatExporter ---


def _read_exported(export: Export, path: str, channel: _Channel, options: ChatOptions) -> None:
    try:
        with export.stream(path) as stream:
            reader = JsonReader(stream, max_value_characters=options.max_file_bytes)
            header = reader.header(until="messages")
            told = as_dict(header.get("channel"))
            channel.id = as_line(told.get("id")) or channel.id
            channel.name = as_line(told.get("name")) or channel.name
            channel.place = as_line(as_dict(header.get("guild")).get("name"))
            channel.is_private = _is_private(told)
            for raw in _objects(reader.elements()):
                _add_exported(channel, raw)
    except (PermanentSourceError, BrokenJson) as error:
        channel.problems.append(f"{path} cannot be read: {error}; export it again")


def _add_exported(channel: _Channel, raw: dict[str, object]) -> None:
    people = {
        as_text(each.get("id")): as_line(each.get("nickname")) or as_line(each.get("name"))
        for each in [as_dict(raw.get("author")), *as_dicts(raw.get("mentions"))]
    }
    content = _EMOJI.sub(r"\1", as_text(raw.get("content")))
    content = _MENTION.sub(lambda match: f"@{people.get(match[1], match[1])}", content)
    files = [
        f"[file: {as_line(each.get('fileName'))}]" for each in as_dicts(raw.get("attachments"))
    ]
    embeds = [
        joined([as_line(each.get("title")), as_text(each.get("description"))])
        for each in as_dicts(raw.get("embeds"))
    ]
    text = joined([content, *embeds, *files])
    if not text or as_text(raw.get("type")) in _NOISE:
        return
    _add(
        channel,
        as_text(raw.get("id")),
        people.get(as_text(as_dict(raw.get("author")).get("id"))) or "unknown",
        f"{text} (edited)" if raw.get("timestampEdited") else text,
        raw.get("timestamp"),
        reply_to=as_text(as_dict(raw.get("reference")).get("messageId")) or None,
    )


def _add(
    channel: _Channel,
    identity: str,
    actor: str,
    text: str,
    time: object,
    reply_to: str | None = None,
) -> None:
    # Parts that were exported one after the other may overlap.
    identity = identity or f"{len(channel.utterances)}"
    channel.utterances[identity] = Utterance(
        id=identity,
        actor=actor,
        text=text,
        at=as_time(time) or UNKNOWN_TIME,
        reply_to=reply_to,
    )
