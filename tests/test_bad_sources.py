"""Many sources of one file that break in a day, through the command line.

Each source works, then something in it breaks while something else in it is new, then it is
mended. What is broken is said, everything else is done, nothing that was there goes.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imap_server
import pytest
from format_files import encrypted_pdf, pdf
from git_worlds import Repo
from s3_server import BUCKET, CREDENTIALS, S3Server, s3_server
from tiny_models import write_sentence_model
from web_server import Answer, WebServer, page, redirect, serving

FIVE_GIGABYTES = 5 * 10**9


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A source and its bad day. Documents and failures are named by the ends of their URIs.

    Attributes:
        source: as the sources file describes it.
        before: what is there while all is well.
        breaks, mends: change the source.
        new: what becomes readable in spite of what broke.
        says: what is reported, and fragments of the reason; `""` is the source itself.
        mended: what is there at the end besides all that.
    """

    source: Mapping[str, object]
    before: tuple[str, ...]
    breaks: Callable[[], None]
    mends: Callable[[], None]
    new: tuple[str, ...] = ()
    says: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mended: tuple[str, ...] = ()


# --- the sources ---------------------------------------------------------------------------------


def s3_objects(server: S3Server, prefix: str) -> dict[str, object]:
    server.put(f"{prefix}/a.md", f"{prefix} a")
    server.put(f"{prefix}/b.md", f"{prefix} b")
    return {"source": f"s3://{BUCKET}/{prefix}/", "options": {"endpoint_url": server.url}}


@contextmanager
def expired_credentials(folder: Path) -> Iterator[Trial]:
    with s3_server() as server:

        def breaks() -> None:
            server.put("reports/c.md", "reports c")
            server.refusals += [("list", 400, "ExpiredToken", {})] * 50

        yield Trial(
            source=s3_objects(server, "reports"),
            before=("/reports/a.md", "/reports/b.md"),
            breaks=breaks,
            mends=server.refusals.clear,
            says={"": ("ExpiredToken", "AWS_SESSION_TOKEN")},
            mended=("/reports/c.md",),
        )


@contextmanager
def site(folder: Path, name: str, broken: Answer, *says: str) -> Iterator[Trial]:
    """A site of three pages, of which one breaks and a fourth is new."""
    with serving() as server:
        server.answers = {
            "/": page(f"{name} start", f"/{name}-one", f"/{name}-two"),
            f"/{name}-one": page(f"{name} one"),
            f"/{name}-two": page(f"{name} two"),
        }

        def breaks() -> None:
            links = (f"/{name}-one", f"/{name}-two", f"/{name}-three")
            server.answers["/"] = page(f"{name} start again", *links)
            server.answers[f"/{name}-two"] = broken
            server.answers[f"/{name}-three"] = page(f"{name} three")

        def mends() -> None:
            server.answers[f"/{name}-two"] = page(f"{name} two again")

        yield Trial(
            source=web_source(server, "/"),
            before=(f"{server.host}/", f"/{name}-one", f"/{name}-two"),
            breaks=breaks,
            mends=mends,
            new=(f"/{name}-three",),
            says={f"/{name}-two": says},
        )


def web_source(server: WebServer, path: str) -> dict[str, object]:
    options = {"allow_hosts": [server.host], "requests_per_second": 1000}
    return {"source": server.url(path), "options": options}


def redirect_loop(folder: Path) -> Any:
    return site(folder, "loop", redirect("/loop-two"), "in a circle")


def page_of_five_gigabytes(folder: Path) -> Any:
    length = {"Content-Length": str(FIVE_GIGABYTES)}
    return site(
        folder, "long", Answer(body=endless, headers=length), "longer than", "max_file_bytes"
    )


def page_without_end(folder: Path) -> Any:
    return site(folder, "endless", Answer(body=endless), "longer than", "max_file_bytes")


def endless() -> Iterator[bytes]:
    part = b"<p>the cat sat on the mat</p>" * 40_000
    return (part for _ in range(FIVE_GIGABYTES // len(part)))


@contextmanager
def cyclic_sitemap(folder: Path) -> Iterator[Trial]:
    def sitemap(server: WebServer, kind: str, *paths: str) -> Answer:
        each = {"sitemapindex": "sitemap", "urlset": "url"}[kind]
        listed = "".join(f"<{each}><loc>{server.url(path)}</loc></{each}>" for path in paths)
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        body = f'<?xml version="1.0"?><{kind} xmlns="{space}">{listed}</{kind}>'
        return Answer(body=body.encode(), content_type="application/xml")

    with serving() as server:
        server.answers = {
            "/sitemap.xml": sitemap(server, "urlset", "/mapped-one", "/mapped-two"),
            "/mapped-one": page("mapped one"),
            "/mapped-two": page("mapped two"),
            "/mapped-three": page("mapped three"),
        }

        def breaks() -> None:
            """Sitemaps that name each other and themselves, and one that is gone."""
            names = ("/sitemap.xml", "/a.xml", "/b.xml")
            server.answers |= {
                "/sitemap.xml": sitemap(server, "sitemapindex", *names, "/gone.xml"),
                "/a.xml": sitemap(server, "sitemapindex", *names),
                "/b.xml": sitemap(server, "urlset", "/mapped-one", "/mapped-three"),
            }

        def mends() -> None:
            """The circle stays: it does no harm."""
            server.answers["/gone.xml"] = sitemap(server, "urlset", "/mapped-two")

        yield Trial(
            source=web_source(server, "/sitemap.xml"),
            before=("/mapped-one", "/mapped-two"),
            breaks=breaks,
            mends=mends,
            new=("/mapped-three",),
            says={"": ("/gone.xml", "404")},
        )


@contextmanager
def submodule_loop(folder: Path) -> Iterator[Trial]:
    repo = Repo(folder / "looped")
    repo.write({"guide.md": "the guide"})
    repo.commit("first")

    def breaks() -> None:
        repo.write({"new.md": "the new one"})
        repo.git("submodule", "--quiet", "add", str(repo.folder), "self")
        repo.commit("a repository inside itself")

    def mends() -> None:
        repo.git("rm", "-q", "--cached", "self", ".gitmodules")
        (repo.folder / ".gitmodules").unlink()
        repo.git("commit", "-q", "-m", "not any more")

    options = {"submodules": True}
    yield Trial(
        source={"source": str(repo.folder), "connector": "git", "options": options},
        before=("looped#guide.md",),
        breaks=breaks,
        mends=mends,
        new=("looped#new.md",),
        says={"looped#self": ("leads back",)},
    )


@contextmanager
def broken_mail(folder: Path) -> Iterator[Trial]:
    """Bytes that are of no charset are read as well as can be, which is said."""
    place = folder / "letters"
    place.mkdir()
    (place / "first.eml").write_bytes(imap_server.message(1))
    head = b"From: a@example.org\r\nSubject: Bad\r\nMIME-Version: 1.0\r\n"
    kind = b'Content-Type: text/plain; charset="no-such-charset"\r\n\r\n'
    broken = head + kind + b"the cat \xf6 sat \x81\x8d on the mat\r\n"

    def breaks() -> None:
        (place / "charset.eml").write_bytes(broken)
        (place / "torn.eml").write_bytes(bytes(range(256)) * 20)

    def mends() -> None:
        (place / "charset.eml").write_bytes(imap_server.message(2))
        (place / "torn.eml").write_bytes(imap_server.message(3))

    yield Trial(
        source={"source": str(place)},
        before=("/letters/first.eml",),
        breaks=breaks,
        mends=mends,
        new=("/letters/charset.eml",),
        says={
            "/letters/charset.eml": ("guessed", "UTF-8"),
            "/letters/torn.eml": ("not a message",),
        },
        mended=("/letters/torn.eml",),
    )


@contextmanager
def error_within_a_result(folder: Path) -> Iterator[Trial]:
    """The absolute value of the least integer is too large for an integer."""
    path = folder / "shop.db"

    def run(*statements: str) -> None:
        with closing(sqlite3.connect(path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    run(
        "CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT, number INTEGER)",
        "INSERT INTO parts VALUES (1, 'lid', -1), (2, 'cup', 2)",
    )
    yield Trial(
        source={
            "source": f"sqlite:///{path}",
            "options": {
                "query": "SELECT id, name, abs(number) AS number FROM parts ORDER BY id",
                "key": "id",
                "name": "parts",
            },
        },
        before=("#parts/1", "#parts/2"),
        breaks=lambda: run(
            "INSERT INTO parts VALUES (3, 'jug', 3)",
            "INSERT INTO parts VALUES (4, 'pan', -9223372036854775808)",
            "DELETE FROM parts WHERE id = 1",
        ),
        mends=lambda: run(
            "UPDATE parts SET number = 4 WHERE id = 4", "INSERT INTO parts VALUES (1, 'lid', -1)"
        ),
        says={"": ("integer overflow",)},
        mended=("#parts/3", "#parts/4"),
    )


@contextmanager
def broken_zip(folder: Path) -> Iterator[Trial]:
    path = folder / "bundle.zip"

    def cut_off() -> None:
        path.write_bytes(path.read_bytes()[:-30])

    def write(*names: str) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, f"bundled {name}")

    write("x.md", "y.md")
    yield Trial(
        source={"source": f"zip://{path}"},
        before=("bundle.zip/x.md", "bundle.zip/y.md"),
        breaks=cut_off,
        mends=lambda: write("x.md", "y.md", "z.md"),
        says={"": ("bundle.zip",)},
        mended=("bundle.zip/z.md",),
    )


@contextmanager
def hostile_files(folder: Path) -> Iterator[Trial]:
    place = folder / "hostile"
    place.mkdir()
    (place / "paper.pdf").write_bytes(pdf([["the cat sat on the mat"]]))
    (place / "deep.json").write_text('{"a": "the cat"}')
    (place / "fine.md").write_text("the dog")

    def breaks() -> None:
        (place / "paper.pdf").write_bytes(encrypted_pdf())
        (place / "deep.json").write_text("[" * 2_000_000)
        (place / "archive.docx").write_bytes(b"PK\x03\x04 and then nothing")
        (place / "fine.md").write_text("the warm dog")
        (place / "more.md").write_text("a warm mat")

    def mends() -> None:
        (place / "paper.pdf").write_bytes(pdf([["the cat sat on a warm mat"]]))
        (place / "deep.json").write_text('{"a": "a dog"}')
        (place / "archive.docx").unlink()

    yield Trial(
        source={"source": str(place)},
        before=("/hostile/paper.pdf", "/hostile/deep.json", "/hostile/fine.md"),
        breaks=breaks,
        mends=mends,
        new=("/hostile/more.md",),
        says={
            "/hostile/paper.pdf": ("password", "save a copy"),
            "/hostile/deep.json": ("nested too deeply",),
            "/hostile/archive.docx": ("damaged", "get an intact copy"),
        },
    )


@contextmanager
def unreachable_mailbox(folder: Path) -> Iterator[Trial]:
    with imap_server.small_server() as server:
        for number in (4, 5):
            server.deliver("INBOX", imap_server.message(number))

        def breaks() -> None:
            server.shutdown()
            server.server_close()

        def mends() -> None:
            server.deliver("INBOX", imap_server.message(6))
            server.socket = socket.create_server(("127.0.0.1", server.port))
            again = {"poll_interval": 0.01}
            threading.Thread(target=server.serve_forever, kwargs=again, daemon=True).start()

        yield Trial(
            source={"source": f"imap://{imap_server.USER}@127.0.0.1:{server.port}/INBOX"},
            before=("/;UID=1", "/;UID=2"),
            breaks=breaks,
            mends=mends,
            says={"": (f"127.0.0.1:{server.port}",)},
            mended=("/;UID=3",),
        )


TRIALS: Mapping[str, Callable[[Path], Any]] = {
    each.__name__: each
    for each in (
        expired_credentials,
        redirect_loop,
        page_of_five_gigabytes,
        page_without_end,
        cyclic_sitemap,
        submodule_loop,
        broken_mail,
        error_within_a_result,
        broken_zip,
        hostile_files,
        unreachable_mailbox,
    )
}


# --- three runs over all of them -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run came to.

    Attributes:
        reports: by trial, as `--json` prints them.
        documents: the URIs of what is in the store afterwards.
        sources: by URI, as `ragmem status --json` prints them.
    """

    code: int
    reports: Mapping[str, Any]
    documents: tuple[str, ...]
    sources: Mapping[str, Any]


class Place:
    """A folder with a store, tiny models and the trials' environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        model = write_sentence_model(folder / "model")
        settings = {"embedding_model": model, "models": folder / "models", "chat_model": ""}
        lines = (f"{name} = {json.dumps(str(value))}\n" for name, value in settings.items())
        (folder / "settings.toml").write_text("".join(lines))
        self._environment = {**os.environ, **CREDENTIALS, "IMAP_PASSWORD": imap_server.PASSWORD}

    def ragmem(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own."""
        program = (sys.executable, "-m", "ragmem", *map(str, arguments))
        places = ("--store", self.folder / "store", "--settings", self.folder / "settings.toml")
        return subprocess.run(
            [*program, *map(str, places)],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def sync(self, names: list[str]) -> Run:
        """Sync the sources of the file, and look."""
        done = self.ragmem("ingest", "--config", self.folder / "sources.yaml", "--json")
        assert "Traceback" not in done.stderr
        reports = json.loads(done.stdout)["sources"]
        status = json.loads(self.ragmem("status", "--json").stdout)
        return Run(
            code=done.returncode,
            reports=dict(zip(names, reports, strict=True)),
            documents=tuple(each["uri"] for each in status["documents"]),
            sources={each["uri"]: each for each in status["sources"]},
        )


@dataclass(frozen=True, kw_only=True)
class Week:
    """All trials and how they went."""

    place: Place
    trials: Mapping[str, Trial]
    well: Run
    broken: Run
    mended: Run


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    place = Place(tmp_path_factory.mktemp("bad"))
    with ExitStack() as servers:
        trials = {
            name: servers.enter_context(trial(place.folder)) for name, trial in TRIALS.items()
        }
        sources = [trial.source for trial in trials.values()]
        (place.folder / "sources.yaml").write_text(json.dumps({"sources": sources}))
        well = place.sync(list(trials))
        for trial in trials.values():
            trial.breaks()
        broken = place.sync(list(trials))
        for trial in trials.values():
            trial.mends()
        mended = place.sync(list(trials))
        yield Week(place=place, trials=trials, well=well, broken=broken, mended=mended)


def ends_there(run: Run, end: str) -> bool:
    """Whether a document whose URI ends so is in the store."""
    return any(uri.endswith(end) for uri in run.documents)


def remarks(report: Any) -> list[tuple[str, str]]:
    """What is said of a source and its items."""
    kinds = ("failed", "skipped", "warnings")
    return [(each["uri"], each["reason"]) for kind in kinds for each in report[kind]]


def test_exit_codes_tell_good_days_from_bad_ones(week: Week) -> None:
    assert (week.well.code, week.broken.code, week.mended.code) == (0, 3, 0)


@pytest.mark.parametrize("name", TRIALS)
def test_what_breaks_is_told_and_harms_nothing_else(week: Week, name: str) -> None:
    trial, report = week.trials[name], week.broken.reports[name]
    assert week.well.reports[name]["added"] == len(trial.before)
    said = remarks(report)
    assert len(said) == len(trial.says)
    for end, fragments in trial.says.items():
        reasons = [reason for uri, reason in said if uri.endswith(end)]
        assert any(all(part in reason for part in fragments) for reason in reasons), said
    assert report["added"] == len(trial.new)
    assert report["deleted"] == 0
    for end in (*trial.before, *trial.new):
        assert ends_there(week.broken, end)


@pytest.mark.parametrize("name", TRIALS)
def test_the_next_run_goes_on_where_the_source_is_mended(week: Week, name: str) -> None:
    trial, report = week.trials[name], week.mended.reports[name]
    assert remarks(report) == []
    assert report["added"] == len(trial.mended)
    for end in (*trial.before, *trial.new, *trial.mended):
        assert ends_there(week.mended, end)
    expected = (len(trial.before + trial.new + trial.mended) for trial in week.trials.values())
    assert len(week.mended.documents) == sum(expected)


def test_the_status_tells_what_is_broken(week: Week) -> None:
    for name, report in week.broken.reports.items():
        for failed in report["failed"]:
            source = week.broken.sources.get(failed["uri"])
            if source is not None:
                assert (source["status"], source["reason"]) == ("failed", failed["reason"]), name
            else:
                assert any(failed in each["failed"] for each in week.broken.sources.values()), name
    for source in week.mended.sources.values():
        assert (source["status"], source["failed"]) == ("done", [])


def test_a_source_that_cannot_be_reached_leaves_the_next_argument_alone(week: Week) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    folder = week.place.folder / "other"
    folder.mkdir()
    (folder / "other.md").write_text("the cold dog")
    done = week.place.ragmem("ingest", f"imap://{imap_server.USER}@127.0.0.1:{port}/", folder)
    assert done.returncode == 3
    assert f"127.0.0.1:{port} failed" in done.stdout
    assert "2 sources: 1 added" in done.stdout
