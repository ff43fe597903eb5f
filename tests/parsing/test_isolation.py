"""Workers that are slow, greedy, killed, lying or left behind."""

import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from format_files import FACT, all_formats

from ragmem.errors import ParseError, TransientSourceError, UsageError
from ragmem.parsing import process
from ragmem.parsing.isolation import IsolatedParser
from ragmem.parsing.parser import DocumentParser
from ragmem.parsing.process import WorkerProcess
from ragmem.parsing.transfer import Malformed, answer_of, read_frame, write_frame
from ragmem.types import ParsedDocument, RawDocument

SMALL = RawDocument(uri="memory:a.txt", name="a.txt", content=FACT.encode())
LIMITS = {"max_file_bytes": 10**8, "max_unpacked_bytes": 10**8, "max_characters": 10**8}
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def slow() -> RawDocument:
    """A document that takes a second or more to read."""
    rows = b"".join(b'{"number": %d, "of": [1, 2, 3, 4, 5, 6]}\n' % n for n in range(250_000))
    return RawDocument(uri="memory:s.jsonl", name="s.jsonl", content=rows)


@pytest.fixture
def isolated() -> Iterator[IsolatedParser]:
    parser = IsolatedParser(workers=2)
    yield parser
    parser.close()


def children() -> set[int]:
    """This process's own worker processes, dead ones that nobody waited for included."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        for child in path.read_text().split():
            try:
                command = Path("/proc", child, "cmdline").read_bytes()
            except OSError:
                continue
            if b"ragmem.parsing.worker" in command or not command:
                found.add(int(child))
    return found


def workers_of(before: set[int]) -> set[int]:
    return children() - before


def test_every_format_reads_the_same(isolated: IsolatedParser) -> None:
    direct = DocumentParser()
    assert isolated.fingerprint == direct.fingerprint
    for suffix, content in all_formats().items():
        raw = RawDocument(uri="memory:a", name=f"a.{suffix}", content=content)
        assert isolated.parse(raw) == direct.parse(raw)
    text = RawDocument(uri="a", name="a.md", content="# \ud800Own\n\nText.", title="Given\udfff")
    assert isolated.parse(text) == direct.parse(text)


@linux
def test_a_document_that_takes_too_long_costs_only_itself(slow: RawDocument) -> None:
    before = children()
    parser = IsolatedParser(timeout_seconds=0.2, workers=1)
    with pytest.raises(ParseError, match=r"more than 0\.2 s.*parse_timeout_seconds"):
        parser.parse(slow)
    assert not workers_of(before)
    assert parser.parse(SMALL).text == FACT
    parser.close()


def test_a_document_that_takes_too_much_memory_costs_only_itself(slow: RawDocument) -> None:
    parser = IsolatedParser(memory_bytes=64 * 2**20, workers=1)
    with pytest.raises(ParseError, match=r"64 MiB of memory.*parse_memory_bytes"):
        parser.parse(slow)
    assert parser.parse(SMALL).text == FACT
    parser.close()


@linux
@pytest.mark.parametrize(
    ("number", "failure"), [(signal.SIGSEGV, "crashed"), (signal.SIGALRM, "slow")]
)
def test_how_a_worker_ended_is_told(slow: RawDocument, number: int, failure: str) -> None:
    before = children()
    worker = WorkerProcess(limits=LIMITS, timeout_seconds=60.0, memory_bytes=2**30)
    killer = threading.Timer(0.1, os.kill, (workers_of(before).pop(), number))
    killer.start()
    answer = worker.ask(slow)
    assert (answer.failure, answer.message) == (failure, signal.Signals(number).name)
    worker.kill()
    killer.join()
    assert not workers_of(before)


@linux
def test_a_worker_that_stops_is_not_waited_for() -> None:
    before = children()
    worker = WorkerProcess(limits=LIMITS, timeout_seconds=0.05, memory_bytes=2**30)
    os.kill(workers_of(before).pop(), signal.SIGSTOP)
    assert worker.ask(SMALL).failure == "slow"
    assert not workers_of(before)


FORKING_WORKER = """
import os, sys, time
from ragmem.parsing.transfer import read_frame, write_frame
write_frame(sys.stdout.buffer, {"ready": True})
read_frame(sys.stdin.buffer, most_bytes=10**9)
if os.fork():
    os._exit(1)
time.sleep(60)
"""


@linux
def test_a_child_of_a_worker_does_not_keep_its_parent_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = subprocess.Popen

    def start_forking(command: list[str], **options: object) -> object:
        return start([command[0], "-c", FORKING_WORKER], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(process.subprocess, "Popen", start_forking)
    worker = WorkerProcess(limits=LIMITS, timeout_seconds=0.2, memory_bytes=2**30)
    began = time.monotonic()
    assert worker.ask(SMALL).document is None
    assert time.monotonic() - began < 30  # the child would sleep on


@linux
def test_no_document_is_blamed_for_what_happens_around_it(
    isolated: IsolatedParser, slow: RawDocument
) -> None:
    before = children()
    isolated.parse(SMALL)
    killer = threading.Timer(0.1, os.kill, (workers_of(before).pop(), signal.SIGSEGV))
    killer.start()
    assert "number: 249999" in isolated.parse(slow).text
    isolated.parse(SMALL)
    (worker,) = workers_of(before)
    killer = threading.Timer(0.1, os.kill, (worker, signal.SIGTERM))
    killer.start()
    with pytest.raises(TransientSourceError, match=r"from outside .SIGTERM"):
        isolated.parse(slow)
    assert isolated.parse(SMALL).text == FACT


@linux
def test_a_worker_that_dies_idle_is_replaced_without_a_word(isolated: IsolatedParser) -> None:
    before = children()
    isolated.parse(SMALL)
    (worker,) = workers_of(before)
    os.kill(worker, signal.SIGKILL)
    while Path(f"/proc/{worker}/cmdline").read_bytes():
        time.sleep(0.01)
    assert isolated.parse(SMALL).text == FACT
    assert workers_of(before).isdisjoint({worker})


@linux
def test_many_threads_share_few_workers(isolated: IsolatedParser) -> None:
    before = children()
    raws = [
        RawDocument(uri=f"memory:{n}", name="a.txt", content=f"Number {n}.") for n in range(300)
    ]
    with ThreadPoolExecutor(8) as threads:
        texts = [parsed.text for parsed in threads.map(isolated.parse, raws)]
    assert texts == [f"Number {n}." for n in range(300)]
    assert len(workers_of(before)) == 2
    isolated.close()
    isolated.close()
    assert not workers_of(before)
    assert isolated.parse(SMALL).text == FACT


@linux
def test_closing_lets_a_reader_finish(isolated: IsolatedParser, slow: RawDocument) -> None:
    before = children()
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(isolated.parse, slow)
        while not workers_of(before):
            time.sleep(0.01)
        isolated.close()
        assert "number: 249999" in reading.result().text
    assert not workers_of(before)


@linux
def test_a_forgotten_parser_leaves_no_process() -> None:
    before = children()
    parser = IsolatedParser()
    parser.parse(SMALL)
    gone = weakref.ref(parser)
    del parser
    gc.collect()
    assert gone() is None
    assert not workers_of(before)


@linux
def test_a_worker_that_has_grown_is_replaced() -> None:
    before = children()
    parser = IsolatedParser(max_characters=60_000_000)
    parser.parse(RawDocument(uri="a", name="a.txt", content="Mostly a 😀. " * 3_000_000))
    assert not workers_of(before)
    parser.close()


SCRIPT = """
import os, sys
from ragmem.parsing.isolation import IsolatedParser
from ragmem.types import RawDocument
SMALL = RawDocument(uri="a", name="a.txt", content="Some text.")
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT + script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


@linux
def test_nothing_is_left_at_the_end_of_a_program() -> None:
    ended = run("parser = IsolatedParser(); parser.parse(SMALL); print('read')")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "read\n", "")


@linux
def test_workers_end_with_a_program_that_is_killed() -> None:
    script = """
parser = IsolatedParser(workers=1)
parser.parse(SMALL)
print(open(f"/proc/self/task/{os.getpid()}/children").read(), flush=True)
os.kill(os.getpid(), 9)
"""
    worker = Path("/proc", run(script).stdout.strip(), "cmdline")
    deadline = time.monotonic() + 10
    while worker.exists() and worker.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@linux
def test_a_fork_starts_its_own_workers() -> None:
    script = """
parser = IsolatedParser(workers=1)
parser.parse(SMALL)
child = os.fork()
assert parser.parse(SMALL).text == "Some text."
if child:
    sys.exit(os.waitpid(child, 0)[1])
"""
    ended = run(script)
    assert (ended.returncode, ended.stderr) == (0, "")


@linux
def test_a_worker_knows_no_secrets_and_nothing_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated: IsolatedParser
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.chdir(tmp_path)
    for module in ("json", "lxml", "numpy"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('taken over')")
    before = children()
    assert isolated.parse(SMALL).text == FACT
    (worker,) = workers_of(before)
    environment = Path("/proc", str(worker), "environ").read_bytes()
    assert b"PATH=" in environment
    assert b"hush" not in environment


def test_a_worker_that_cannot_start_blames_no_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_environment", lambda: {"PYTHONPATH": "", "PYTHONHOME": "/no"})
    parser = IsolatedParser()
    with pytest.raises(TransientSourceError, match="could be started"):
        parser.parse(SMALL)
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(TransientSourceError, match="could be started"):
        parser.parse(SMALL)


@pytest.mark.parametrize("setting", ["workers", "timeout_seconds", "memory_bytes"])
def test_limits_that_leave_nothing_are_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="at least one worker"):
        IsolatedParser(**{setting: 0})


GOOD: dict[str, object] = {
    "text_format": "plain", "title": "", "pages": [[1, 0, 4]], "language": "", "media_type": "a/b",
    "metadata": {"tags": ["a"], "count": 1}, "warnings": ["w"], "spent": False,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"text_format": "other"},
        {"title": 1},
        {"pages": [[1, 0, 5]]},
        {"pages": [[1, 2, 1]]},
        {"pages": [[1, 0, 2], [2, 1, 3]]},
        {"pages": [["1", 0, 2]]},
        {"pages": {}},
        {"metadata": {"a": {"b": 1}}},
        {"metadata": [1]},
        {"warnings": [1]},
        {"warnings": "text"},
        {"failure": "other"},
        {"failure": "refused", "message": None},
    ],
)
def test_answers_are_checked(change: dict[str, object]) -> None:
    expected = ParsedDocument(
        text="text",
        text_format="plain",
        pages=(answer_of(GOOD, b"text").document or pytest.fail("no document")).pages,
        media_type="a/b",
        metadata={"tags": ("a",), "count": 1},
        warnings=("w",),
    )
    assert answer_of(GOOD, b"text").document == expected
    with pytest.raises(Malformed):
        answer_of({**GOOD, **change}, b"text")
    with pytest.raises(Malformed):
        answer_of(GOOD, b"\xff")


def test_frames_are_checked() -> None:
    stream = io.BytesIO()
    write_frame(stream, {"a": 1}, b"body")
    whole = stream.getvalue()
    assert read_frame(io.BytesIO(whole), most_bytes=4) == ({"a": 1}, b"body")
    assert read_frame(io.BytesIO(b""), most_bytes=4) is None
    deep = io.BytesIO()
    write_frame(deep, {})
    nested = b"[" * 100_000
    broken = deep.getvalue().replace(b"\0\0\0\x02", len(nested).to_bytes(4, "big"))[:-2] + nested
    for bad in (whole[:5], whole[:-1], b"X" + whole[1:], broken):
        with pytest.raises(Malformed):
            read_frame(io.BytesIO(bad), most_bytes=4)
    with pytest.raises(Malformed):
        read_frame(io.BytesIO(whole), most_bytes=3)
