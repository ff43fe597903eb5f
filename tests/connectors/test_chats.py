"""Exports of chats: what is told, what stays the same in the next export, what is broken."""

import json
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from export_layouts import (
    Layout,
    chatgpt,
    claude,
    discord_exporter,
    discord_package,
    gpt_conversation,
    gpt_conversations,
    gpt_message,
    pack,
    slack,
    slack_message,
    write,
)

from connectors.chats import ChatExportConnector
from ragmem.errors import PermanentSourceError, SourceError, UnknownSource, UsageError
from ragmem.ports import Closes, HoldsConversations
from ragmem.types import RawDocument, SourceItem

LAYOUTS: dict[str, Callable[[], Layout]] = {
    "slack": slack,
    "discord": discord_package,
    "discord-csv": lambda: discord_package(as_csv=True),
    "discord-exporter": discord_exporter,
    "chatgpt": chatgpt,
    "claude": claude,
}


def listed(connector: ChatExportConnector) -> dict[str, SourceItem]:
    found = list(connector.discover())
    assert all(isinstance(item, SourceItem) for item in found)
    return {item.uri: item for item in found if isinstance(item, SourceItem)}


def fetched(connector: ChatExportConnector) -> dict[str, RawDocument]:
    return {uri: connector.fetch(item) for uri, item in listed(connector).items()}


def texts(connector: ChatExportConnector) -> dict[str, str]:
    return {uri: str(raw.content) for uri, raw in fetched(connector).items()}


@pytest.fixture
def slack_zip(tmp_path: Path) -> Path:
    return pack(tmp_path / "Team Slack export Mar 1 2026.zip", slack())


# --- every platform ---


@pytest.mark.parametrize("name", LAYOUTS)
def test_folder_and_zip_are_recognized_and_read_alike(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]()
    folder = write(tmp_path / "folder", layout)
    archive = pack(tmp_path / "export.zip", layout)
    wrapped = pack(tmp_path / "wrapped.zip", {f"data/{key}": text for key, text in layout.items()})
    assert all(ChatExportConnector.recognizes(str(path)) for path in (folder, archive, wrapped))
    documents = fetched(ChatExportConnector(archive))
    assert documents == fetched(ChatExportConnector(folder))
    assert documents == fetched(ChatExportConnector(wrapped))
    scheme = name.partition("-")[0]
    assert documents == fetched(ChatExportConnector(f"{scheme}:{archive}"))
    assert all(uri.startswith(f"{scheme}:") for uri in documents)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_fetched_while_listing_is_what_is_fetched_afterwards(
    name: str, tmp_path: Path
) -> None:
    connector = ChatExportConnector(pack(tmp_path / "export.zip", LAYOUTS[name]()))
    in_turns = [
        connector.fetch(item) for item in connector.discover() if isinstance(item, SourceItem)
    ]
    items = list(listed(connector).values())
    backwards = [connector.fetch(item) for item in reversed(items)]
    assert in_turns == backwards[::-1] == [connector.fetch(item) for item in items]


@pytest.mark.parametrize("name", LAYOUTS)
def test_conversations_are_whole_and_the_oldest_comes_first(name: str, tmp_path: Path) -> None:
    connector = ChatExportConnector(pack(tmp_path / "export.zip", LAYOUTS[name]()))
    assert isinstance(connector, HoldsConversations)
    assert isinstance(connector, Closes)
    conversations = list(connector.conversations())
    begins = [min(each.at for each in found.utterances) for found in conversations]
    assert all(before <= after for before, after in pairwise(begins))
    assert {found.id for found in conversations} == set(listed(connector))
    for conversation in conversations:
        ids = [each.id for each in conversation.utterances]
        assert len(set(ids)) == len(ids)
        assert all(each.at.tzinfo and each.text for each in conversation.utterances)


@pytest.mark.parametrize(
    "names",
    [
        ["a.md", "channels.json", "2026-03-01.json"],
        ["conversations.json"],
        ["old/chatgpt/conversations.json", "old/chatgpt/user.json", "book.pdf"],
        ["users.json", "data.json"],
    ],
)
def test_other_folders_are_not_taken_for_exports(names: list[str], tmp_path: Path) -> None:
    folder = write(tmp_path / "docs", dict.fromkeys(names, "[]"))
    assert not ChatExportConnector.recognizes(str(folder))
    assert not ChatExportConnector.recognizes(str(tmp_path / "missing"))
    assert not ChatExportConnector.recognizes("slack:nothing")


def test_what_is_no_export_says_what_is_expected(tmp_path: Path) -> None:
    folder = write(tmp_path / "docs", {"a.txt": "x"})
    with pytest.raises(PermanentSourceError, match="expected one of Slack, Discord"):
        list(ChatExportConnector(folder).discover())
    for scheme, reason in (
        ("slack", "expected folders with a file a day"),
        ("discord", "expected Discord's data package"),
        ("chatgpt", "download the export again"),
    ):
        with pytest.raises(PermanentSourceError, match=reason):
            list(
                ChatExportConnector(
                    f"{scheme}:{write(tmp_path / 'two', {'a': '', 'b': ''})}"
                ).discover()
            )
    with pytest.raises(UnknownSource, match="no such file"):
        ChatExportConnector(f"slack:{tmp_path}/none.zip")
    with pytest.raises(UsageError, match="expected one such as Europe/Madrid"):
        ChatExportConnector(folder, time_zone="Mars/Base")


def test_a_name_stands_for_the_source_under_any_path(tmp_path: Path) -> None:
    first = ChatExportConnector(pack(tmp_path / "a b.zip", chatgpt()), name="my chats")
    second = ChatExportConnector(pack(tmp_path / "c.zip", chatgpt()), name="my chats")
    assert first.source_uri == second.source_uri == "chats:my%20chats"
    unnamed = ChatExportConnector(tmp_path / "a b.zip")
    assert ChatExportConnector(unnamed.source_uri).source_uri == unnamed.source_uri


# --- Slack ---


def test_a_slack_day_reads_as_it_was_said(slack_zip: Path) -> None:
    document = fetched(ChatExportConnector(slack_zip))["slack:T01TEAM/C1/2026-03-01"]
    text = str(document.content)
    assert text.startswith("# #general, 2026-03-01\n\n**Ana Silva** (2026-03-01 09:12):\n\n")
    for expected in (
        "Which port does the <gateway> use, @Bob?",
        "See [the list](https://example.com/ports) and #ports; @here ask ana@example.com (edited)",
        "**Deploys** (2026-03-01 09:40):\n\n[Build 7](https://ci.example.com/7)\n\npassed",
        "**unknown** (2026-03-01 09:40):\n\nno author",
    ):
        assert expected in text
    assert "has joined" not in text
    assert document.title == "#general, 2026-03-01"
    assert document.acl is None
    assert document.metadata == {
        "platform": "slack",
        "conversation_id": "C1",
        "participants": ("Ana Silva", "Bob", "Deploys", "unknown"),
        "messages": 6,
        "channel": "general",
        "started_at": "2026-03-01T09:12:00.000100+00:00",
        "ended_at": "2026-03-02T09:12:00+00:00",
    }


def test_a_thread_stands_whole_where_it_began(slack_zip: Path) -> None:
    days = texts(ChatExportConnector(slack_zip))
    thread = days["slack:T01TEAM/C1/2026-03-01"].partition("## The lamp is broken\n\n")[2]
    assert thread == (
        "**Ana Silva** (2026-03-01 09:23):\n\nThe lamp is broken\n\n"
        "**Bob** (2026-03-02 09:12):\n\nUse the spare bulb\n"
    )
    second = days["slack:T01TEAM/C1/2026-03-02"]
    assert "spare bulb" not in second
    assert "**gone** (2026-03-02 09:13):\n\n[file: bulb.txt]\n\n```text\nE27, 8 W\n```" in second
    assert "**U9** (2026-03-02 09:15):\n\nthanks @Ana Silva" in second


def test_direct_messages_are_called_by_their_members(slack_zip: Path) -> None:
    document = fetched(ChatExportConnector(slack_zip))["slack:T01TEAM/D1/2026-03-03"]
    assert document.title == "Direct message: Ana Silva, Bob, 2026-03-03"


def test_private_conversations_are_for_their_members(slack_zip: Path, tmp_path: Path) -> None:
    acl = {
        uri.split("/", 1)[1]: raw.acl
        for uri, raw in fetched(ChatExportConnector(slack_zip, restrict_private=True)).items()
    }
    assert acl["C1/2026-03-01"] is None
    assert acl["D1/2026-03-03"] == frozenset({"user:ana@example.com", "user:bob@example.com"})
    assert acl["G1/2026-03-02"] == frozenset({"user:ana@example.com"}), (
        "who has no address is left out"
    )
    named = ChatExportConnector(slack_zip, restrict_private=True, members_as="name")
    assert fetched(named)["slack:T01TEAM/G1/2026-03-02"].acl == frozenset({"user:ana", "user:gone"})
    layout = slack() | {"groups.json": "[]"}
    unknown = ChatExportConnector(pack(tmp_path / "b.zip", layout), restrict_private=True)
    assert fetched(unknown)["slack:T01TEAM/secret/2026-03-02"].acl == frozenset(
        {"group:slack-secret"}
    )


def test_a_broken_slack_day_fails_alone(tmp_path: Path) -> None:
    layout = slack() | {"general/2026-03-02.json": '[{"type": "message", "text": "cut'}
    connector = ChatExportConnector(write(tmp_path / "export", layout))
    items = listed(connector)
    assert len(items) == 4
    with pytest.raises(PermanentSourceError, match=r"general/2026-03-02.json is broken"):
        connector.fetch(items["slack:T01TEAM/C1/2026-03-02"])
    assert "gateway" in str(connector.fetch(items["slack:T01TEAM/C1/2026-03-01"]).content)
    with pytest.raises(PermanentSourceError, match="2026-03-02"):
        list(connector.conversations())


def test_without_the_list_of_people_nothing_is_changed_for_the_worse(tmp_path: Path) -> None:
    connector = ChatExportConnector(
        write(tmp_path / "export", slack() | {"users.json": "{broken"}), kind="slack"
    )
    with pytest.raises(PermanentSourceError, match=r"users.json cannot be read"):
        list(connector.discover())


def test_a_newer_slack_export_only_changes_what_went_on(slack_zip: Path, tmp_path: Path) -> None:
    before = listed(ChatExportConnector(slack_zip))
    layout = slack()
    layout["general/2026-03-09.json"] = json.dumps(
        [
            slack_message("1773050000.0", "U1", "A new day"),
            slack_message("1773050001.0", "U2", "It glows", thread_ts="1772357000.000000"),
        ]
    )
    after = listed(ChatExportConnector(write(tmp_path / "newer", layout)))
    assert set(after) - set(before) == {"slack:T01TEAM/C1/2026-03-09"}
    changed = {uri for uri in before if before[uri] != after[uri]}
    assert changed == {"slack:T01TEAM/C1/2026-03-01"}, "the thread that was answered"


# --- Discord ---


@pytest.mark.parametrize("as_csv", [False, True])
def test_the_discord_package(as_csv: bool, tmp_path: Path) -> None:
    archive = pack(tmp_path / "package.zip", discord_package(as_csv=as_csv))
    documents = fetched(ChatExportConnector(archive, restrict_private=True))
    assert str(documents["discord:11/2026-03-01"].content) == (
        "# #general in Garden, 2026-03-01\n\n**Ana** (2026-03-01 09:12):\n\nHello, guild\n"
    )
    assert "[file: plan.pdf]" in str(documents["discord:11/2026-03-02"].content)
    assert documents["discord:11/2026-03-01"].acl is None
    assert documents["discord:12/2026-03-01"].acl == frozenset({"user:7", "user:8", "user:Ana"})
    madrid = ChatExportConnector(archive, time_zone="Europe/Madrid", owner="Me")
    assert "**Me** (2026-03-03 00:30)" in texts(madrid)["discord:11/2026-03-03"]


def test_discord_chat_exporter(tmp_path: Path) -> None:
    ((uri, text),) = texts(ChatExportConnector(write(tmp_path / "e", discord_exporter()))).items()
    assert uri == "discord:123456789012345678/2026-03-01"
    assert text == (
        "# #roses in Garden, 2026-03-01\n\n"
        "**Ana S.** (2026-03-01 09:12):\n\nWho waters the :rose: today, @bob?\n\n"
        "**bob** (2026-03-01 09:15), in reply to Ana S.:\n\nI do (edited)\n\n"
        "**Ana S.** (2026-03-01 09:30):\n\n[file: rose.png]\n"
    )


def test_exports_under_names_of_ones_own(tmp_path: Path) -> None:
    first = next(iter(discord_exporter().values()))
    folder = write(tmp_path / "e", {"roses.json": first, "roses.json_Files/a.json": "{}"})
    assert list(texts(ChatExportConnector(folder, kind="discord"))) == [
        "discord:123456789012345678/2026-03-01"
    ]


def test_a_channel_of_unknown_kind_is_closed(tmp_path: Path) -> None:
    layout = discord_package() | {"messages/c11/channel.json": "{broken"}
    archive = pack(tmp_path / "a.zip", layout)
    document = fetched(ChatExportConnector(archive, restrict_private=True))["discord:11/2026-03-01"]
    assert document.acl == frozenset({"user:Ana"})
    assert document.title == "general in Garden, 2026-03-01"


def test_a_broken_discord_channel_deletes_nothing(tmp_path: Path) -> None:
    layout = discord_package() | {"messages/c11/messages.json": '[{"ID": 1, "Contents": "x"'}
    connector = ChatExportConnector(write(tmp_path / "package", layout))
    items = connector.discover()
    assert next(items).uri == "discord:12/2026-03-01"
    with pytest.raises(PermanentSourceError, match=r"c11/messages.json cannot be read"):
        next(items)


# --- ChatGPT ---


def test_the_branch_that_was_shown_is_read(tmp_path: Path) -> None:
    documents = texts(ChatExportConnector(pack(tmp_path / "a.zip", chatgpt())))
    assert documents["chatgpt:aaaa-1"] == (
        "# Pruning roses\n\n## When do I prune roses?\n\n"
        "**User** (2026-03-02 09:16):\n\nWhen do I prune roses?\n\n"
        "**ChatGPT** (2026-03-02 09:16):\n\n### Season\n\nIn late winter.\n"
    )


def test_kinds_of_content(tmp_path: Path) -> None:
    text = texts(ChatExportConnector(pack(tmp_path / "a.zip", chatgpt()), owner="Ana"))[
        "chatgpt:bbbb-2"
    ]
    assert "## Plot this\n\n**Ana** (2026-03-01 09:12):\n\n[image]\n\nPlot this" in text
    assert "[file: data.csv]" in text
    assert "```python\nprint(1)\n```" in text
    assert "Canvas: Poem\n\nViolets" in text
    assert text.endswith("(2026-03-01 09:12):\n\nDone: the plot shows one.\n")


def test_numbered_files_are_one_export(tmp_path: Path) -> None:
    first, second = gpt_conversations()
    layout = chatgpt()
    del layout["conversations.json"]
    layout |= {
        "conversations-000.json": json.dumps([first]),
        "conversations-001.json": json.dumps([second, first]),
    }
    assert list(texts(ChatExportConnector(pack(tmp_path / "a.zip", layout)))) == [
        "chatgpt:aaaa-1",
        "chatgpt:bbbb-2",
    ]


def test_a_single_file_is_known_by_its_content(tmp_path: Path) -> None:
    for layout, scheme in ((chatgpt(), "chatgpt"), (claude(), "claude")):
        path = tmp_path / f"{scheme}.json"
        path.write_text(layout["conversations.json"])
        assert all(uri.startswith(scheme) for uri in texts(ChatExportConnector(path)))


@pytest.mark.parametrize(
    "harm",
    [
        {"current_node": None},
        {"current_node": "gone"},
        {"mapping": None},
        {"mapping": [1]},
        {"mapping": {"a": {"parent": "b"}, "b": {"parent": "a"}}, "current_node": "a"},
        {"create_time": "soon", "title": None},
        {"create_time": 1e300},
        {"create_time": -5, "conversation_id": 7},
        {"conversation_id": None, "id": None},
    ],
)
def test_harmed_conversations_cost_nothing_but_themselves(
    harm: dict[str, Any], tmp_path: Path
) -> None:
    first, second = gpt_conversations()
    layout = chatgpt([first | harm, second, "text", None, 7])  # type: ignore[list-item]
    documents = texts(ChatExportConnector(pack(tmp_path / "a.zip", layout)))
    assert "Done: the plot" in documents["chatgpt:bbbb-2"]
    assert len(documents) == (1 if "mapping" in harm else 2)


def test_a_list_that_breaks_off_deletes_nothing(tmp_path: Path) -> None:
    layout = chatgpt()
    layout["conversations.json"] = layout["conversations.json"][:-30]
    connector = ChatExportConnector(write(tmp_path / "e", layout))
    items = connector.discover()
    assert next(items).uri == "chatgpt:aaaa-1"
    with pytest.raises(PermanentSourceError, match="download the export again"):
        next(items)


def test_a_longer_conversation_changes_its_last_part_only(tmp_path: Path) -> None:
    messages = [
        gpt_message(role, f"{number} " + "words and more words " * 200, 1772356320.0 + number)
        for number in range(60)
        for role in ("user", "assistant")
    ]
    parts = []
    for count in (len(messages) - 3, len(messages)):
        layout = chatgpt([gpt_conversation("long", "Long talk", messages[:count])])
        parts.append(listed(ChatExportConnector(pack(tmp_path / f"{count}.zip", layout))))
    before, after = parts
    assert list(after) == [
        "chatgpt:long", *(f"chatgpt:long/{n}" for n in range(2, len(after) + 1))
    ]  # fmt: skip
    assert len(after) > 3
    changed = [uri for uri in after if before.get(uri) != after[uri]]
    assert changed == list(after)[-len(changed) :]
    assert len(changed) <= 2
    connector = ChatExportConnector(tmp_path / f"{len(messages)}.zip")
    assert max(len(text) for text in texts(connector).values()) < 110_000


def test_messages_stay_within_their_bounds(tmp_path: Path) -> None:
    messages = [
        gpt_message("user", "# Shout\n```\nopen code # not a heading", 1772356320.0),
        gpt_message("assistant", "lone \ud83d surrogate\0", 1772356321.0),
        gpt_message("user", "after", 1772356322.0),
    ]
    layout = chatgpt([gpt_conversation("x", "Line\nbreak", messages)])
    text = texts(ChatExportConnector(pack(tmp_path / "a.zip", layout)))["chatgpt:x"]
    assert text.startswith("# Line break\n")
    assert "### Shout\n```\nopen code # not a heading\n```\n\n**ChatGPT**" in text
    assert "lone \ufffd surrogate" in text
    assert "\0" not in text


def test_marks_without_an_end_take_no_long_time(tmp_path: Path) -> None:
    messages = [gpt_message("user", "\ue200" * 200_000 + "end", 1772356320.0)]
    layout = chatgpt([gpt_conversation("x", "x", messages)])
    text = texts(ChatExportConnector(pack(tmp_path / "a.zip", layout)))["chatgpt:x"]
    assert text.endswith("\n\nend\n")


# --- Claude ---


def test_claude_conversations(tmp_path: Path) -> None:
    documents = fetched(ChatExportConnector(pack(tmp_path / "data.zip", claude())))
    assert set(documents) == {"claude:c-1", "claude:c-2"}, "an empty one holds nothing"
    text = str(documents["claude:c-1"].content)
    assert "**Ana Silva** (2026-03-01 09:12):\n\nSummarise my notes\n\n[file: notes.txt]" in text
    assert "```\nWater the ferns on Mondays.\n```\n\n[file: fern.png]" in text
    assert "**Claude** (2026-03-01 09:12):\n\nYou water on Mondays." in text
    assert "Artifact: Plan\n\nMonday" in text
    assert "secret thought" not in text
    assert str(documents["claude:c-2"].content) == (
        "# Untitled\n\n## Only text here\n\n**User**:\n\nOnly text here\n"
    )
    assert documents["claude:c-2"].modified_at is None


# --- hostile archives ---


def test_archives_that_lead_out_or_are_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("[]")
    path = pack(tmp_path / "e" / "a.zip", slack() | {"../outside.json": "x", "/abs.json": "x"})
    link = zipfile.ZipInfo("general/2026-03-05.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "../../outside.json")
    assert len(fetched(ChatExportConnector(path))) == 4
    folder = write(tmp_path / "folder", slack())
    (folder / "general" / "2026-03-05.json").symlink_to(tmp_path / "outside.json")
    connector = ChatExportConnector(folder)
    with pytest.raises(PermanentSourceError, match="symbolic link"):
        connector.fetch(listed(connector)["slack:T01TEAM/C1/2026-03-05"])


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = b"[" + b" " * (64 << 20) + b"]"
    path = pack(tmp_path / "a.zip", {**slack(), "general/2026-03-05.json": bomb})
    connector = ChatExportConnector(path)
    with pytest.raises(PermanentSourceError, match="a ZIP bomb"):
        connector.fetch(listed(connector)["slack:T01TEAM/C1/2026-03-05"])


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '[{"a":' + "9" * 5000 + "}]", '{"a": 1}', "", "[1 2]", "[" + '"x' * 9, "\xff"],
)
def test_any_json_fails_with_a_reason(content: str, tmp_path: Path) -> None:
    connector = ChatExportConnector(
        write(tmp_path / "e", slack() | {"general/2026-03-05.json": content})
    )
    with pytest.raises(PermanentSourceError, match="is broken"):
        connector.fetch(listed(connector)["slack:T01TEAM/C1/2026-03-05"])


def test_a_conversation_longer_than_allowed_is_refused(tmp_path: Path) -> None:
    layout = chatgpt([gpt_conversation("x", "x", [gpt_message("user", "word " * 100_000, 1.0)])])
    connector = ChatExportConnector(pack(tmp_path / "a.zip", layout), max_file_bytes=100_000)
    with pytest.raises(PermanentSourceError, match="a value is longer than 100,000"):
        list(connector.discover())


def test_damaged_archives_are_source_errors(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", chatgpt())
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"PK", whole.replace(b"conversations", b"c", 1)):
        path.write_bytes(damaged)
        assert not ChatExportConnector.recognizes(str(path)) or damaged.startswith(b"PK\x03\x04")
        with pytest.raises(SourceError):
            list(ChatExportConnector(path, kind="chatgpt").discover())


JUNK: list[Any] = [
    None, True, -1, 1e400, float("nan"), "", "\0", "\ud800", [], {}, [[]], [None], {"a": None},
    10**30, "<@U1|>", "<|>", "<!>", {"id": ["x"]}, 1e12, "9999-12-31T23:59:59-23:59",
]  # fmt: skip


def harmed(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.06:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        return {key: harmed(each, chance) for key, each in value.items() if chance.random() > 0.03}
    return [harmed(each, chance) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", LAYOUTS)
def test_whatever_the_fields_hold_only_source_errors_arise(name: str, tmp_path: Path) -> None:
    for seed in range(25):
        chance = random.Random(seed)
        layout = {
            path: json.dumps(harmed(json.loads(text), chance)) if path.endswith("json") else text
            for path, text in LAYOUTS[name]().items()
        }
        connector = ChatExportConnector(
            pack(tmp_path / f"{seed}.zip", layout),
            kind=cast(Any, name.partition("-")[0]),
            restrict_private=True,
        )
        with suppress(SourceError):
            for item in connector.discover():
                assert isinstance(item, SourceItem)
                with suppress(SourceError):
                    raw = connector.fetch(item)
                    assert str(raw.content).strip()
                    stored = f"{raw.title}{raw.metadata}{raw.content!s}"
                    assert stored.encode()
                    assert "\0" not in stored
                    assert raw.acl is None or raw.acl
        with suppress(SourceError):
            list(connector.conversations())
