"""Tiny models with random weights, written to disk the way the real ones lie there."""

from __future__ import annotations

import json
import string
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

DIMENSIONS = 32
MAX_LENGTH = 32
LAYERS = 2
_WIDE = 64
_WORDS = ("the", "a", "cat", "dog", "sat", "on", "mat", "warm", "cold", "what", "is", "?", ".")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS = (*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase))
VOCABULARY = (*_SPECIAL, *_WORDS, *_LETTERS)

Tensors = dict[str, npt.NDArray[np.float32]]


def write_sentence_model(
    folder: Path,
    *,
    pooling: str = "mean_tokens",
    model_type: str = "bert",
    prompts: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Path:
    """Write a sentence-transformers model."""
    _write_encoder(folder, _encoder(seed), model_type=model_type, extra={})
    modules = [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Normalize", "sentence_transformers.models.Normalize"),
    ]
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": kind}
        for number, (path, kind) in enumerate(modules)
    ]
    write_json(folder / "modules.json", listed)
    write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": MAX_LENGTH, "do_lower_case": False},
    )
    write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": DIMENSIONS, f"pooling_mode_{pooling}": True},
    )
    write_json(folder / "config_sentence_transformers.json", {"prompts": dict(prompts or {})})
    return folder


def write_cross_encoder(folder: Path, *, labels: int = 1) -> Path:
    """Write a cross-encoder."""
    random = np.random.default_rng(7)
    tensors = {f"bert.{name}": tensor for name, tensor in _encoder(7).items()}
    tensors["bert.pooler.dense.weight"] = _normal(random, DIMENSIONS, DIMENSIONS)
    tensors["bert.pooler.dense.bias"] = _normal(random, DIMENSIONS)
    tensors["classifier.weight"] = _normal(random, labels, DIMENSIONS)
    tensors["classifier.bias"] = _normal(random, labels)
    names = {str(number): f"LABEL_{number}" for number in range(labels)}
    extra = {"architectures": ["BertForSequenceClassification"], "id2label": names}
    _write_encoder(folder, tensors, model_type="bert", extra=extra)
    return folder


def write_sparse_encoder(folder: Path, *, seed: int = 0) -> Path:
    """Write a SPLADE model."""
    random = np.random.default_rng(seed)
    tensors = {f"bert.{name}": tensor for name, tensor in _encoder(seed).items()}
    head = "cls.predictions."
    tensors[f"{head}transform.dense.weight"] = _normal(random, DIMENSIONS, DIMENSIONS)
    tensors[f"{head}transform.dense.bias"] = _normal(random, DIMENSIONS)
    tensors[f"{head}transform.LayerNorm.weight"] = 1 + _normal(random, DIMENSIONS)
    tensors[f"{head}transform.LayerNorm.bias"] = _normal(random, DIMENSIONS)
    tensors[f"{head}bias"] = _normal(random, len(VOCABULARY)) - 1  # sparse: most logits below 0
    extra = {"architectures": ["BertForMaskedLM"]}
    _write_encoder(folder, tensors, model_type="bert", extra=extra)
    modules = [
        ("", "sentence_transformers.base.modules.transformer.Transformer"),
        (
            "1_SpladePooling",
            "sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling",
        ),
    ]
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": kind}
        for number, (path, kind) in enumerate(modules)
    ]
    write_json(folder / "modules.json", listed)
    reads = {"text": {"method": "forward", "method_output_name": "logits"}}
    write_json(
        folder / "sentence_bert_config.json",
        {
            "transformer_task": "fill-mask",
            "modality_config": reads,
            "module_output_name": "token_embeddings",
        },
    )
    write_json(
        folder / "1_SpladePooling" / "config.json",
        {"pooling_strategy": "max", "activation_function": "relu"},
    )
    write_json(folder / "config_sentence_transformers.json", {"model_type": "SparseEncoder"})
    return folder


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_wheel(folder: Path, *, package: str, version: str, files: Mapping[str, bytes]) -> Path:
    """Write a wheel that carries files under their paths."""
    module = package.replace("-", "_")
    information = f"{module}-{version}.dist-info"
    members = {
        **files,
        f"{information}/METADATA": (
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode()
        ),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*members, f"{information}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
        wheel.writestr(f"{information}/RECORD", record)
    return path


def gguf_bytes(
    *,
    context_tokens: int = 128,
    tokens: Sequence[str] = ("<s>", "a"),
    kinds: Sequence[int] = (3, 1),
    tensor_offset: int = 0,
    weights: bytes = b"\0" * 64,
) -> bytes:
    """A GGUF file with one tensor."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    def listed(kind: int, values: Sequence[bytes]) -> bytes:
        return struct.pack("<IIQ", 9, kind, len(values)) + b"".join(values)

    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("llama.context_length") + struct.pack("<II", 4, context_tokens),
        text("tokenizer.ggml.tokens") + listed(8, [text(token) for token in tokens]),
        text("tokenizer.ggml.token_type") + listed(5, [struct.pack("<i", kind) for kind in kinds]),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQIQ", 1, 16, 0, tensor_offset)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs))
    return head + b"".join(pairs) + tensor + weights


def _write_encoder(
    folder: Path, tensors: Tensors, *, model_type: str, extra: Mapping[str, object]
) -> None:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["BertModel"],
        "model_type": model_type,
        "vocab_size": len(VOCABULARY),
        "hidden_size": DIMENSIONS,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": _WIDE,
        "hidden_act": "gelu",
        "max_position_embeddings": MAX_LENGTH + 1,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        **extra,
    }
    write_json(folder / "config.json", config)
    _write_tokenizer(folder)


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import BertWordPieceTokenizer

    numbers = {word: number for number, word in enumerate(VOCABULARY)}
    BertWordPieceTokenizer(numbers, lowercase=True).save(str(folder / "tokenizer.json"))
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    settings = dict(zip(names, _SPECIAL, strict=True))
    write_json(
        folder / "tokenizer_config.json",
        {**settings, "tokenizer_class": "BertTokenizer", "model_max_length": MAX_LENGTH},
    )
    write_json(folder / "special_tokens_map.json", settings)


def _encoder(seed: int) -> Tensors:
    random = np.random.default_rng(seed)
    tensors = {
        "embeddings.word_embeddings.weight": _normal(random, len(VOCABULARY), DIMENSIONS),
        "embeddings.position_embeddings.weight": _normal(random, MAX_LENGTH + 1, DIMENSIONS),
        "embeddings.token_type_embeddings.weight": _normal(random, 2, DIMENSIONS),
    }
    norms = ["embeddings.LayerNorm"]
    shapes = {
        "attention.self.query": (DIMENSIONS, DIMENSIONS),
        "attention.self.key": (DIMENSIONS, DIMENSIONS),
        "attention.self.value": (DIMENSIONS, DIMENSIONS),
        "attention.output.dense": (DIMENSIONS, DIMENSIONS),
        "intermediate.dense": (_WIDE, DIMENSIONS),
        "output.dense": (DIMENSIONS, _WIDE),
    }
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        for name, (rows, columns) in shapes.items():
            tensors[f"{prefix}{name}.weight"] = _normal(random, rows, columns)
            tensors[f"{prefix}{name}.bias"] = _normal(random, rows)
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    for name in norms:
        tensors[f"{name}.weight"] = 1 + _normal(random, DIMENSIONS)
        tensors[f"{name}.bias"] = _normal(random, DIMENSIONS)
    return tensors


def _normal(random: np.random.Generator, *shape: int) -> npt.NDArray[np.float32]:
    return (0.2 * random.normal(size=shape)).astype(np.float32)
