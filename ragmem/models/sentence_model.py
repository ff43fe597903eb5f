"""What a sentence-transformers folder says about its model, read without its library.

Understands BERT-shaped encoders (BERT, RoBERTa, XLM-RoBERTa) with mean or first-token pooling;
everything else is refused with the reason, never approximated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ragmem.errors import ModelError

Pooling = Literal["mean", "cls"]

_POSITION_OFFSET_TYPES = ("roberta", "xlm-roberta")
_SUPPORTED_TYPES = ("bert", *_POSITION_OFFSET_TYPES)
_UNLIMITED_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceModel:
    """The shape and settings of an encoder that turns a text into one vector.

    Attributes:
        layers, heads, dimensions: the encoder's shape.
        layer_norm_epsilon: added to the variance in every normalisation.
        position_offset: the row of the position table that the first token takes.
        pooling: how token vectors become one.
        max_length: the most tokens read, special tokens included.
        query_prompt, document_prompt: what the model wants before a text.
    """

    layers: int
    heads: int
    dimensions: int
    layer_norm_epsilon: float
    position_offset: int
    pooling: Pooling
    max_length: int
    query_prompt: str
    document_prompt: str


def read_sentence_model(folder: Path) -> SentenceModel:
    """Read a folder's configuration files.

    Raises:
        ModelError: no such model is in the folder, or it is of a kind that is not understood.
    """
    config = _read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in _SUPPORTED_TYPES:
        raise _refused(folder, f"its type is {kind!r}, understood are {_SUPPORTED_TYPES}")
    _expect(folder, config, "hidden_act", "gelu")
    _expect(folder, config, "position_embedding_type", "absolute")
    modules = _read_json_list(folder / "modules.json")
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise _refused(folder, f"its modules are {kinds}")
    transformer = _read_json(folder / "sentence_bert_config.json")
    if transformer.get("do_lower_case"):
        raise _refused(folder, "it lower-cases texts outside its tokenizer")
    padding = config.get("pad_token_id")
    offset = (int(padding) if isinstance(padding, int) else 1) + 1
    offset = offset if kind in _POSITION_OFFSET_TYPES else 0
    query, document = _prompts(folder)
    return SentenceModel(
        layers=_number(folder, config, "num_hidden_layers"),
        heads=_number(folder, config, "num_attention_heads"),
        dimensions=_number(folder, config, "hidden_size"),
        layer_norm_epsilon=float(str(config.get("layer_norm_eps", 1e-12))),
        position_offset=offset,
        pooling=_pooling(folder, _read_json(folder / str(modules[1]["path"]) / "config.json")),
        max_length=_max_length(folder, config, transformer, offset),
        query_prompt=query,
        document_prompt=document,
    )


def _pooling(folder: Path, config: Mapping[str, object]) -> Pooling:
    mode = config.get("pooling_mode")
    if mode is None:
        prefix = "pooling_mode_"
        chosen = [
            key.removeprefix(prefix) for key, on in config.items() if key.startswith(prefix) and on
        ]
        mode = chosen[0] if len(chosen) == 1 else chosen
    if config.get("include_prompt") is False:
        raise _refused(folder, "its pooling leaves the prompt out")
    if mode in ("mean", "mean_tokens"):
        return "mean"
    if mode in ("cls", "cls_token"):
        return "cls"
    raise _refused(folder, f"its pooling is {mode!r}, understood are mean and cls")


def _max_length(
    folder: Path, config: Mapping[str, object], transformer: Mapping[str, object], offset: int
) -> int:
    positions = _number(folder, config, "max_position_embeddings") - offset
    limit = transformer.get("max_seq_length")
    if limit is None:
        limit = _read_json(folder / "tokenizer_config.json").get("model_max_length")
    # Tokenizers without a limit of their own say so by a huge number.
    if not isinstance(limit, (int, float)) or limit > _UNLIMITED_TOKENS:
        return positions
    return min(int(limit), positions)


def _prompts(folder: Path) -> tuple[str, str]:
    path = folder / "config_sentence_transformers.json"
    settings = _read_json(path) if path.is_file() else {}
    prompts = settings.get("prompts")
    if not isinstance(prompts, dict):
        return "", ""
    default = prompts.get(settings.get("default_prompt_name"), "")
    documents = [prompts[name] for name in ("document", "passage", "corpus") if name in prompts]
    return str(prompts.get("query", default)), str(documents[0] if documents else default)


def _expect(folder: Path, config: Mapping[str, object], key: str, wanted: str) -> None:
    if config.get(key, wanted) != wanted:
        raise _refused(folder, f"its {key} is {config[key]!r}, understood is {wanted!r}")


def _number(folder: Path, config: Mapping[str, object], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise _refused(folder, f"its {key} is {value!r}")
    return value


def _read_json(path: Path) -> dict[str, object]:
    content = _load(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold a JSON object")
    return content


def _read_json_list(path: Path) -> list[dict[str, object]]:
    content = _load(path)
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ModelError(f"{path} does not hold a list of JSON objects")
    return content


def _load(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.parent} is not a sentence-transformers model: {path.name}: {error}"
        ) from error


def _refused(folder: Path, reason: str) -> ModelError:
    return ModelError(
        f"{folder} cannot run in ONNX Runtime: {reason}; "
        "choose the sentence-transformers embedder for this model"
    )
