"""`ragmem ask`: an answer with its citations."""

from __future__ import annotations

from typing import Annotated

import typer

from ragmem.cli.options import (
    DEFAULT_STORE,
    GroupOption,
    JsonOption,
    SettingsOption,
    StoreOption,
    TenantOption,
    UserOption,
    scope_of,
)
from ragmem.cli.output import name_of, print_json, print_text, print_trace, print_wrapped
from ragmem.types import Answer


def ask(
    question: Annotated[str, typer.Argument(help="What to answer.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show how the answer came about.")] = False,
    tenant: TenantOption = "default",
    user: UserOption = None,
    group: GroupOption = None,
    settings: SettingsOption = None,
) -> None:
    """Answer a question from the documents, with citations, or say that they do not answer it."""
    from ragmem.app import Agent
    from ragmem.settings import load_settings

    scope = scope_of(tenant=tenant, user=user, groups=group)
    with Agent.open(store, settings=load_settings(settings), read_only=True) as agent:
        answer = agent.ask(question, scope=scope)
    if as_json:
        print_json(_as_json(answer))
        return
    print_wrapped(answer.text)
    for number, citation in enumerate(answer.citations, start=1):
        page = "" if citation.page is None else f", page {citation.page}"
        quote = " ".join(citation.quote.split())
        title = citation.title or name_of(citation.uri)
        print_wrapped(f"{title}{page}: “{quote}”", indent=f"  [{number}] ")
        print_text(f"      {citation.uri} [{citation.start}:{citation.end}]")
    if trace:
        print_trace(answer.trace)


def _as_json(answer: Answer) -> dict[str, object]:
    return {
        "answer": answer.text,
        "supported": answer.supported,
        "citations": [
            {
                "uri": citation.uri,
                "page": citation.page,
                "start": citation.start,
                "end": citation.end,
                "quote": citation.quote,
            }
            for citation in answer.citations
        ],
        "trace": answer.trace,
    }
