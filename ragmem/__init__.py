"""Answers from your documents, with exact citations, on your own machine.

Names load when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragmem.agent.answering import AnswerEvent, SentenceEvent
    from ragmem.agent.knowledge import Knowledge
    from ragmem.app import Agent
    from ragmem.errors import (
        ChecksumMismatch,
        GenerationError,
        MissingExtra,
        ModelError,
        ModelUnavailable,
        ParseError,
        PermanentSourceError,
        QuestionTooLong,
        RagmemError,
        SourceError,
        StoreCorrupt,
        StoreError,
        StoreLocked,
        StoreMismatch,
        StoreMissing,
        TransientSourceError,
        UnknownDocument,
        UnknownModel,
        UnknownSource,
        UsageError,
    )
    from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not, equals
    from ragmem.ingestion.mapping import MetadataMapping
    from ragmem.ingestion.recipes import SourceRequest
    from ragmem.opening import embed_store_again
    from ragmem.parts import Replacements
    from ragmem.ports import Connector, HoldsConversations
    from ragmem.retrieval.fusion import Fusion, ScoreList, fuse
    from ragmem.settings import Settings, load_settings
    from ragmem.store.status import SourceStatus, StoreStatus
    from ragmem.types import (
        Answer,
        Citation,
        Conversation,
        Document,
        DocumentInfo,
        Hit,
        ItemReport,
        PageSpan,
        RawDocument,
        Scope,
        SearchResult,
        SkippedItem,
        SourceDescription,
        SourceItem,
        Stage,
        SyncProgress,
        SyncReport,
        TextDocument,
        Trace,
        Utterance,
    )
    from ragmem.watching import watch

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AllOf",
    "Answer",
    "AnswerEvent",
    "AnyOf",
    "ChecksumMismatch",
    "Citation",
    "Condition",
    "Connector",
    "Conversation",
    "Document",
    "DocumentInfo",
    "Filter",
    "Fusion",
    "GenerationError",
    "Hit",
    "HoldsConversations",
    "ItemReport",
    "Knowledge",
    "MetadataMapping",
    "MissingExtra",
    "ModelError",
    "ModelUnavailable",
    "Not",
    "PageSpan",
    "ParseError",
    "PermanentSourceError",
    "QuestionTooLong",
    "RagmemError",
    "RawDocument",
    "Replacements",
    "Scope",
    "ScoreList",
    "SearchResult",
    "SentenceEvent",
    "Settings",
    "SkippedItem",
    "SourceDescription",
    "SourceError",
    "SourceItem",
    "SourceRequest",
    "SourceStatus",
    "Stage",
    "StoreCorrupt",
    "StoreError",
    "StoreLocked",
    "StoreMismatch",
    "StoreMissing",
    "StoreStatus",
    "SyncProgress",
    "SyncReport",
    "TextDocument",
    "Trace",
    "TransientSourceError",
    "UnknownDocument",
    "UnknownModel",
    "UnknownSource",
    "UsageError",
    "Utterance",
    "embed_store_again",
    "equals",
    "fuse",
    "load_settings",
    "watch",
]

_MODULES = {
    "Agent": "ragmem.app",
    "Connector": "ragmem.ports",
    "HoldsConversations": "ragmem.ports",
    "MetadataMapping": "ragmem.ingestion.mapping",
    "SourceRequest": "ragmem.ingestion.recipes",
    "watch": "ragmem.watching",
    "AnswerEvent": "ragmem.agent.answering",
    "Knowledge": "ragmem.agent.knowledge",
    "Replacements": "ragmem.parts",
    "Fusion": "ragmem.retrieval.fusion",
    "ScoreList": "ragmem.retrieval.fusion",
    "fuse": "ragmem.retrieval.fusion",
    "SentenceEvent": "ragmem.agent.answering",
    "Settings": "ragmem.settings",
    "SourceStatus": "ragmem.store.status",
    "StoreStatus": "ragmem.store.status",
    "embed_store_again": "ragmem.opening",
    "load_settings": "ragmem.settings",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    homes = [_MODULES[name]] if name in _MODULES else _VALUES
    for home in homes:
        module = import_module(home)
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} lost its attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


_VALUES = ["ragmem.types", "ragmem.errors", "ragmem.filters"]
