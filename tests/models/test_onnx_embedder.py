"""The ONNX embedder against sentence-transformers, and what it does with damaged models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import DIMENSIONS, MAX_LENGTH, write_json, write_sentence_model

from ragmem.errors import ModelError
from ragmem.models.cache import model_path
from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.models.onnx_export import export
from ragmem.models.registry import DEFAULT_EMBEDDING
from ragmem.models.sentence_transformers import SentenceTransformersEmbedder

TEXTS = ["the cat sat on the mat.", "a", "", " warm and cold \n", "what is a dog?", "cold " * 90]


def similarity(folder: Path) -> float:
    ours, theirs = OnnxEmbedder(folder), SentenceTransformersEmbedder(folder, device="cpu")
    assert ours.count_tokens(TEXTS) == theirs.count_tokens(TEXTS)
    assert ours.max_tokens == theirs.max_tokens
    pairs = [(ours.embed_documents(TEXTS), theirs.embed_documents(TEXTS))]
    pairs += [(ours.embed_query(text), theirs.embed_query(text)) for text in TEXTS[:2]]
    return min(float(np.min(np.sum(a * b, axis=-1))) for a, b in pairs)


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
def test_vectors_are_those_of_sentence_transformers(
    tmp_path: Path, pooling: str, model_type: str
) -> None:
    prompts = {"query": "what is ", "document": "the "}
    folder = write_sentence_model(
        tmp_path / "tiny", pooling=pooling, model_type=model_type, prompts=prompts
    )

    assert similarity(folder) > 1 - 1e-5


@pytest.mark.models
def test_the_real_model_is_that_of_sentence_transformers() -> None:
    folder = model_path(DEFAULT_EMBEDDING)

    assert similarity(folder) > 1 - 1e-4
    assert OnnxEmbedder(folder).max_tokens == 254


def test_the_embedding_is_the_mean_of_all_tokens_special_ones_included(tmp_path: Path) -> None:
    import onnxruntime

    folder = write_sentence_model(tmp_path / "tiny")
    embedder = OnnxEmbedder(folder)
    session = onnxruntime.InferenceSession(str(export(folder).graph))
    # [CLS] the cat [SEP], and padding that counts nothing.
    ids = np.array([[2, 5, 7, 3], [2, 7, 3, 0]], dtype=np.int32)
    inputs = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int32)}

    (tokens,) = session.run(["tokens"], inputs)

    means = np.stack([tokens[0].mean(axis=0), tokens[1, :3].mean(axis=0)])
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    assert np.allclose(embedder.embed_documents(["the cat", "cat"]), expected, atol=1e-5)
    assert np.allclose(embedder.embed_tokens(["the cat"])[0].vectors, tokens[0, 1:3], atol=1e-5)


def test_the_model_id_follows_weights_and_tokenizer(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    before = OnnxEmbedder(folder).model_id

    write_sentence_model(folder, seed=1)
    after = OnnxEmbedder(folder).model_id
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"warm":', '"worm":'))

    assert before.startswith("tiny@")
    assert before.endswith(f":mean:{MAX_LENGTH}")
    assert len({before, after, OnnxEmbedder(folder).model_id}) == 3


def test_the_model_is_converted_once(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    graph = export(folder).graph
    made = graph.stat().st_mtime_ns

    (folder / "model.safetensors").touch()

    assert export(folder).graph.stat().st_mtime_ns == made


def test_an_older_or_unfinished_conversion_is_made_again(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    graph = export(folder).graph
    record = graph.parent / "export.json"
    record.write_text(record.read_text().replace('"format": 2', '"format": 1'))
    graph.unlink()
    (folder / ".ragmem-onnx.partial").mkdir()

    assert OnnxEmbedder(folder).embed_query("a cat").shape == (DIMENSIONS,)
    assert not (folder / ".ragmem-onnx.partial").exists()


def test_a_damaged_graph_says_what_to_do(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    export(folder).graph.write_bytes(b"no graph")

    with pytest.raises(ModelError, match="delete its folder"):
        OnnxEmbedder(folder).embed_query("a cat")


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("config.json", {"model_type": "mpnet"}, "type is 'mpnet'"),
        ("config.json", {"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling"),
        ("sentence_bert_config.json", {"do_lower_case": True}, "lower-cases"),
    ],
)
def test_a_model_that_is_not_understood_is_refused(
    tmp_path: Path, file: str, change: dict[str, object], reason: str
) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    path = folder / file
    write_json(path, {**json.loads(path.read_text()), **change})

    with pytest.raises(ModelError, match=f"{reason}.*sentence-transformers embedder"):
        OnnxEmbedder(folder)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    (folder / missing).unlink()

    with pytest.raises(ModelError, match=missing):
        OnnxEmbedder(folder)


def test_truncated_weights_are_named(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])

    with pytest.raises(ModelError, match=r"model\.safetensors cannot be read"):
        OnnxEmbedder(folder)


def test_neither_torch_nor_transformers_is_imported(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "tiny")
    program = (
        "import sys; from pathlib import Path\n"
        "from ragmem.models.onnx_embedder import OnnxEmbedder\n"
        f"OnnxEmbedder(Path({str(folder)!r})).embed_query('a cat')\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
