"""A tiny judged collection, and an agent over it that needs no model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import HashEmbedder, LineChunker

from evals.beir_data import BeirData, read_beir
from evals.retrieval import ingest
from evals.tuning.blending import NEUTRAL
from ragmem import Agent, Replacements, Settings

ANIMALS = ("otter", "heron", "badger", "lynx", "marmot", "viper")
PLACES = ("river", "meadow", "forest", "glacier", "harbour", "quarry")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """36 documents, an animal and a place each; 36 questions, a document each."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    pairs = [(animal, place) for animal in ANIMALS for place in PLACES]
    corpus = [
        {
            "_id": f"d{number}",
            "title": f"The {animal}",
            "text": f"A {animal} was seen at the {place}. It stayed until evening.",
        }
        for number, (animal, place) in enumerate(pairs)
    ]
    queries = [
        {"_id": f"q{number}", "text": f"Which {animal} lives near a {place}?"}
        for number, (animal, place) in enumerate(pairs)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = "".join(f"q{number}\td{number}\t1\n" for number in range(len(pairs)))
    for split in ("train", "test"):
        (folder / "qrels" / f"{split}.tsv").write_text(f"query\tdocument\tgrade\n{judged}")
    return folder


@pytest.fixture
def data(collection: Path) -> BeirData:
    """The collection, read."""
    return read_beir(collection)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the commands keep corpora, instead of the user's own."""
    folder = tmp_path / "kept"
    monkeypatch.setattr("evals.stores.kept_folder", lambda: folder)
    return folder


@pytest.fixture
def open_agent(tmp_path: Path) -> Callable[[Settings], Agent]:
    """Opens an agent, always over the same store, whose models are stand-ins."""

    def opened(settings: Settings) -> Agent:
        parts = Replacements(embedder=HashEmbedder(dimensions=32), chunker=lambda _: LineChunker())
        return Agent.open(tmp_path / "store", settings=settings, replacements=parts)

    return opened


@pytest.fixture
def agent(data: BeirData, open_agent: Callable[[Settings], Agent]) -> Iterator[Agent]:
    """An agent over the collection, with the settings that score lists are collected with."""
    with open_agent(Settings(**NEUTRAL)) as opened:  # type: ignore[arg-type]
        ingest(opened, data, progress=lambda *_: None)
        yield opened
