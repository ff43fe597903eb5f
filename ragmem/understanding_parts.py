"""Builds what reads a question before it is searched for, by the names that settings give.

Which are on, and the models they use, is `ragmem.parts`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ragmem.errors import UsageError
from ragmem.ports import ChatModel, LexicalIndex, QueryTransform, SuggestsTerms
from ragmem.retrieval.understanding import Technique
from ragmem.store.reader import StoreReader


def query_transform(
    name: Technique,
    *,
    chat: Callable[[], ChatModel],
    reader: StoreReader,
    lexical: LexicalIndex,
    date_fields: Sequence[str],
    date_languages: Sequence[str],
) -> QueryTransform:
    """The technique of this name.

    Args:
        name: as in the settings.
        chat: gives the chat model; called only where one is needed.
        reader: reads the store that is searched.
        lexical: the lexical index over it.
        date_fields, date_languages: what `dates` looks at, and what it reads.

    Raises:
        UsageError: it needs a chat model and there is none, or an ability of the lexical index.
    """
    if name == "spelling":
        from ragmem.retrieval.understanding.spelling import SpellingTolerance

        if not isinstance(lexical, SuggestsTerms):
            raise UsageError("spelling needs a lexical index that has ports.SuggestsTerms")
        return SpellingTolerance(lexical)
    if name == "dates":
        from ragmem.retrieval.understanding.dates import DateFilter

        return DateFilter(lexical, fields=date_fields, languages=date_languages)
    if name == "self_query":
        from ragmem.retrieval.understanding.self_query import SelfQuery

        return SelfQuery(chat(), reader)
    if name == "multi_query":
        from ragmem.retrieval.understanding.multi_query import MultiQuery

        return MultiQuery(chat())
    if name == "hyde":
        from ragmem.retrieval.understanding.hyde import HypotheticalDocument

        return HypotheticalDocument(chat())
    if name == "step_back":
        from ragmem.retrieval.understanding.step_back import StepBack

        return StepBack(chat())
    from ragmem.retrieval.understanding.decompose import Decompose

    return Decompose(chat())
