"""Opening stores whose indexes were lost, or belong to another folder."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import HashEmbedder, LineChunker

from ragmem import (
    Agent,
    Replacements,
    Settings,
    StoreMismatch,
    StoreMissing,
    TextDocument,
    embed_store_again,
)
from ragmem.checkup import Finding, examine
from ragmem.parts import Parts
from ragmem.ports import TokenCounter

TEXTS = [
    TextDocument(uri="note:kettle", text="The warranty of the kettle lasts 24 months."),
    TextDocument(uri="note:toaster", text="The warranty of the toaster lasts 12 months."),
]


def opened(folder: Path, *, database_url: str | None = None, read_only: bool = False) -> Agent:
    return Agent.open(
        folder,
        settings=Settings(chat_model="", database_url=database_url),
        read_only=read_only,
        replacements=Replacements(embedder=HashEmbedder()),
    )


def found(agent: Agent, question: str = "warranty") -> dict[str, set[str]]:
    """The URIs that each index proposes."""
    result = agent.knowledge.search(question)
    return {
        name: {hit.document_uri for hit in result.hits if name in hit.scores}
        for name in ("dense", "lexical")
    }


EVERYTHING = {"dense": {"note:kettle", "note:toaster"}, "lexical": {"note:kettle", "note:toaster"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(tmp_path / "store") as agent:
        agent.knowledge.add_texts(TEXTS)
        assert found(agent) == EVERYTHING
    return tmp_path / "store"


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("lost", [["dense"], ["lexical"], ["dense", "lexical"], ["indexes.json"]])
def test_lost_indexes_are_built_again(folder: Path, lost: list[str], read_only: bool) -> None:
    for name in lost:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink()
    with opened(folder, read_only=read_only) as agent:
        assert found(agent) == EVERYTHING
    noted = (folder / "indexes.json").read_bytes()
    with opened(folder) as agent:
        assert found(agent) == EVERYTHING
    assert (folder / "indexes.json").read_bytes() == noted


def test_an_index_of_another_time_is_built_again(folder: Path) -> None:
    shutil.copytree(folder / "dense", folder.parent / "backup" / "dense")
    shutil.copy(folder / "indexes.json", folder.parent / "backup")
    with opened(folder) as agent:
        agent.reindex()
        agent.knowledge.remove("note:toaster")
    shutil.rmtree(folder / "dense")
    shutil.copytree(folder.parent / "backup", folder, dirs_exist_ok=True)
    with opened(folder) as agent:
        assert found(agent)["dense"] == {"note:kettle"}


def test_two_folders_over_one_database_both_find_everything(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with opened(tmp_path / "one", database_url=url) as agent:
        agent.knowledge.add_texts(TEXTS[:1])
    with opened(tmp_path / "two", database_url=url) as agent:
        assert found(agent)["lexical"] == {"note:kettle"}
        agent.knowledge.add_texts(TEXTS[1:])
    with opened(tmp_path / "one", database_url=url, read_only=True) as agent:
        assert found(agent) == EVERYTHING
    with opened(tmp_path / "two", database_url=url) as agent:
        for text in TEXTS:
            agent.knowledge.remove(text.uri)
    with opened(tmp_path / "one", database_url=url) as agent:
        assert found(agent) == {"dense": set(), "lexical": set()}
        agent.knowledge.add_texts(TEXTS)
        assert found(agent) == EVERYTHING


def test_a_new_store_has_nothing_to_build(tmp_path: Path) -> None:
    opened(tmp_path / "store").close()
    noted = (tmp_path / "store" / "indexes.json").read_bytes()
    assert not (tmp_path / "store" / "dense").exists()
    opened(tmp_path / "store", read_only=True).close()
    assert (tmp_path / "store" / "indexes.json").read_bytes() == noted


def test_embedding_again_takes_the_callers_parts(folder: Path) -> None:
    other = HashEmbedder(model_id="hash-24", dimensions=24)
    replacements = Replacements(embedder=other)
    settings = Settings(chat_model="")
    embed_store_again(folder, settings=settings, replacements=replacements)
    with Agent.open(folder, settings=settings, replacements=replacements) as agent:
        assert found(agent) == EVERYTHING
    with pytest.raises(StoreMismatch, match="hash-24"):
        opened(folder)


def test_embedding_again_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match=r"no store at .*typo"):
        embed_store_again(tmp_path / "typo", settings=Settings(chat_model=""))
    assert not (tmp_path / "typo").exists()


def test_threads_share_one_part(tmp_path: Path) -> None:
    made: list[int] = []

    def slow_chunker(_tokens: TokenCounter) -> LineChunker:
        made.append(1)
        time.sleep(0.05)
        return LineChunker()

    replacements = Replacements(embedder=HashEmbedder(), chunker=slow_chunker)
    parts = Parts(tmp_path, Settings(), replacements=replacements)
    with ThreadPoolExecutor(4) as pool:
        chunkers = list(pool.map(lambda _: parts.chunker, range(4)))
    assert made == [1]
    assert len({id(chunker) for chunker in chunkers}) == 1


def told(folder: Path, *, database_url: str | None = None) -> Finding:
    """What the checkup says of the store."""
    settings = Settings(chat_model="", database_url=database_url)
    replacements = Replacements(embedder=HashEmbedder())
    return examine(folder, settings=settings, replacements=replacements)[-1]


def test_the_checkup_tells_of_lost_indexes_and_makes_none(folder: Path) -> None:
    assert told(folder) == Finding(
        healthy=True, text=f"store {folder}: 2 chunks, the same in every index"
    )
    shutil.rmtree(folder / "lexical")
    assert not told(folder).healthy
    assert "ragmem reindex" in told(folder).text
    assert not (folder / "lexical").exists()


def test_the_checkup_looks_into_another_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    nothing = Finding(healthy=True, text=f"no store at {tmp_path / 'two'} yet")
    assert told(tmp_path / "two") == nothing
    assert told(tmp_path / "two", database_url=url) == nothing
    with opened(tmp_path / "one", database_url=url) as agent:
        agent.knowledge.add_texts(TEXTS)
    assert "2 chunks" in told(tmp_path / "one", database_url=url).text
    assert "not the database's" in told(tmp_path / "two", database_url=url).text
