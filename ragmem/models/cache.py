"""Where models lie on this machine, and whether what lies there is what was pulled.

Reads and checks the cache; `pull.py` fills it. Beside a model's files lies `manifest.json` with
their sizes, times and checksums, so that a look at the cache need not read 100 MB.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from ragmem.errors import ChecksumMismatch, ModelUnavailable, UnknownModel
from ragmem.models.registry import CARDS, ModelCard, ModelFile, card

FOLDER_VARIABLE = "RAGMEM_MODELS"
_MANIFEST = "manifest.json"
_MANIFEST_FORMAT = 1


def models_folder(cache_folder: Path | None = None) -> Path:
    """The folder that holds one folder a model: the argument, RAGMEM_MODELS, or the platform's."""
    if cache_folder is not None:
        return cache_folder.expanduser()
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ragmem", appauthor=False)) / "models"


def installed(model: str | ModelCard, *, cache_folder: Path | None = None) -> bool:
    """Whether the model is on this machine with the registry's checksums.

    Files whose size and time are those of the manifest are not read again.

    Raises:
        UnknownModel: the registry has no such name.
    """
    known = card(model)
    home = models_folder(cache_folder) / known.name
    if not known.files or not home.is_dir():
        return False
    recorded = _read_manifest(home)
    trusted = all(recorded.get(file.path) == _state(home, file) for file in known.files)
    if not trusted:
        if any(_actual_sha256(home, file) != file.sha256 for file in known.files):
            return False
        with suppress(OSError):  # a cache that others keep may be read-only
            write_manifest(home, known)
    return True


def model_path(model: str | ModelCard, *, cache_folder: Path | None = None) -> Path:
    """The file or folder to open for a model: a registered name, or a path, which is returned.

    Raises:
        ModelUnavailable: the model is not on this machine.
        UnknownModel: neither a registered name nor a path that exists.
    """
    if isinstance(model, str) and not any(known.name == model for known in CARDS):
        path = Path(model).expanduser()
        if path.exists():
            return path
        if path.suffix or path.is_absolute():
            raise UnknownModel(f"{model}: no such file or folder")
    known = card(model)
    if not installed(model, cache_folder=cache_folder):
        raise ModelUnavailable(_how_to_get(known))
    return models_folder(cache_folder) / known.name / known.entry


def verify(model: str | ModelCard, *, cache_folder: Path | None = None) -> None:
    """Read every file of a model again and compare its checksum; a wrong file is deleted.

    Raises:
        ChecksumMismatch: a file is not the one that the registry names.
        ModelUnavailable: the model is not on this machine.
        UnknownModel: the registry has no such name.
    """
    known = card(model)
    home = models_folder(cache_folder) / known.name
    if not known.files or not home.is_dir():
        raise ModelUnavailable(_how_to_get(known))
    for file in known.files:
        actual = _actual_sha256(home, file)
        if actual is None:
            raise ModelUnavailable(f"{home / file.path} is missing: {_how_to_get(known)}")
        if actual != file.sha256:
            (home / file.path).unlink()
            raise ChecksumMismatch(what=str(home / file.path), expected=file.sha256, actual=actual)


def write_manifest(home: Path, known: ModelCard) -> None:
    """Record the state of verified files in the model's folder."""
    manifest = {
        "format": _MANIFEST_FORMAT,
        "model": known.name,
        "files": {file.path: _state(home, file) for file in known.files},
    }
    part = home / f"{_MANIFEST}.{os.getpid()}"
    part.write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    part.replace(home / _MANIFEST)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _actual_sha256(home: Path, file: ModelFile) -> str | None:
    path = home / file.path
    return file_sha256(path) if path.is_file() else None


def _state(home: Path, file: ModelFile) -> dict[str, object] | None:
    try:
        status = (home / file.path).stat()
    except FileNotFoundError:
        return None
    return {"sha256": file.sha256, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _read_manifest(home: Path) -> dict[str, object]:
    try:
        manifest = json.loads((home / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(manifest, dict) or manifest.get("format") != _MANIFEST_FORMAT:
        return {}
    files = manifest.get("files")
    return files if isinstance(files, dict) else {}


def _how_to_get(known: ModelCard) -> str:
    if known.files:
        return f"{known.name} is not on this machine: ragmem models pull {known.name}"
    return (
        f"ragmem has no checksums for {known.name} and does not pull it: run "
        f"`hf download {known.name}` where {known.homepage} can be reached, and "
        "sentence-transformers finds it; or give a folder that holds it"
    )
