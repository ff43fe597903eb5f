"""Which tests need models, and what stands for them where they are absent."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the default models where they are absent, unless that is forbidden."""
    if os.environ.get("RAGMEM_REQUIRE_MODELS") == "1":
        return
    from ragmem.models.cache import installed
    from ragmem.models.registry import DEFAULT_CHAT, DEFAULT_EMBEDDING

    if installed(DEFAULT_CHAT) and installed(DEFAULT_EMBEDDING):
        return
    skip = pytest.mark.skip(reason="needs the default models: ragmem models pull")
    for item in items:
        if item.get_closest_marker("models"):
            item.add_marker(skip)
