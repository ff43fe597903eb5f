"""Converts a sentence-transformers folder into what `OnnxEmbedder` runs, once, beside the model.

The result is a folder `ragmem-onnx` with the graph, its weights and `export.json`, which says what
they were made from. The graph itself is written by `bert_graph.py`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from ragmem.errors import ModelError
from ragmem.models.bert_graph import Weights, write_graph
from ragmem.models.cache import file_sha256
from ragmem.models.sentence_model import SentenceModel, read_sentence_model

_FORMAT = 2
_FOLDER = "ragmem-onnx"
_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """A model that ONNX Runtime can open.

    Attributes:
        graph, tokenizer: the files to open.
        model: the encoder's shape and settings.
        digest: SHA-256 of weights and tokenizer, in hexadecimal.
    """

    graph: Path
    tokenizer: Path
    model: SentenceModel
    digest: str


def export(folder: Path) -> ExportedModel:
    """Convert the model in this folder, or find it converted.

    Raises:
        ModelError: the model is of a kind that cannot be converted, its files are damaged, or the
            folder cannot be written.
    """
    import filelock

    model = read_sentence_model(folder)
    for needed in (_WEIGHTS, _TOKENIZER):
        if not (folder / needed).is_file():
            raise ModelError(f"{folder} has no {needed}, which ONNX Runtime's model is made from")
    if found := _find(folder, model):
        return found
    try:
        with filelock.FileLock(folder / f".{_FOLDER}.lock"):
            if found := _find(folder, model):
                return found
            _convert(folder, model)
    except OSError as error:
        raise ModelError(
            f"{folder} has to be written once to prepare its model for ONNX Runtime: {error}"
        ) from error
    found = _find(folder, model)
    if found is None:
        raise ModelError(f"{folder} changed while it was being converted; try again")
    return found


def _find(folder: Path, model: SentenceModel) -> ExportedModel | None:
    """The export, where it was made from what lies in the folder now."""
    home = folder / _FOLDER
    try:
        recorded = json.loads((home / "export.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(recorded, dict) or recorded.get("format") != _FORMAT:
        return None
    weights = folder / _WEIGHTS
    # A copied folder has new times: then the bytes decide.
    current = _state(weights) == recorded.get("weights_state") or (
        file_sha256(weights) == recorded.get("weights_sha256")
    )
    if recorded.get("model") != asdict(model) or not current:
        return None
    tokenizer = folder / _TOKENIZER
    both = f"{recorded['weights_sha256']}:{file_sha256(tokenizer)}"
    digest = hashlib.sha256(both.encode()).hexdigest()
    return ExportedModel(graph=home / "model.onnx", tokenizer=tokenizer, model=model, digest=digest)


def _convert(folder: Path, model: SentenceModel) -> None:
    weights = folder / _WEIGHTS
    record = {
        "format": _FORMAT,
        "weights_sha256": file_sha256(weights),
        "weights_state": _state(weights),
        "model": asdict(model),
    }
    staging = folder / f".{_FOLDER}.partial"
    # Left by a process that was killed; the lock is ours, so nobody writes there.
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        try:
            write_graph(_read_weights(weights), model, staging / "model.onnx")
        except KeyError as error:
            raise ModelError(f"{weights} has no tensor {error}: not a BERT encoder") from error
        for part in staging.iterdir():
            # Whoever may read the model may read what was made from it.
            part.chmod(weights.stat().st_mode)
        (staging / "export.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
        home = folder / _FOLDER
        shutil.rmtree(home, ignore_errors=True)
        staging.replace(home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _read_weights(path: Path) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, TypeError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    named = {}
    for name, tensor in tensors.items():
        for part in ("embeddings.", "encoder."):
            if (start := name.find(part)) >= 0 and (start == 0 or name[start - 1] == "."):
                named[name[start:]] = tensor.astype("float32", copy=False)
                break
    return named


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
