"""The commands as a user types them, with the real models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ran

pytestmark = pytest.mark.models
Run = Callable[..., Ran]

TEXTS = {
    "warranty.md": "# Warranty\n\nThe warranty of the kettle lasts 24 months from the purchase.\n",
    "cleaning.txt": "Clean the kettle with vinegar once a month. Never use bleach.\n",
    "people.csv": "name,city\nAna,Lisbon\nBob,Oslo\n",
}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def store(tmp_path: Path, docs: Path, run: Run) -> Path:
    folder = tmp_path / "store"
    assert run("ingest", docs, "--store", folder).code == 0
    return folder


def test_ingest_reports_each_document_once(tmp_path: Path, docs: Path, run: Run) -> None:
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (docs / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    ran = run("ingest", docs, "--store", tmp_path / "store", "--json")
    assert ran.code == 3
    report = ran.json
    assert (report["added"], report["updated"], report["unchanged"]) == (3, 0, 0)
    assert [item["uri"] for item in report["failed"]] == [(docs / "broken.pdf").as_uri()]
    assert [item["uri"] for item in report["skipped"]] == [(docs / "picture.png").as_uri()]
    assert report["chunks"] == 3
    assert report["seconds"] > 0
    (docs / "broken.pdf").unlink()
    (docs / "picture.png").unlink()
    again = run("ingest", docs, "--store", tmp_path / "store", "--json")
    assert (again.code, again.json["unchanged"], again.json["chunks"]) == (0, 3, 0)


def test_ingest_tells_people_what_it_did(tmp_path: Path, docs: Path, run: Run) -> None:
    (docs / "empty.txt").write_text("")
    ran = run("ingest", docs, "--store", tmp_path / "store")
    assert ran.code == 3
    assert "3 added, 0 updated, 0 unchanged, 0 deleted, 0 failed, 1 skipped" in ran.out
    assert f"skipped {(docs / 'empty.txt').as_uri()}: " in ran.out


def test_search_prints_hits_that_are_in_the_documents(store: Path, docs: Path, run: Run) -> None:
    ran = run("search", "how long is the warranty?", "--store", store, "--json", "--k", 2)
    assert ran.code == 0
    best = ran.json["hits"][0]
    assert best["document_uri"] == (docs / "warranty.md").as_uri()
    assert best["text"] == TEXTS["warranty.md"][best["start"] : best["end"]]
    assert {"dense", "lexical", "fused"} <= best["scores"].keys()
    assert best["matched"] == {}
    assert len(ran.json["hits"]) == 2
    assert "warranty.md" in run("search", "warranty", "--store", store, "--trace").out


def test_ask_cites_exactly(store: Path, docs: Path, run: Run) -> None:
    ran = run("ask", "How long does the warranty of the kettle last?", "--store", store, "--json")
    assert ran.code == 0
    answer = ran.json
    assert answer.keys() == {"answer", "supported", "citations", "trace"}
    assert answer["supported"] is True
    assert "24 months" in answer["answer"]
    for citation in answer["citations"]:
        assert citation.keys() == {"uri", "page", "start", "end", "quote"}
        name = citation["uri"].rsplit("/", 1)[1]
        assert citation["quote"] == TEXTS[name][citation["start"] : citation["end"]]
    assert "[1]" in run("ask", "How long does the warranty last?", "--store", store).out


def test_ask_says_when_nothing_answers(store: Path, run: Run) -> None:
    answer = run("ask", "Who won the football world cup?", "--store", store, "--json").json
    assert (answer["supported"], answer["citations"]) == (False, [])


def test_a_question_that_is_too_long_is_refused_with_numbers(store: Path, run: Run) -> None:
    ran = run("ask", "why " * 6000, "--store", store)
    assert ran.code == 2
    assert "6,00" in ran.err
    assert "fit the model's context" in ran.err


def test_show_prints_the_text_that_citations_point_into(store: Path, docs: Path, run: Run) -> None:
    path = docs / "cleaning.txt"
    assert run("show", path, "--store", store).out == TEXTS["cleaning.txt"]
    ran = run("show", path.as_uri(), "--store", store, "--start", 6, "--end", 16, "--json")
    assert ran.json["text"] == "the kettle"
    missing = run("show", "file:///nowhere.txt", "--store", store)
    assert (missing.code, missing.out) == (2, "")
    assert "no document file:///nowhere.txt" in missing.err


def test_status_lists_sources_documents_and_failures(store: Path, docs: Path, run: Run) -> None:
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    run("ingest", docs, "--store", store)
    found = run("status", "--store", store, "--json").json
    assert [document["uri"] for document in found["documents"]] == sorted(
        (docs / name).as_uri() for name in TEXTS
    )
    [source] = found["sources"]
    assert (source["status"], source["counts"]["unchanged"]) == ("done", 3)
    assert source["failed"][0]["uri"] == (docs / "broken.pdf").as_uri()
    assert "failed" in run("status", "--store", store).out


def test_reindex_brings_back_what_the_indexes_lost(store: Path, run: Run) -> None:
    import shutil

    shutil.rmtree(store / "dense")
    shutil.rmtree(store / "lexical")
    ran = run("doctor", "--store", store)
    assert ran.code == 1
    assert "ragmem reindex" in ran.out
    assert run("reindex", "--store", store).code == 0
    assert run("doctor", "--store", store).code == 0
    assert run("search", "vinegar", "--store", store, "--json").json["hits"]


def test_access_lists_and_tenants_hold_in_the_commands(
    tmp_path: Path, docs: Path, run: Run
) -> None:
    store = tmp_path / "store"
    run("ingest", docs / "warranty.md", "--store", store, "--acl", "user:ana")
    run("ingest", docs / "cleaning.txt", "--store", store, "--tenant", "other")
    search = ("search", "kettle", "--store", store, "--json")
    assert run(*search).json["hits"] == []
    assert len(run(*search, "--user", "ana").json["hits"]) == 1
    assert len(run(*search, "--tenant", "other").json["hits"]) == 1
    assert run("show", docs / "warranty.md", "--store", store, "--user", "bob").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["search", "x", "--store", "nowhere"], 1, "there is no store at nowhere"),
        (["ingest", "nothing-here", "--store", "s"], 2, "nothing-here"),
        (["ingest", "weird://x", "--store", "s"], 2, "no connector is installed for weird:"),
        (["search", " ", "--store", "STORE"], 2, "the question is empty"),
        (["search", "x", "--store", "STORE", "--k", "0"], 2, "k is 0"),
        (["search"], 2, "Missing argument"),
        (["ingest", "DOCS", "--store", "s", "--metadata", "novalue"], 2, "KEY=VALUE"),
        (["search", "x", "--store", "STORE", "--settings", "no.toml"], 2, "no.toml"),
    ],
)
def test_wrong_use_says_what_to_do(
    tmp_path: Path,
    store: Path,
    docs: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"STORE": str(store), "DOCS": str(docs)}
    ran = run(*(places.get(each, each) for each in arguments))
    assert ran.code == code
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_models_are_listed_and_verified(run: Run) -> None:
    listed = {model["name"]: model for model in run("models", "list", "--json").json["models"]}
    assert listed["all-minilm-l6-v2"]["installed"] is True
    assert run("models", "verify", "all-minilm-l6-v2").code == 0
    assert run("models", "pull", "no-such-model").code == 1
