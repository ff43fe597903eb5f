"""The registry's cards."""

from __future__ import annotations

import pytest

from ragmem.errors import UnknownModel
from ragmem.models.registry import (
    CARDS,
    DEFAULT_CHAT,
    DEFAULT_EMBEDDING,
    DEFAULT_RERANKER,
    ModelCard,
    card,
)


def test_every_card_is_complete() -> None:
    assert len({known.name for known in CARDS}) == len(CARDS)
    for known in CARDS:
        assert known.license
        assert known.homepage.startswith("https://")
        assert bool(known.files) == bool(known.sources)
        assert known.entry in ("", *(file.path for file in known.files))
        assert all(len(file.sha256) == 64 and file.size_bytes > 0 for file in known.files)


@pytest.mark.parametrize(
    ("name", "role"),
    [(DEFAULT_CHAT, "chat"), (DEFAULT_EMBEDDING, "embedding"), (DEFAULT_RERANKER, "reranker")],
)
def test_the_defaults_are_known(name: str, role: str) -> None:
    assert card(name).role == role


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=DEFAULT_CHAT):
        card("gpt-99")


def test_a_card_of_ones_own_is_taken() -> None:
    own = ModelCard(name="own", role="chat", license="MIT", homepage="https://example.org")

    assert card(own) is own
