"""The public surface: sorted, complete, quick and silent to import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import ragmem
from ragmem import errors, filters, types

HEAVY = {
    "alembic",
    "chromadb",
    "llama_index",
    "numpy",
    "onnxruntime",
    "pydantic",
    "pypdfium2",
    "sentence_transformers",
    "sqlalchemy",
    "tantivy",
    "tokenizers",
    "torch",
    "transformers",
    "xllamacpp",
}


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert ragmem.__all__ == sorted(set(ragmem.__all__))
    for name in ragmem.__all__:
        assert getattr(ragmem, name).__doc__ or name == "Filter"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ragmem.nothing


def test_every_error_is_public_and_in_the_drawn_tree() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.RagmemError)
    ]
    assert len(kinds) > 15
    for kind in kinds:
        assert kind.__name__ in ragmem.__all__
        assert kind.__name__ in (errors.__doc__ or "")


def test_what_the_public_calls_return_is_public() -> None:
    for name in ("Answer", "Citation", "Hit", "SearchResult", "SyncReport", "Trace"):
        assert getattr(ragmem, name) is getattr(types, name)
    assert ragmem.equals is filters.equals


def test_importing_is_silent_and_loads_nothing_heavy() -> None:
    done = run_python("import ragmem, sys; print(*sorted(m.split('.')[0] for m in sys.modules))")
    assert HEAVY & set(done.stdout.split()) == set()
    assert done.stderr == ""


def test_the_agent_loads_no_index_and_no_model() -> None:
    done = run_python("from ragmem import Agent; import sys; print(*sys.modules)")
    heavy = HEAVY - {"numpy", "pydantic", "sqlalchemy"}
    assert heavy & set(done.stdout.split()) == set()
    assert done.stderr == ""
