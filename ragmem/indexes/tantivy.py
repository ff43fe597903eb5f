"""The lexical index on disk: Tantivy, embedded.

What lives here: the schema, writing, searching. How text becomes terms is `analysis.py`, what a
search may see is `tantivy_view.py`; this module hands Tantivy terms joined by spaces and builds
queries from terms, so nothing in a question is ever query syntax.

Choices and their reasons:

- Scores are BM25 (Robertson et al., "Okapi at TREC-3", 1994) with Lucene's idf, k1 = 1.2 and
  b = 0.75, which Tantivy fixes. Document lengths are rounded to one byte, as in Lucene.
- Title words that the text lacks are added to the text, and a second field holds the title alone
  with weight 0.3: nDCG@10 on SciFact, Cranfield, LISA, CISI 69.5, 38.4, 45.4, 41.2, against 68.1,
  37.3, 45.2, 41.6 without that field and 66.5, 38.2, 39.6, 38.6 for text and title as two equal
  fields. The weight was chosen by these figures.
- Filters, access lists and tenants: an entry carries its tenant and access list as one term, and
  each metadata value as another. A search judges each distinct audience, and each distinct value
  of the fields its filter names, once and lets Tantivy intersect. Document
  frequencies are those of the whole index, whatever the filter: a filtered ranking is exactly the
  unfiltered one with gaps. They are shared by tenants too, so a score can hint at how common a
  word is elsewhere; where that matters, give each tenant a store.
- Equal scores are ordered by chunk id; scores are compared after rounding, because the order in
  which Tantivy adds the parts of a sum differs from segment to segment.

Deleted entries stop being found at commit; their terms count in document frequencies until
Tantivy merges the segment.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ragmem.errors import StoreCorrupt, StoreError, StoreMismatch
from ragmem.filters import Filter
from ragmem.indexes.analysis import (
    FORMAT,
    TITLE_WEIGHT,
    Analyzer,
    TermGroup,
    analyzer_name,
    settled,
)
from ragmem.indexes.likeness import edits_allowed, likest
from ragmem.indexes.tantivy_view import (
    TantivyView,
    add_attributes,
    declare_attributes,
    holding,
)
from ragmem.types import Candidate, IndexEntry, Scope

if TYPE_CHECKING:
    import tantivy

_SCHEMA_FORMAT = 2
_FORMAT_FILE = "ragmem-format"
_WRITER_BYTES = 32_000_000
# What Tantivy says about files that are missing or cut off; it has no kinds of errors in Python.
_DAMAGE = ("corrupt", "FileDoesNotExist", "Meta file", "meta.json")


class TantivyIndex:
    """BM25 search over an index folder; the port is `ragmem.ports.LexicalIndex`. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Open the index, creating it where there is none.

        Raises:
            StoreMismatch: the index was written in another format.
            StoreCorrupt: the files cannot be read.
        """
        self._folder = folder
        self._analyzer = Analyzer()
        self._lock = threading.RLock()
        self._writer: tantivy.IndexWriter | None = None
        self._view: TantivyView | None = None
        self._open()

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Add or replace entries."""
        latest = {entry.chunk_id: entry for entry in entries}
        with self._lock, _mapped(self._folder):
            writer = self._writing()
            for entry in latest.values():
                writer.delete_documents_by_term("chunk", entry.chunk_id)
                writer.add_document(self._document(entry))

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks."""
        self._delete("chunk", chunk_ids)

    def delete_documents(self, document_ids: Sequence[str]) -> None:
        """Remove every chunk of these documents."""
        self._delete("document", document_ids)

    def commit(self) -> None:
        """Make all changes so far durable and visible."""
        with self._lock, _mapped(self._folder):
            if self._writer is not None:
                self._writer.commit()
                self._view = None

    def search(
        self, text: str, *, k: int, scope: Scope, where: Filter | None = None
    ) -> list[Candidate]:
        """The k best chunks among those the scope sees and the filter admits.

        Args:
            text: any text; nothing in it is query syntax.
            k: the most candidates to return.
            scope: who is asking.
            where: a filter over metadata.

        Returns:
            At most k with a score above zero, best first; equal scores ordered by chunk id.
        """
        if k < 1:
            return []
        with _mapped(self._folder):
            view = self._current()
            groups = self._analyzer.groups(text, view.analyzers)
            query = self._admitted(view, self._matching(groups), scope, where)
            return [] if query is None else _ranked(view.searcher, query, k)

    def unknown(self, words: Sequence[str], *, scope: Scope) -> list[str]:
        """Those of these words that no visible chunk holds in any form, stop words left out."""
        with _mapped(self._folder):
            view = self._current()
            forms = {word: self._analyzer.forms(word, view.analyzers) for word in words}
            return [
                word
                for word, made in forms.items()
                if made and not any(view.holders(form, scope) for form in made)
            ]

    def suggest(self, word: str, *, scope: Scope) -> list[str]:
        """Words of visible chunks that an unknown one may have been meant to be, best first."""
        edits = edits_allowed(word)
        if not edits:
            return []
        with _mapped(self._folder):
            view = self._current()
            forms = self._analyzer.forms(word, view.analyzers)
            near = likest(
                forms, view.beginning, edits=edits, count=lambda term: view.holders(term, scope)
            )
            words = [self._analyzer.word(term, view.analyzers) for term in near]
            return [word for word in words if word is not None]

    def scores(self, text: str, chunk_ids: Sequence[str]) -> Mapping[str, float]:
        """What `search` scores these chunks, those above zero."""
        import tantivy

        with _mapped(self._folder):
            view = self._current()
            matching = self._matching(self._analyzer.groups(text, view.analyzers))
            if not matching or not chunk_ids:
                return {}
            these = holding(self._schema, "chunk", list(chunk_ids))
            query = _both(_either(matching), tantivy.Query.const_score_query(these, 0.0))
            found = _ranked(view.searcher, query, len(chunk_ids))
        return {each.chunk_id: each.score for each in found}

    def chunk_ids(self) -> set[str]:
        """Every chunk in the index, for checks against the store."""
        import tantivy

        with _mapped(self._folder):
            searcher = self._current().searcher
            count = searcher.num_docs
            hits = searcher.search(tantivy.Query.all_query(), max(1, count), count=False).hits
            return {str(searcher.doc(address)["chunk"][0]) for _, address in hits}

    def clear(self) -> None:
        """Remove everything, even an index that cannot be read any more."""
        with self._lock:
            self._release()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._open()

    def close(self) -> None:
        """Commit and let go of files and threads."""
        with self._lock:
            self.commit()
            self._release()

    def _open(self) -> None:
        import tantivy

        self._folder.mkdir(parents=True, exist_ok=True)
        stamp = f"schema {_SCHEMA_FORMAT}, analysis {FORMAT}"
        marker = self._folder / _FORMAT_FILE
        if tantivy.Index.exists(str(self._folder)):
            found = marker.read_text("utf-8") if marker.exists() else "none"
            if found != stamp:
                raise StoreMismatch(
                    f"the lexical index in {self._folder} has format [{found}], this ragmem "
                    f"reads [{stamp}]: run `ragmem reindex` to rebuild it"
                )
        else:
            marker.write_text(stamp, "utf-8")
        with _mapped(self._folder):
            self._schema = _schema()
            self._index = tantivy.Index(self._schema, str(self._folder))
            # Views are replaced at commit; Tantivy's own watching of the folder costs a thread.
            self._index.config_reader(reload_policy="manual")

    def _release(self) -> None:
        writer, self._writer, self._view = self._writer, None, None
        if writer is not None:
            writer.wait_merging_threads()

    def _writing(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=_WRITER_BYTES, num_threads=1)
            # A kill inside a commit leaves files that no commit knows; the next commit may want
            # their names, and would fail.
            self._writer.garbage_collect_files()
        return self._writer

    def _current(self) -> TantivyView:
        view = self._view
        if view is not None:
            return view
        with self._lock:
            self._index.reload()
            searcher = self._index.searcher()
            analyzers = [name for name, _ in searcher.terms_with_prefix("analyzer", "")]
            view = self._view = TantivyView(self._schema, searcher, analyzers)
        return view

    def _delete(self, name: str, keys: Sequence[str]) -> None:
        with self._lock, _mapped(self._folder):
            if keys:
                writer = self._writing()
                for key in keys:
                    writer.delete_documents_by_term(name, key)

    def _document(self, entry: IndexEntry) -> tantivy.Document:
        import tantivy

        name = analyzer_name(entry.language)
        body, title = self._analyzer.fields(entry, name)
        document = tantivy.Document()
        document.add_text("chunk", entry.chunk_id)
        document.add_text("document", entry.document_id)
        document.add_text("analyzer", name)
        document.add_text("body", " ".join(body))
        document.add_text("title", " ".join(title))
        add_attributes(document, entry)
        return document

    def _matching(self, groups: Sequence[TermGroup]) -> list[tantivy.Query]:
        import tantivy

        make, schema = tantivy.Query, self._schema
        queries = []
        for group in groups:
            for name, weight in (("body", 1.0), ("title", TITLE_WEIGHT)):
                forms = [make.term_query(schema, name, form, "freq") for form in group.forms]
                query = forms[0] if len(forms) == 1 else make.disjunction_max_query(forms)
                weight *= group.weight
                queries.append(query if weight == 1.0 else make.boost_query(query, weight))
        return queries

    def _admitted(
        self, view: TantivyView, matching: list[tantivy.Query], scope: Scope, where: Filter | None
    ) -> tantivy.Query | None:
        """The query for what matches and may be seen; None when nothing can."""
        if not matching:
            return None
        query = _either(matching)
        restrictions = view.restrictions(scope, where)
        return _both(query, *restrictions) if restrictions else query


def _either(parts: Sequence[tantivy.Query]) -> tantivy.Query:
    """What matches at least one part, scored by all that it matches."""
    import tantivy

    return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])


def _both(*parts: tantivy.Query) -> tantivy.Query:
    """What matches every part."""
    import tantivy

    return tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in parts])


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("chunk", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("document", "analyzer"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    declare_attributes(builder)
    for name in ("body", "title"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _ranked(searcher: tantivy.Searcher, query: tantivy.Query, k: int) -> list[Candidate]:
    """The k best, ties at the end of the list settled by chunk id and not by position."""
    k = min(k, max(1, searcher.num_docs))  # it makes room for as many as it is asked for
    limit = k + 1
    while True:
        hits = searcher.search(query, limit, count=False).hits
        scores = [settled(score) for score, _ in hits]
        if len(hits) < limit or scores[-1] < scores[k - 1]:
            break
        limit *= 4
    found = [
        Candidate(chunk_id=str(searcher.doc(address)["chunk"][0]), score=score)
        for score, (_, address) in zip(scores, hits, strict=True)
        if score > 0 and score >= scores[min(k, len(scores)) - 1]
    ]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk_id))[:k]


@contextmanager
def _mapped(folder: Path) -> Iterator[None]:
    """Tantivy's errors, which are all ValueErrors, as ragmem's."""
    try:
        yield
    except ValueError as error:
        kind: type[StoreError] = StoreError
        if "schema does not match" in str(error):
            kind = StoreMismatch
        elif any(sign in str(error) for sign in _DAMAGE):
            kind = StoreCorrupt
        raise kind(
            f"the lexical index in {folder} failed: {error}; "
            "`ragmem reindex` rebuilds it from the store"
        ) from error
