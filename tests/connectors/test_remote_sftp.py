"""SFTP against a real SSH server: host keys, logins, links, changes."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sftp_server import PASSWORD, USER, SftpServer, sftp_server

from connectors.remote import RemoteFilesConnector
from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError
from ragmem.types import SkippedItem, SourceItem


@dataclass
class World:
    server: SftpServer
    root: Path
    known_hosts: Path

    def place(self, path: str, user: str = USER) -> str:
        return f"sftp://{user}@127.0.0.1:{self.server.port}/{path}"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    root, known_hosts = tmp_path / "root", tmp_path / ".ssh/known_hosts"
    known_hosts.parent.mkdir()
    for name in ("docs/a.md", "docs/sub/b.txt", "docs-old/z.md", "docs/.hidden/x.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"text of {name}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with sftp_server(root) as server:
        known_hosts.write_text(server.known_hosts)
        yield World(server, root, known_hosts)


def paths(connector: RemoteFilesConnector) -> list[str]:
    return ["/".join(each.uri.split("/")[3:]) for each in connector.discover()]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("docs", ["docs/a.md", "docs/sub/b.txt"]),
        ("docs/a.md", ["docs/a.md"]),
        ("docs/**/*.txt", ["docs/sub/b.txt"]),
        ("~/docs", ["~/docs/a.md", "~/docs/sub/b.txt"]),
    ],
)
def test_what_a_path_names(world: World, path: str, expected: list[str]) -> None:
    connector = RemoteFilesConnector(world.place(path))
    assert paths(connector) == expected
    connector.close()


def test_changes_show_and_are_read(world: World) -> None:
    connector = RemoteFilesConnector(world.place("docs"))
    before = list(connector.discover())
    (world.root / "docs/a.md").write_text("longer than before")
    after = list(connector.discover())
    assert [first == second for first, second in zip(before, after, strict=True)] == [False, True]
    assert isinstance(after[0], SourceItem)
    raw = connector.fetch(after[0])
    assert raw.content == b"longer than before"
    assert raw.modified_at is not None
    connector.close()


def test_threads_read_side_by_side_over_one_connection(world: World) -> None:
    for number in range(40):
        (world.root / f"docs/{number:02}.md").write_text(f"{number}," * 30_000)
    connector = RemoteFilesConnector(world.place("docs/*.md"))
    found = [each for each in connector.discover() if isinstance(each, SourceItem)]
    with ThreadPoolExecutor(connector.parallel_fetches) as threads:
        contents = [raw.content for raw in threads.map(connector.fetch, found)]
    assert contents[:40] == [f"{number},".encode() * 30_000 for number in range(40)]
    assert len(world.server.connections) == 1
    connector.close()
    assert len(paths(connector)) == 41
    assert len(world.server.connections) == 2
    connector.close()


def test_an_unknown_host_is_refused_with_advice(world: World) -> None:
    world.known_hosts.write_text("")
    with pytest.raises(TransientSourceError, match=r"is not known; check it.*ssh-keyscan -p"):
        list(RemoteFilesConnector(world.place("docs")).discover())
    assert world.known_hosts.read_text() == ""


def test_a_host_with_another_key_is_refused(world: World) -> None:
    with sftp_server(world.root) as other:
        name = world.server.known_hosts.split()[0]
        world.known_hosts.write_text(" ".join([name, *other.known_hosts.split()[1:]]) + "\n")
        with pytest.raises(TransientSourceError, match="another host key"):
            list(RemoteFilesConnector(world.place("docs")).discover())


def test_a_wrong_password_is_refused_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "wrong")
    with pytest.raises(TransientSourceError, match="refuses the login") as caught:
        list(RemoteFilesConnector(world.place("docs")).discover())
    assert not caught.value.worth_waiting
    assert "wrong" not in str(caught.value)


def test_links_and_pipes_are_skipped(world: World) -> None:
    (world.root / "docs/out.md").symlink_to("/etc/hostname")
    os.mkfifo(world.root / "docs/pipe.md")
    connector = RemoteFilesConnector(world.place("docs"))
    found = list(connector.discover())
    reasons = {each.uri[-6:]: each.reason for each in found if isinstance(each, SkippedItem)}
    assert "symbolic link" in reasons["out.md"]
    assert "pipe" in reasons["ipe.md"]
    with pytest.raises(TransientSourceError, match="replaced by a link"):
        connector.fetch(SourceItem(uri=world.place("docs/out.md")))
    connector.close()


def test_what_vanished_grew_or_may_not_be_read(world: World) -> None:
    connector = RemoteFilesConnector(world.place("docs"), max_file_bytes=100)
    (world.root / "docs/a.md").write_text("x" * 200_000)
    with pytest.raises(PermanentSourceError, match="longer than the 100 bytes"):
        connector.fetch(SourceItem(uri=world.place("docs/a.md")))
    with pytest.raises(TransientSourceError, match="vanished"):
        connector.fetch(SourceItem(uri=world.place("docs/none.md")))
    assert connector.fetch(SourceItem(uri=world.place("docs/sub/b.txt"))).content
    connector.close()


def test_a_broken_connection_is_made_anew(world: World) -> None:
    connector = RemoteFilesConnector(world.place("docs"))
    assert len(paths(connector)) == 2
    world.server.connections[0].close()
    with pytest.raises(TransientSourceError) as caught:
        connector.fetch(SourceItem(uri=world.place("docs/a.md")))
    assert caught.value.worth_waiting
    assert connector.fetch(SourceItem(uri=world.place("docs/a.md"))).content
    connector.close()


def test_a_folder_that_is_not_there(world: World) -> None:
    connector = RemoteFilesConnector(world.place("none"))
    with pytest.raises(SourceError, match="does not exist"):
        list(connector.discover())
    connector.close()


def test_nobody_listens() -> None:
    with pytest.raises(TransientSourceError, match="cannot be reached"):
        list(RemoteFilesConnector("sftp://127.0.0.1:9/docs").discover())
