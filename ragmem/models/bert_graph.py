"""Writes a BERT-shaped encoder with its pooling as an ONNX graph of fused operators.

The graph is built from the weights themselves, without torch: ONNX Runtime gets the fused
attention, normalisation and activation operators (domain `com.microsoft`) that its own optimiser
would look for. The architecture is that of Devlin et al. 2019, "BERT", pooled as in Reimers and
Gurevych 2019, "Sentence-BERT". Padding stands on the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ragmem.models.sentence_model import SentenceModel

if TYPE_CHECKING:
    import onnx

Weights = Mapping[str, npt.NDArray[np.float32]]
"""Tensors by the names that transformers gives them, without a prefix before `embeddings.`."""

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
EMBEDDING = "embedding"
TOKENS = "tokens"

_FUSED = "com.microsoft"
_OPSET = 17
_IR_VERSION = 8


def write_graph(weights: Weights, model: SentenceModel, path: Path) -> None:
    """Write the graph to `path` and its weights to a file beside it, which can be memory-mapped.

    Inputs are `input_ids` and `attention_mask`, int32, shape (texts, tokens). The outputs are
    `embedding`, float32, shape (texts, dimensions), rows of length one, and `tokens`, float32,
    shape (texts, tokens, dimensions), the last layer before pooling.

    Raises:
        KeyError: a weight is missing.
    """
    import onnx

    graph = _Graph(model.layer_norm_epsilon)
    hidden = _add_embeddings(graph, weights, model)
    for layer in range(model.layers):
        output = TOKENS if layer == model.layers - 1 else f"layer.{layer}"
        hidden = _add_layer(graph, weights, hidden, layer, heads=model.heads, output=output)
    _add_pooling(graph, hidden, model)
    onnx.save_model(
        graph.model(model.dimensions),
        str(path),
        save_as_external_data=True,
        location=f"{path.name}.data",
        size_threshold=1024,
    )


class _Graph:
    """Nodes and constants as they are added; every method returns the name of what it added."""

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: npt.NDArray[np.float32 | np.int64]) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        domain: str = "",
        attributes: Mapping[str, float] | None = None,
    ) -> str:
        from onnx import helper

        node = helper.make_node(operator, inputs, outputs, domain=domain, **(attributes or {}))
        self._nodes.append(node)
        return outputs[0]

    def skip_norm(self, inputs: Sequence[str], output: str) -> str:
        epsilon = {"epsilon": self._epsilon}
        return self.node(
            "SkipLayerNormalization", inputs, [output], domain=_FUSED, attributes=epsilon
        )

    def model(self, dimensions: int) -> onnx.ModelProto:
        from onnx import TensorProto, helper

        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT32, ["texts", "tokens"])
            for name in (INPUT_IDS, ATTENTION_MASK)
        ]
        shapes = {EMBEDDING: ["texts", dimensions], TOKENS: ["texts", "tokens", dimensions]}
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ]
        graph = helper.make_graph(self._nodes, "sentence-encoder", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


def _add_embeddings(graph: _Graph, weights: Weights, model: SentenceModel) -> str:
    prefix = "embeddings."
    positions = weights[prefix + "position_embeddings.weight"][model.position_offset :]
    # Every token has type 0, so that row can be added to every position once.
    positions = positions + weights[prefix + "token_type_embeddings.weight"][0]
    words = graph.constant("words", weights[prefix + "word_embeddings.weight"])
    scale = graph.constant("words.scale", weights[prefix + "LayerNorm.weight"])
    shift = graph.constant("words.shift", weights[prefix + "LayerNorm.bias"])
    places = graph.constant("positions", positions)
    return graph.node(
        "EmbedLayerNormalization",
        [INPUT_IDS, "", words, places, "", scale, shift, ATTENTION_MASK],
        ["embedded", "lengths"],
        domain=_FUSED,
        attributes={"epsilon": model.layer_norm_epsilon},
    )


def _add_layer(
    graph: _Graph, weights: Weights, hidden: str, layer: int, *, heads: int, output: str
) -> str:
    prefix = f"encoder.layer.{layer}."

    def constant(name: str, *, transposed: bool = False) -> str:
        value = weights[prefix + name]
        return graph.constant(prefix + name, value.T if transposed else value)

    def named(name: str) -> str:
        return f"{prefix}{name}.output"

    parts = [f"{prefix}attention.self.{part}." for part in ("query", "key", "value")]
    joined = np.concatenate([weights[part + "weight"].T for part in parts], axis=1)
    biases = np.concatenate([weights[part + "bias"] for part in parts])
    attended = graph.node(
        "Attention",
        [
            hidden,
            graph.constant(prefix + "attention.weight", joined),
            graph.constant(prefix + "attention.bias", biases),
            "lengths",
        ],
        [named("attention")],
        domain=_FUSED,
        attributes={"num_heads": heads},
    )

    def project(source: str, residual: str, module: str, result: str) -> str:
        weight = constant(f"{module}.dense.weight", transposed=True)
        product = graph.node("MatMul", [source, weight], [named(f"{module}.dense")])
        scale, shift = f"{module}.LayerNorm.weight", f"{module}.LayerNorm.bias"
        bias = constant(f"{module}.dense.bias")
        inputs = [product, residual, constant(scale), constant(shift), bias]
        return graph.skip_norm(inputs, result)

    mixed = project(attended, hidden, "attention.output", named("attention.output"))
    weight = constant("intermediate.dense.weight", transposed=True)
    wide = graph.node("MatMul", [mixed, weight], [named("intermediate.dense")])
    bias = constant("intermediate.dense.bias")
    active = graph.node("BiasGelu", [wide, bias], [named("intermediate")], domain=_FUSED)
    return project(active, mixed, "output", output)


def _add_pooling(graph: _Graph, hidden: str, model: SentenceModel) -> None:
    from onnx import TensorProto

    if model.pooling == "cls":
        first = graph.constant("first", np.array(0, dtype=np.int64))
        pooled = graph.node("Gather", [hidden, first], ["pooled"], attributes={"axis": 1})
    else:
        # The sum is enough: scaling to length one makes it the mean's direction.
        axis = graph.constant("axis", np.array([1], dtype=np.int64))
        kind = {"to": TensorProto.FLOAT}
        ones = graph.node("Cast", [ATTENTION_MASK], ["mask"], attributes=kind)
        row = graph.node("Unsqueeze", [ones, axis], ["mask.row"])
        total = graph.node("MatMul", [row, hidden], ["sum.row"])
        pooled = graph.node("Squeeze", [total, axis], ["pooled"])
    graph.node("LpNormalization", [pooled], [EMBEDDING], attributes={"axis": 1, "p": 2})
