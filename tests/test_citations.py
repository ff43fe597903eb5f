"""Every citation of every answer is the exact text of its document, in every format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from format_files import FACT, OTHER, write_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragmem import Agent, Answer, Scope, Settings

pytestmark = pytest.mark.models

WORDS = sorted(set((FACT + " " + OTHER).rstrip(".").replace(".", "").split()))
ODD = ["“quoted”", "naïve", "𝒳", "日本語", "\u200b", "\n", "'; drop table documents", "](http://x)"]

questions = st.lists(st.sampled_from(WORDS + ODD), min_size=1, max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats") / "docs"
    write_all(folder)
    return folder


@pytest.fixture(scope="module", params=["quoting", "generating"])
def agent(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    chosen = Settings(chat_model="") if request.param == "quoting" else Settings()
    with Agent.open(tmp_path_factory.mktemp("store"), settings=chosen) as opened:
        report = opened.knowledge.add(folder)
        assert report.complete, report
        yield opened


def check(agent: Agent, answer: Answer) -> None:
    assert answer.supported == bool(answer.citations)
    for citation in answer.citations:
        document = agent.knowledge.document(citation.uri)
        assert citation.quote == document.text[citation.start : citation.end]
        assert citation.quote.strip()
        pages = [p for p in document.pages if p.start <= citation.start < p.end]
        assert citation.page == (pages[0].number if pages else None)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(question=questions.filter(str.strip))
def test_quotes_are_slices_of_their_documents(agent: Agent, question: str) -> None:
    check(agent, agent.ask(question))


def test_each_format_can_be_cited(folder: Path) -> None:
    cited = set()
    for path in sorted(folder.iterdir()):
        only = Agent.open(folder.parent / f"store-{path.suffix}", settings=Settings(chat_model=""))
        with only:
            only.knowledge.add(path)
            answer = only.ask("How many months does the warranty cover the battery?")
            check(only, answer)
            cited |= {citation.uri for citation in answer.citations}
    assert cited == {path.as_uri() for path in folder.iterdir()}


def test_a_stranger_gets_no_citation(agent: Agent) -> None:
    answer = agent.ask("How long is the battery covered?", scope=Scope(tenant="another"))
    assert (answer.supported, answer.citations) == (False, ())
