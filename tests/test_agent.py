"""The SDK end to end with the real models: what a program can rely on."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import HashEmbedder

from ragmem import (
    Agent,
    AnswerEvent,
    ModelUnavailable,
    Replacements,
    Scope,
    SentenceEvent,
    Settings,
    StoreError,
    StoreLocked,
    StoreMismatch,
    TextDocument,
    UnknownDocument,
    UsageError,
    embed_store_again,
    equals,
)
from ragmem.chunking.llama_index import NodeParserChunker
from ragmem.models.scripted import ScriptedChat

pytestmark = pytest.mark.models

QUOTING = Settings(chat_model="")
TEXTS = [
    TextDocument(
        uri="note:kettle",
        title="Kettle",
        text="# Kettle\n\nThe warranty of the kettle lasts 24 months.\n",
        text_format="markdown",
        metadata={"year": 2023, "kind": "manual"},
    ),
    TextDocument(
        uri="note:toaster",
        text="The warranty of the toaster lasts 12 months.",
        metadata={"year": 2021, "kind": "manual"},
    ),
    TextDocument(
        uri="note:secret",
        text="The warranty of the prototype lasts 99 months.",
        acl=frozenset({"user:ana"}),
    ),
]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with Agent.open(tmp_path / "store", settings=QUOTING) as opened:
        assert opened.knowledge.add_texts(TEXTS).added == 3
        yield opened


def found(agent: Agent, question: str, **options: object) -> list[str]:
    result = agent.knowledge.search(question, **options)  # type: ignore[arg-type]
    return [hit.document_uri for hit in result.hits]


def test_texts_are_replaced_by_uri_and_others_stay(agent: Agent) -> None:
    report = agent.knowledge.add_texts(
        [TextDocument(uri="note:toaster", text="The toaster has a warranty of 36 months.")]
    )
    assert (report.updated, report.deleted) == (1, 0)
    assert {info.uri for info in agent.knowledge.documents()} == {"note:kettle", "note:toaster"}
    assert "36 months" in agent.ask("How long is the warranty of the toaster?").text


def test_text_that_looks_like_a_file_is_text(agent: Agent) -> None:
    texts = [
        TextDocument(uri="t:1", text="%PDF-1.7 is how a PDF begins."),
        TextDocument(uri="t:2", text="PK\x03\x04 begins a ZIP archive."),
        TextDocument(uri="t:3", text="<html> begins a page."),
    ]
    assert agent.knowledge.add_texts(texts).added == 3
    assert agent.knowledge.document("t:1").text == texts[0].text


def test_scopes_and_filters(agent: Agent) -> None:
    question = "how long is the warranty"
    assert set(found(agent, question)) == {"note:kettle", "note:toaster"}
    assert "note:secret" in found(agent, question, scope=Scope(user="ana"))
    assert found(agent, question, where=equals(year=2021)) == ["note:toaster"]
    assert found(agent, question, scope=Scope(tenant="other")) == []
    with pytest.raises(UnknownDocument):
        agent.knowledge.document("note:secret")
    assert "99" in agent.ask("How long is the warranty of the prototype?", user="ana").text
    assert "99" not in agent.ask("How long is the warranty of the prototype?").text
    with pytest.raises(UsageError, match="either user or scope"):
        agent.ask(question, user="ana", scope=Scope())


def test_a_trace_tells_nothing_of_what_the_scope_may_not_see(agent: Agent) -> None:
    everything = agent.knowledge.search("warranty", scope=Scope(user="ana"))
    [secret] = [h.chunk_id for h in everything.hits if h.document_uri == "note:secret"]
    for ranking in ("lexical", "dense", "fused", "reranked", "default"):
        result = agent.knowledge.search("prototype warranty", ranking=ranking)
        assert secret not in str(result)


def test_the_status_names_no_source_of_what_the_scope_may_not_see(agent: Agent) -> None:
    assert agent.knowledge.status().sources == ()
    assert [s.uri for s in agent.knowledge.status(scope=Scope(user="ana")).sources] == [
        "texts:texts"
    ]


def test_what_failed_under_an_access_list_is_nobody_elses_business(
    tmp_path: Path, agent: Agent
) -> None:
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "salaries.docx").write_bytes(b"no document")
    for acl in (["user:ana"], []):  # a later run that states none does not open it
        assert len(agent.knowledge.add(tmp_path / "hr", acl=acl).failed) == 1
    source = (tmp_path / "hr").as_uri()
    ana, bob = Scope(user="ana"), Scope(user="bob")
    assert source not in {each.uri for each in agent.knowledge.status(scope=bob).sources}
    assert source in {each.uri for each in agent.knowledge.status(scope=ana).sources}
    with pytest.raises(UnknownDocument):
        agent.knowledge.remove(source, scope=bob)
    (request,) = agent.knowledge.failing()
    assert request.acl == {"user:ana"}
    (tmp_path / "hr" / "salaries.docx").rename(tmp_path / "hr" / "salaries.txt")
    assert agent.knowledge.add(request).added == 1
    assert agent.knowledge.documents(scope=ana)[0].acl == {"user:ana"}
    (tmp_path / "hr" / "salaries.txt").rename(tmp_path / "hr" / "salaries.docx")
    assert len(agent.knowledge.add(request, allow_mass_delete=True).failed) == 1
    assert agent.knowledge.remove(source, scope=ana) == 0
    assert agent.knowledge.failing() == []


@pytest.mark.parametrize("source", [["a/", "b/"], None, 5])
def test_what_is_no_source_is_refused(agent: Agent, source: object) -> None:
    with pytest.raises(UsageError, match="a source is a path"):
        agent.knowledge.add(source)  # type: ignore[arg-type]


def test_streaming_ends_with_the_whole_answer(agent: Agent) -> None:
    *sentences, last = agent.stream("How long is the warranty of the kettle?")
    assert isinstance(last, AnswerEvent)
    assert all(isinstance(each, SentenceEvent) for each in sentences)
    assert last.answer.text == " ".join(s.text for s in sentences if isinstance(s, SentenceEvent))


def test_removing_takes_a_document_out_of_everything(agent: Agent) -> None:
    assert agent.knowledge.remove("note:kettle") == 1
    assert "note:kettle" not in found(agent, "warranty of the kettle")
    assert agent.knowledge.remove("texts:texts") == 1
    assert agent.knowledge.documents() == []
    assert [d.uri for d in agent.knowledge.documents(scope=Scope(user="ana"))] == ["note:secret"]
    with pytest.raises(UnknownDocument):
        agent.knowledge.remove("note:kettle")


def test_what_a_killed_process_left_is_finished_when_a_reader_opens(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from ragmem import Agent, Settings, TextDocument
from ragmem.ingestion.indexer import Indexer
Indexer.apply_pending = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
agent = Agent.open(sys.argv[1], settings=Settings(chat_model=""))
agent.knowledge.add_texts([TextDocument(uri="note:1", text="A lamp with a battery.")])
"""
    store = tmp_path / "store"
    done = subprocess.run([sys.executable, "-c", script, str(store)], check=False)
    assert done.returncode < 0
    with Agent.open(store, settings=QUOTING, read_only=True) as agent:
        assert found(agent, "battery") == ["note:1"]
        assert agent.knowledge.status().pending == 0


def test_one_writer_many_readers(agent: Agent, tmp_path: Path) -> None:
    with pytest.raises(StoreLocked):
        Agent.open(tmp_path / "store", settings=QUOTING)
    agent.close()
    with (
        Agent.open(tmp_path / "store", settings=QUOTING, read_only=True) as one,
        Agent.open(tmp_path / "store", settings=QUOTING, read_only=True) as two,
    ):
        assert found(one, "toaster") == found(two, "toaster")
        with pytest.raises(StoreError, match="opened for reading"):
            one.knowledge.add_texts(TEXTS)


def test_another_embedding_model_is_refused_until_everything_is_embedded_again(
    agent: Agent, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tiny_models import write_sentence_model

    agent.close()
    model = write_sentence_model(tmp_path_factory.mktemp("model"))
    other = Settings(chat_model="", embedding_model=str(model))
    with pytest.raises(StoreMismatch, match="ragmem reindex --embed"):
        Agent.open(tmp_path / "store", settings=other)
    embed_store_again(tmp_path / "store", settings=other)
    with Agent.open(tmp_path / "store", settings=other) as agent:
        assert found(agent, "toaster")[0] == "note:toaster"
    absent = Settings(embedding_model="all-minilm-l6-v2", models=tmp_path / "empty")
    with pytest.raises(ModelUnavailable, match="ragmem models pull"):
        Agent.open(tmp_path / "store", settings=absent)


def test_parts_of_the_callers_own(tmp_path: Path) -> None:
    from llama_index.core.node_parser import SentenceSplitter

    chat = ScriptedChat(["The moon is made of cheese.", "The warranty lasts 24 months."] * 3)
    parser = SentenceSplitter(chunk_size=20, chunk_overlap=0, tokenizer=str.split)
    replacements = Replacements(
        chat=chat,
        embedder=HashEmbedder(dimensions=64),
        chunker=lambda tokens: NodeParserChunker(parser, tokens, name="sentences"),
    )
    with Agent.open(tmp_path / "store", replacements=replacements) as agent:
        text = "One two three. " * 12 + "The warranty lasts 24 months. " + "Four five six. " * 12
        agent.knowledge.add_texts([TextDocument(uri="note:1", text=text)])
        assert agent.knowledge.status().documents[0].chunks > 2
        answer = agent.ask("The warranty lasts 24 months how long")
        assert "cheese" not in answer.text
        assert answer.citations[0].quote == "The warranty lasts 24 months."
    assert chat.calls


def test_without_a_reranker_the_fused_order_is_the_answer(agent: Agent, tmp_path: Path) -> None:
    agent.close()
    plain = Settings(chat_model="", reranker="none")
    with Agent.open(tmp_path / "store", settings=plain, read_only=True) as reader:
        assert "reranked" not in reader.knowledge.search("kettle").hits[0].scores
        assert "reranked" in reader.knowledge.search("kettle", ranking="reranked").hits[0].scores


def test_an_open_agent_searches_on_after_a_reindex(agent: Agent) -> None:
    before = found(agent, "warranty of the kettle")
    knowledge = agent.knowledge
    agent.reindex()
    assert found(agent, "warranty of the kettle") == before
    assert knowledge.add_texts([TextDocument(uri="note:lamp", text="A lamp.")]).added == 1
    assert found(agent, "lamp")[0] == "note:lamp"


def test_writers_take_turns_and_readers_go_on(agent: Agent) -> None:
    failures: list[BaseException] = []

    def write(name: int) -> None:
        try:
            for turn in range(4):
                texts = [
                    TextDocument(uri=f"t:{name}:{i}", text=f"lamp {name} {i} {turn}")
                    for i in range(3)
                ]
                agent.knowledge.add_texts(texts, source=f"s{name}")
                agent.knowledge.remove(f"t:{name}:0")
        except BaseException as error:
            failures.append(error)
            raise

    def read() -> None:
        try:
            for _ in range(20):
                agent.knowledge.search("lamp")
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
    threads += [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert agent.knowledge.status().pending == 0
    assert len([d for d in agent.knowledge.documents() if d.uri.startswith("t:")]) == 6
    agent.reindex()
    assert len(found(agent, "lamp", k=50)) >= 6


def test_a_closed_agent_says_so(agent: Agent) -> None:
    knowledge = agent.knowledge
    agent.close()
    agent.close()
    for call in (
        lambda: agent.ask("anything"),
        lambda: agent.knowledge,
        lambda: knowledge.search("anything"),
        lambda: knowledge.add_texts(TEXTS),
        agent.reindex,
    ):
        with pytest.raises(StoreError, match="is closed"):
            call()
