"""`ragmem ingest` and `ragmem status` over several sources, with the real models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ragmem.cli.ingest_arguments import of_arguments
from ragmem.store.jobs import put_counts, start_job
from ragmem.store.sources import list_sources
from ragmem.store.store import open_store

from .conftest import Ran

Run = Callable[..., Ran]
EXAMPLES = Path(__file__).parents[2] / "examples"
with_models = pytest.mark.models


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder of two texts, and another of one."""
    monkeypatch.chdir(tmp_path)
    for name in ("docs/a.md", "docs/b.md", "more/c.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"The kettle {name} boils water.\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a source"),
        (["--watch"], "name a source"),
        (["docs", "--config", "sources.yaml"], "--config says all"),
        (["--config", "sources.yaml", "--connector", "files"], "--config says all"),
        (["--config", "sources.yaml", "--tenant", "acme"], "--config says all"),
        (["--config", "none.yaml"], "none.yaml"),
        (["docs", "--watch", "--retry-failed"], "run it before --watch"),
        (["--retry-failed", "--acl", "user:ana"], "need a SOURCE"),
        (["docs", "nowhere"], "nowhere: no such file or folder"),
        (["docs", ""], "the source is empty"),
        (["docs", "docs/"], "docs/: it is the same source as docs (file://"),
        (["docs", "--connector", "nope"], "no connector is called 'nope'"),
        (["docs", "--option", "ignore"], "--option takes KEY=VALUE"),
        (["docs", "--option", "ignor=x"], "wrong options for docs: there is no ignor"),
        (["docs", "--option", "use_gitignore=5"], "use_gitignore is 5, expected true or false"),
        (["docs", "--acl", "staff"], "'staff' is no principal"),
        (["docs", "--metadata", "a=1", "--metadata", "a=2"], "--metadata a is there twice"),
        (["docs", "--metadata", "a=NaN"], "the metadata field 'a' is nan"),
        (["docs", "--metadata", "novalue"], "--metadata takes KEY=VALUE"),
        (["docs", "--tenant", "a\0b"], "cannot be stored"),
        (["imaps://ana:secret@mail.example/"], "must not hold a password"),
        (["https://example.com/", "--watch"], "cannot be watched"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_made(
    here: Path, run: Run, arguments: list[str], message: str
) -> None:
    (here / "sources.yaml").write_text("sources: [{source: docs}]")
    ran = run("ingest", *arguments, "--store", "new")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "secret" not in ran.err
    assert not (here / "new").exists()


def test_retrying_needs_a_store(here: Path, run: Run) -> None:
    ran = run("ingest", "--retry-failed", "--store", "new")
    assert (ran.code, (here / "new").exists()) == (1, False)
    assert "there is no store at new" in ran.err


@with_models
def test_a_broken_source_of_a_file_leaves_the_others_alone(here: Path, run: Run) -> None:
    (here / "sources.yaml").write_text(
        """
        sources:
          - source: docs
            options: {ignore: b.md}
            metadata: {add: {team: kitchen}, rename: {name: file}, drop: [folder]}
          - source: gone
          - {source: more, connector: no-such}
          - source: docs/b.md
            options: {depth: 3}
          - source: imaps://ana:secret@mail.example/
          - {source: more, tenant: acme}
        """
    )
    ran = run("ingest", "--config", "sources.yaml", "--store", "s")
    assert ran.code == 3
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"{here}/docs: 1 added, ")
    assert lines[1] == f"not synced: {here}/gone: no such file or folder"
    assert lines[2].startswith(f"not synced: {here}/more: no connector is called 'no-such'")
    assert lines[3].startswith(f"not synced: {here}/docs/b.md: wrong options for ")
    assert lines[4].startswith("not synced: imaps://…@mail.example/: an IMAP URL ")
    assert lines[5].startswith(f"{here}/more: 1 added, ")
    assert lines[6].startswith("6 sources: 2 added, 0 updated, 0 unchanged, 0 deleted, 4 failed")
    assert "secret" not in ran.out + ran.err

    (here / "gone").mkdir()
    again = run("ingest", "--config", "sources.yaml", "--store", "s", "--json")
    assert again.code == 3
    assert (again.json["unchanged"], len(again.json["failed"])) == (2, 3)
    assert [source["source"] for source in again.json["sources"]][:2] == [
        f"{here}/docs",
        f"{here}/gone",
    ]
    assert [source["connector"] for source in again.json["sources"]][:3] == [
        "files",
        "files",
        "no-such",
    ]
    assert again.json["sources"][-1]["tenant"] == "acme"
    assert sum(source["unchanged"] for source in again.json["sources"]) == 2
    for item in again.json["failed"]:
        assert item["reason"]

    [document] = run("status", "--store", "s", "--json").json["documents"]
    assert document["metadata"]["team"] == "kitchen"
    assert document["metadata"]["file"] == "a.md"
    assert not {"name", "folder"} & document["metadata"].keys()
    assert "secret" not in json.dumps(run("status", "--store", "s", "--json").json)
    assert b"secret" not in b"".join(p.read_bytes() for p in (here / "s").glob("ragmem.db*"))


@with_models
def test_a_file_of_which_nothing_can_be_read_makes_no_store(here: Path, run: Run) -> None:
    (here / "sources.yaml").write_text("sources: [{source: gone}]")
    ran = run("ingest", "--config", "sources.yaml", "--store", "s")
    assert (ran.code, (here / "s").exists()) == (3, False)
    (here / "sources.yaml").write_text("sources: [{source: docs}, {source: more/../docs}]")
    twice = run("ingest", "--config", "sources.yaml", "--store", "s")
    assert twice.code == 3
    assert f"not synced: {here}/docs: it is the same source as {here}/docs" in twice.out


@with_models
def test_what_failed_is_retried_from_anywhere(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "docs" / "cut.json").write_text('{"kettle": ')
    store = here / "s"
    first = run(
        "ingest", "docs", "--store", store, "--acl", "user:ana", "--metadata", "year=2026",
        "--option", "ignore=b.*", "--option", "ignore=*.tmp", "--option", "use_gitignore=no",
    )  # fmt: skip
    assert first.code == 3
    run("ingest", "more", "--store", store)
    monkeypatch.chdir("/")
    again = run("ingest", "--retry-failed", "--store", store, "--json")
    assert again.code == 3
    [source] = again.json["sources"]
    assert source["source"] == str(here / "docs")
    assert (source["unchanged"], len(source["failed"])) == (1, 1)

    (here / "docs" / "cut.json").write_text('{"kettle": "boils"}')
    healed = run("ingest", "--retry-failed", "--store", store)
    assert healed.code == 0
    assert "1 added, 0 updated, 1 unchanged, 0 deleted, 0 failed" in healed.out
    documents = run("status", "--store", store, "--user", "ana", "--json").json["documents"]
    of_docs = [each for each in documents if "/docs/" in each["uri"]]
    assert [each["acl"] for each in of_docs] == [["user:ana"]] * 2
    assert {each["metadata"]["year"] for each in of_docs} == {2026}
    nothing = run("ingest", "--retry-failed", "--store", store)
    assert (nothing.code, nothing.out) == (0, "nothing has failed\n")
    assert run("ingest", "--retry-failed", "--store", store, "--json").json["sources"] == []

    (here / "docs").rename(here / "moved")
    (here / "docs").mkdir()
    emptied = run("ingest", here / "docs", "--store", store)
    assert emptied.code == 3
    assert "--allow-mass-delete" in emptied.out
    # The run as a whole failed, so it is one to retry.
    allowed = run("ingest", "--retry-failed", "--allow-mass-delete", "--store", store, "--json")
    assert (allowed.code, allowed.json["deleted"]) == (0, 2)


@with_models
def test_status_tells_of_a_killed_run(here: Path, run: Run) -> None:
    run("ingest", "docs", "--store", "s")
    assert "(files): done 20" in run("status", "--store", "s").out
    with closing(open_store(here / "s")) as store, store.writing() as connection:
        [source] = list_sources(connection, tenant="default")
        put_counts(connection, start_job(connection, source.id), {"discovered": 9, "added": 4})
    out = run("status", "--store", "s").out
    assert "(files): interrupted, began 20" in out
    assert "9 discovered, 4 added" in out
    [told] = run("status", "--store", "s", "--json").json["sources"]
    assert (told["status"], told["finished_at"], told["connector"]) == (
        "interrupted",
        None,
        "files",
    )
    assert told["started_at"].endswith("+00:00")
    assert "1 sources" not in run("ingest", "--retry-failed", "--store", "s").out
    assert "(files): done 20" in run("status", "--store", "s").out


@with_models
def test_status_lists_what_is_there_twice_or_nearly(here: Path, run: Run) -> None:
    text = (EXAMPLES / "data" / "attrs-why.md").read_text()
    (here / "docs" / "one.md").write_text(text)
    (here / "docs" / "copy.md").write_text(text)
    (here / "docs" / "two.md").write_text(text + "\nAnd one more sentence at the end.\n")
    run("ingest", "docs", "--store", "s")
    uris = {name: (here / "docs" / f"{name}.md").as_uri() for name in ("one", "copy", "two")}
    found = run("status", "--duplicates", "--store", "s", "--json").json
    assert [set(group) for group in found["copies"]] == [{uris["one"], uris["copy"]}]
    [near] = found["near_duplicates"]
    assert uris["two"] in near
    assert set(near) & {uris["one"], uris["copy"]}
    out = run("status", "--duplicates", "--store", "s").out
    assert out.startswith("the same, stored once:\n  file://")
    assert f"nearly the same:\n  {near[0]}\n  {near[1]}\n" in out
    assert "nothing is there twice" in run(
        "status", "--duplicates", "--store", "s", "--tenant", "other"
    ).out  # fmt: skip


@with_models
def test_status_is_short_where_there_is_much(here: Path, run: Run) -> None:
    for number in range(30):
        (here / "docs" / f"{number}.txt").write_text(f"Number {number}.")
    run("ingest", "docs", "--store", "s")
    short = run("status", "--store", "s").out.splitlines()
    assert (len(short), short[-1]) == (23, "and 12 more; --all lists them")
    assert len(run("status", "--store", "s", "--all").out.splitlines()) == 34


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ragmem", *(str(each) for each in arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@with_models
def test_ctrl_c_ends_a_run_with_what_is_stored(here: Path, run: Run) -> None:
    pipe = here / "docs" / "stuck.md"
    pipe.write_bytes(b"The kettle. " * 2_000_000)
    process = start("ingest", "docs", "--store", "s", "--json")
    database = here / "s" / "ragmem.db"
    ends = time.monotonic() + 60
    while not database.exists():
        assert process.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.05)
    time.sleep(0.5)
    code, out, err = interrupted(process)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "interrupted" in err
    assert run("status", "--store", "s").code == 0


@with_models
def test_watching_prints_a_json_object_a_line(here: Path) -> None:
    (here / "docs" / "picture.png").write_bytes(b"x")
    process = start("ingest", "docs", "--store", "s", "--watch", "--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert (first["added"], len(first["skipped"])) == (2, 1)
    (here / "docs" / "new.md").write_text("The toaster.")
    second = json.loads(process.stdout.readline())
    assert (second["added"], second["unchanged"]) == (1, 2)
    code, out, err = interrupted(process)
    assert (code, out) == (0, "")
    assert "Traceback" not in err


@with_models
def test_watching_says_once_what_is_skipped(here: Path) -> None:
    (here / "docs" / "picture.png").write_bytes(b"x")
    process = start("ingest", "docs", "--store", "s", "--watch")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("docs: 2 added")
    assert process.stdout.readline().startswith("  skipped ")
    (here / "docs" / "new.md").write_text("The toaster.")
    assert process.stdout.readline().startswith("docs: 1 added")
    code, out, _ = interrupted(process)
    assert (code, out) == (0, "")


@with_models
@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a POSIX thing")
def test_a_terminal_shows_a_table_and_json_stays_apart(here: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "ragmem", "ingest", "docs", "more", "--store", "s", "--json"],
        stdout=subprocess.PIPE,
        stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        text=True,
    )
    os.close(inner)
    shown = b""
    while True:
        try:
            got = os.read(outer, 65536)
        except OSError:  # the other side is closed
            break
        if not got:
            break
        shown += got
    os.close(outer)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["added"] == 3
    assert b"docs (1 of 2)" in shown
    assert b"more (2 of 2)" in shown
    assert b"unchanged" in shown


def test_an_option_that_may_be_a_text_is_taken_as_it_stands(here: Path) -> None:
    given = [
        "query=select 1 as id",
        "key=id",
        "template=# {id}",
        "timeout_seconds=5",
        'metadata=["id"]',
    ]
    (wanted,) = of_arguments(
        ["sqlite:///shop.db"], tenant="t", acl=(), metadata=(), connector=None, options=given
    )
    assert wanted.source.options == {
        "query": "select 1 as id",
        "key": "id",
        "template": "# {id}",
        "timeout_seconds": 5,
        "metadata": ["id"],
    }
