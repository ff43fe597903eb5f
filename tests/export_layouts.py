"""Writers of small exports in the layouts that the platforms give them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Layout = dict[str, str]
"""File contents by path."""


def write(folder: Path, layout: Mapping[str, str]) -> Path:
    """As an unpacked folder."""
    for name, content in layout.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def pack(path: Path, layout: Mapping[str, str | bytes]) -> Path:
    """As the ZIP that is downloaded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in layout.items():
            archive.writestr(
                zipfile.ZipInfo(name, (2026, 3, 9, 8, 0, 0)), content, zipfile.ZIP_DEFLATED
            )
    return path


# --- Slack ---


def slack_message(ts: str, user: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": user, "ts": ts, "text": text, "team": "T01TEAM", **more}


def slack() -> Layout:
    """A public channel with a thread over two days, a private channel and a direct message."""
    users = [
        _slack_user("U1", "ana", "Ana Silva", "ana@example.com"),
        _slack_user("U2", "bob", "Bob", "bob@example.com"),
        {**_slack_user("U3", "gone", "", ""), "deleted": True},
    ]
    first = [
        slack_message("1772356320.000100", "U1", "Which port does the &lt;gateway&gt; use, <@U2>?"),
        {
            "type": "message",
            "subtype": "channel_join",
            "user": "U2",
            "ts": "1772356400.000000",
            "text": "<@U2> has joined the channel",
        },
        slack_message(
            "1772356500.000000",
            "U2",
            "See <https://example.com/ports|the list> and "
            "<#C2|>; <!here> ask <mailto:ana@example.com|ana@example.com>",
            edited={"user": "U2", "ts": "1772356600.000000"},
        ),
        slack_message(
            "1772357000.000000",
            "U1",
            "The lamp is broken",
            reply_count=2,
            thread_ts="1772357000.000000",
        ),
        {
            "type": "message",
            "subtype": "bot_message",
            "bot_id": "B1",
            "username": "Deploys",
            "ts": "1772358000.000000",
            "text": "",
            "attachments": [
                {
                    "title": "Build 7",
                    "title_link": "https://ci.example.com/7",
                    "text": "passed",
                    "fallback": "Build 7 passed",
                }
            ],
        },
        {"type": "message", "subtype": "from_the_future", "ts": None, "text": "no author"},
        "not even an object",
    ]
    second = [
        slack_message(
            "1772442720.000000",
            "U2",
            "Use the spare bulb",
            thread_ts="1772357000.000000",
            parent_user_id="U1",
        ),
        slack_message(
            "1772442800.000000",
            "U3",
            "",
            files=[
                {"name": "bulb.txt", "title": "bulb.txt", "filetype": "text", "preview": "E27, 8 W"}
            ],
        ),
        slack_message(
            "1772442900.000000",
            "U9",
            "",
            blocks=[
                {
                    "type": "rich_text",
                    "elements": [
                        {
                            "type": "rich_text_section",
                            "elements": [
                                {"type": "text", "text": "thanks "},
                                {"type": "user", "user_id": "U1"},
                            ],
                        }
                    ],
                }
            ],
        ),
    ]
    return {
        "users.json": json.dumps(users),
        "channels.json": json.dumps([
            {"id": "C1", "name": "general", "members": ["U1", "U2"]},
            {"id": "C2", "name": "ports", "members": ["U1"]},
        ]),
        "groups.json": json.dumps([{"id": "G1", "name": "secret", "members": ["U1", "U3"]}]),
        "dms.json": json.dumps([{"id": "D1", "members": ["U1", "U2"]}]),
        "mpims.json": "[]",
        "integration_logs.json": "[]",
        "general/2026-03-01.json": json.dumps(first),
        "general/2026-03-02.json": json.dumps(second),
        "secret/2026-03-02.json": json.dumps([slack_message("1772442000.0", "U1", "The surprise")]),
        "D1/2026-03-03.json": json.dumps([slack_message("1772530000.0", "U2", "Just us")]),
    }  # fmt: skip


def _slack_user(identity: str, name: str, real: str, email: str) -> dict[str, Any]:
    return {
        "id": identity,
        "team_id": "T01TEAM",
        "name": name,
        "real_name": real,
        "profile": {"display_name": "", "real_name": real, "email": email},
    }


# --- Discord ---


def discord_package(*, as_csv: bool = False) -> Layout:
    """Discord's own data package: what one person wrote."""
    rows = [
        {"ID": 1001, "Timestamp": "2026-03-01 09:12:00", "Contents": "Hello, guild",
         "Attachments": ""},
        {"ID": 1002, "Timestamp": "2026-03-02 23:30:00", "Contents": "",
         "Attachments": "https://cdn.example.com/1/plan.pdf?ex=1"},
    ]  # fmt: skip
    table = io.StringIO()
    writer = csv.DictWriter(table, ["ID", "Timestamp", "Contents", "Attachments"])
    writer.writeheader()
    writer.writerows(rows)
    file = "messages.csv" if as_csv else "messages.json"
    return {
        "README.txt": "Welcome",
        "account/user.json": json.dumps({"id": "7", "username": "ana", "global_name": "Ana"}),
        "messages/index.json": json.dumps({"11": "general in Garden", "12": "Direct Message"}),
        "messages/c11/channel.json": json.dumps(
            {"id": "11", "type": 0, "name": "general", "guild": {"id": "5", "name": "Garden"}}
        ),
        f"messages/c11/{file}": table.getvalue() if as_csv else json.dumps(rows),
        "messages/c12/channel.json": json.dumps(
            {"id": "12", "type": "DM", "recipients": ["7", "8"]}
        ),
        f"messages/c12/{file}": table.getvalue() if as_csv else json.dumps(rows[:1]),
    }


def discord_exporter() -> Layout:
    """The JSON of DiscordChatExporter, one channel in two overlapping parts."""
    messages = [
        _discord_message("2001", "ana", "Who waters the <:rose:99> today, <@8>?", "09:12"),
        _discord_message("2002", "bob", "I do", "09:15", type="Reply",
                         reference={"messageId": "2001", "channelId": "21", "guildId": "5"},
                         timestampEdited="2026-03-01T09:16:00+00:00"),
        _discord_message("2003", "bob", "Pinned a message.", "09:20", type="ChannelPinnedMessage"),
        _discord_message("2004", "ana", "", "09:30",
                         attachments=[{"id": "1", "fileName": "rose.png", "url": "x"}]),
    ]  # fmt: skip

    def part(chosen: list[dict[str, Any]]) -> str:
        return json.dumps({
            "guild": {"id": "5", "name": "Garden"},
            "channel": {"id": "123456789012345678", "type": "GuildTextChat", "name": "roses"},
            "dateRange": {"after": None, "before": None},
            "messages": chosen,
            "messageCount": len(chosen),
        })  # fmt: skip

    stem = "Garden - Text - roses [123456789012345678]"
    return {
        f"{stem} [part 1].json": part(messages[:2]),
        f"{stem} [part 2].json": part(messages[1:]),
    }


def _discord_message(
    identity: str, author: str, content: str, time: str, **more: Any
) -> dict[str, Any]:
    people = {"ana": ("7", "Ana S."), "bob": ("8", None)}
    number, nickname = people[author]
    return {
        "id": identity,
        "type": "Default",
        "timestamp": f"2026-03-01T{time}:00.000+00:00",
        "timestampEdited": None,
        "content": content,
        "author": {"id": number, "name": author, "nickname": nickname, "isBot": False},
        "attachments": [],
        "embeds": [],
        "mentions": [{"id": "8", "name": "bob", "nickname": None}],
        **more,
    }


# --- ChatGPT ---


def gpt_message(role: str, text: str | dict[str, Any], time: object, **more: Any) -> dict[str, Any]:
    content = text if isinstance(text, dict) else {"content_type": "text", "parts": [text]}
    return {
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": time,
        "content": content,
        "recipient": "all",
        "metadata": {},
        **more,
    }


def gpt_conversation(
    identity: str, title: str, messages: list[dict[str, Any]], *, time: float = 1772356320.5
) -> dict[str, Any]:
    """A conversation whose tree is one branch below an empty root."""
    nodes: dict[str, Any] = {
        "root": {"id": "root", "message": None, "parent": None, "children": ["n0"]}
    }
    for number, message in enumerate(messages):
        nodes[f"n{number}"] = {
            "id": f"n{number}",
            "message": {"id": f"{identity}-m{number}", **message},
            "parent": f"n{number - 1}" if number else "root",
            "children": [f"n{number + 1}"] if number + 1 < len(messages) else [],
        }
    return {
        "title": title,
        "create_time": time,
        "update_time": time + 60,
        "mapping": nodes,
        "current_node": f"n{len(messages) - 1}",
        "conversation_id": identity,
        "id": identity,
    }


def gpt_conversations() -> list[dict[str, Any]]:
    """Newest first: one on roses with an abandoned branch, one with every kind of content."""
    roses = gpt_conversation("aaaa-1", "Pruning roses", [
        gpt_message("system", "", None),
        gpt_message("user", "When do I prune roses?", 1772443000.5),
        gpt_message("assistant", "# Season\n\nIn late winter.\ue200cite\ue202turn0search1\ue201",
                    1772443005.25),
    ], time=1772443000.0)  # fmt: skip
    roses["mapping"]["n1"]["children"].append("old")
    roses["mapping"]["old"] = {
        "id": "old", "parent": "n1", "children": [],
        "message": {"id": "old", **gpt_message("assistant", "An abandoned answer", 1772443003.0)},
    }  # fmt: skip
    kinds = gpt_conversation("bbbb-2", "Plot", [
        gpt_message("user", {"content_type": "multimodal_text", "parts": [
            {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"},
            "Plot this"]}, 1772356320.5,
            metadata={"attachments": [{"id": "f", "name": "data.csv"}]}),
        gpt_message("assistant", {"content_type": "code", "language": "unknown",
                                  "text": "print(1)"}, 1772356330.0, recipient="python"),
        gpt_message("tool", {"content_type": "execution_output", "text": "1"}, 1772356331.0),
        gpt_message("assistant", {"content_type": "thoughts", "thoughts": []}, 1772356332.0),
        gpt_message("assistant", {"content_type": "text", "parts": [json.dumps(
            {"name": "Poem", "type": "document", "content": "Violets"})]}, 1772356333.0,
            recipient="canmore.create_textdoc"),
        gpt_message("assistant", "Done: the plot shows one.", None),
    ])  # fmt: skip
    return [roses, kinds]


def chatgpt(conversations: list[dict[str, Any]] | None = None) -> Layout:
    chosen = gpt_conversations() if conversations is None else conversations
    return {
        "chat.html": "<html></html>",
        "user.json": json.dumps({"id": "user-1", "email": "ana@example.com"}),
        "message_feedback.json": "[]",
        "conversations.json": json.dumps(chosen),
    }


# --- Claude ---


def claude() -> Layout:
    conversations = [
        {
            "uuid": "c-1",
            "name": "Watering plan",
            "created_at": "2026-03-01T09:12:00.123456Z",
            "updated_at": "2026-03-01T09:13:00.000000Z",
            "account": {"uuid": "acc-1"},
            "chat_messages": [
                {"uuid": "m1", "sender": "human", "text": "Summarise my notes",
                 "content": [{"type": "text", "text": "Summarise my notes"}],
                 "created_at": "2026-03-01T09:12:00.123456Z",
                 "attachments": [{"file_name": "notes.txt", "file_type": "txt",
                                  "extracted_content": "Water the ferns on Mondays."}],
                 "files": [{"file_name": "notes.txt"}, {"file_name": "fern.png"}]},
                {"uuid": "m2", "sender": "assistant", "text": "You water on Mondays.",
                 "content": [{"type": "thinking", "thinking": "secret thought"},
                             {"type": "text", "text": "You water on Mondays."},
                             {"type": "tool_use", "name": "artifacts", "input": {
                                 "title": "Plan", "type": "text/markdown", "content": "Monday"}}],
                 "created_at": "2026-03-01T09:12:30Z", "attachments": [], "files": []},
            ],
        },
        {"uuid": "c-2", "name": "", "chat_messages": [
            {"uuid": "m3", "sender": "human", "text": "Only text here", "created_at": None}]},
        {"uuid": "c-3", "name": "Empty", "chat_messages": []},
    ]  # fmt: skip
    return {
        "conversations.json": json.dumps(conversations),
        "projects.json": "[]",
        "users.json": json.dumps([{"uuid": "acc-1", "full_name": "Ana Silva"}]),
    }


# --- notes ---


def obsidian() -> Layout:
    """A vault with everything that the format has."""
    lamp = (
        "---\n"
        "title: The Lamp\n"
        "aliases: [light, 'old lamp']\n"
        "tags: [home/light, todo]\n"
        "bought: 2024-05-06\n"
        "price: 19.5\n"
        "maker:\n  name: Luxo\n"
        'related: "[[Garden]]"\n'
        "---\n"
        "# Lamp\n\n"
        "See [[Garden|the garden]] and [[Deep Note#Roots|roots]], #buy/soon. ^lamp1\n\n"
        "![[photo.png]] ![[Garden]] [map](Garden.md#Map) [site](https://example.com) "
        "[[Nowhere]]\n\n"
        "`[[not a link]]` and `#nottag`\n\n"
        "```\n[[code]] #nocode\n```\n"
        "%% hidden comment %%\n"
    )
    canvas = {
        "nodes": [
            {"id": "1", "type": "text", "text": "Plan the [[Garden]]", "x": 0, "y": 0},
            {"id": "2", "type": "file", "file": "Lamp.md"},
            {"id": "3", "type": "link", "url": "https://example.com/plan"},
            {"id": "4", "type": "group", "label": "Spring"},
        ],
        "edges": [{"id": "e", "fromNode": "1", "toNode": "2", "label": "needs"}],
    }
    return {
        ".obsidian/app.json": "{}",
        ".trash/old.md": "deleted",
        "Lamp.md": lamp,
        "Garden.md": "## Map\n\nThe garden has a lamp.\n",
        "a/b/Deep Note.md": "# Deep\n\nLinks to [[../../Lamp]] and [[a/Other]].\n",
        "a/Other.md": "---\nbroken: [unclosed\n---\nText stays.\n",
        "Plan.canvas": json.dumps(canvas),
        "Templates/Daily.md": "{{date}}",
        "photo.png": "not parsed",
        "report.csv": "a,b\n1,2\n",
    }


NOTION_ID = "0123456789abcdef0123456789abcdef"


def notion() -> Layout:
    """Pages, a sub-page and a database with its rows, as Markdown and CSV."""
    wiki, task, base = NOTION_ID, "1" * 32, "2" * 32
    return {
        f"Wiki {wiki}.md": (
            "# Wiki\n\n"
            f"[Tasks](Wiki%20{wiki}/Tasks%20{base}.csv) and "
            f"[Fix lamp](Wiki%20{wiki}/Tasks%20{base}/Fix%20lamp%20{task}.md)\n"
        ),
        f"Wiki {wiki}/Tasks {base}.csv": "Name,Status\nFix lamp,Open\n",
        f"Wiki {wiki}/Tasks {base}_all.csv": "Name,Status\nFix lamp,Open\nOld,Done\n",
        f"Wiki {wiki}/Tasks {base}/Fix lamp {task}.md": (
            "# Fix lamp\n\nStatus: Open\nDue: March 9, 2026\n\nReplace the bulb.\n"
        ),
    }
