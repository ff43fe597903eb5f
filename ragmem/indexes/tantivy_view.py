"""What a search of the Tantivy index may see: tenants, access lists and metadata as terms.

An entry carries its tenant and access list as one term, and each metadata value as another. A
search judges each distinct audience, and each distinct value of the fields that its filter names,
once (`attributes.py`), and gets queries that Tantivy intersects with what matches. What matches is
not this module's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not
from ragmem.indexes.attributes import chosen, decode_value, encode_audience, encode_value, sees
from ragmem.types import IndexEntry, MetadataValue, Scope

if TYPE_CHECKING:
    import tantivy

# Tantivy drops terms above 65,530 bytes without a word; a term has room for two parts.
_LONGEST_PART = 30_000
# Ends the digest that stands for a longer text; no JSON text ends in it.
_DIGEST = "#"
_REMEMBERED_RESTRICTIONS = 256
_MANY_TERMS = 250
_REMEMBERED_HOLDERS = 10_000


def declare_attributes(builder: tantivy.SchemaBuilder) -> None:
    """Add the fields that `add_attributes` fills."""
    for name in ("audience", "metadata"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("long", stored=True)


def add_attributes(document: tantivy.Document, entry: IndexEntry) -> None:
    """Write the entry's tenant, access list and metadata into its document."""
    audience = encode_audience(entry)
    document.add_text("audience", _part(audience))
    values = [(name, encode_value(value)) for name, value in entry.metadata.items()]
    for name, value in values:
        document.add_text("metadata", _prefix(name) + _part(value))
    for text in (audience, *(value for _, value in values)):
        if _part(text) != text:
            document.add_bytes("long", text.encode())


class TantivyView:
    """One committed state of the index, and what has been learnt about it. Thread-safe."""

    def __init__(
        self, schema: tantivy.Schema, searcher: tantivy.Searcher, analyzers: Sequence[str]
    ) -> None:
        self._schema = schema
        self.searcher = searcher
        self.analyzers = analyzers
        self._audiences: list[tuple[str, str]] | None = None
        self._values: dict[str, list[tuple[str, MetadataValue]]] = {}
        self._restrictions: dict[tuple[object, ...], list[tantivy.Query]] = {}
        self._holders: dict[tuple[object, ...], int] = {}

    def restrictions(self, scope: Scope, where: Filter | None) -> list[tantivy.Query]:
        """Queries of score zero that the entries the scope sees and the filter admits all match."""
        import tantivy

        # By the filter's text, because Python holds filters for 1 and for True to be equal.
        key = (scope.tenant, scope.principals, repr(where))
        known = self._restrictions.get(key)
        if known is None:
            parts = [self._visible(scope), None if where is None else self._admitted(where)]
            known = [tantivy.Query.const_score_query(part, 0.0) for part in parts if part]
            if len(self._restrictions) >= _REMEMBERED_RESTRICTIONS:
                self._restrictions.clear()
            self._restrictions[key] = known
        return known

    def holders(self, term: str, scope: Scope) -> int:
        """How many entries that the scope sees hold a term in their text."""
        import tantivy

        if not self.searcher.doc_freq("body", term):
            return 0
        key = (scope.tenant, scope.principals, term)
        known = self._holders.get(key)
        if known is None:
            make = tantivy.Query
            held = make.term_query(self._schema, "body", term, "basic")
            parts = [(tantivy.Occur.Must, part) for part in (held, *self.restrictions(scope, None))]
            known = self.searcher.search(make.boolean_query(parts), 1, count=True).count or 0
            if len(self._holders) >= _REMEMBERED_HOLDERS:
                self._holders.clear()
            self._holders[key] = known
        return known

    def beginning(self, letters: str) -> list[str]:
        """The terms of texts that begin so, whoever may see them."""
        return [term for term, _ in self.searcher.terms_with_prefix("body", letters)]

    def _visible(self, scope: Scope) -> tantivy.Query | None:
        """What the scope sees; None when that is everything."""
        if self._audiences is None:
            self._audiences = list(self._texts("audience", ""))
        seen = [term for term, text in self._audiences if sees(scope, text)]
        if len(seen) == len(self._audiences):
            return None
        return holding(self._schema, "audience", seen)

    def _admitted(self, where: Filter) -> tantivy.Query:
        import tantivy

        make, occur = tantivy.Query, tantivy.Occur
        if isinstance(where, Condition):
            terms, refused = chosen(where, self._values_of(where.field))
            query = holding(self._schema, "metadata", terms)
            return _all_but(query) if refused else query
        if isinstance(where, Not):
            return _all_but(self._admitted(where.part))
        parts = [self._admitted(part) for part in where.parts]
        if isinstance(where, AnyOf):
            return make.boolean_query([(occur.Should, part) for part in parts])
        assert isinstance(where, AllOf)
        return make.boolean_query([(occur.Must, part) for part in parts or [make.all_query()]])

    def _values_of(self, field: str) -> list[tuple[str, MetadataValue]]:
        known = self._values.get(field)
        if known is None:
            texts = self._texts("metadata", _prefix(field))
            known = self._values[field] = [(term, decode_value(text)) for term, text in texts]
        return known

    def _texts(self, field: str, prefix: str) -> Iterator[tuple[str, str]]:
        """The terms that begin so, each with the text that follows in it, digests resolved."""
        import tantivy

        for term, _ in self.searcher.terms_with_prefix(field, prefix):
            text = term[len(prefix) :]
            if not text.endswith(_DIGEST):
                yield term, text
                continue
            holders = tantivy.Query.term_query(self._schema, field, term)
            # There is none when its entries are deleted and wait for a merge.
            for _, address in self.searcher.search(holders, 1, count=False).hits:
                held = [long.decode() for long in self.searcher.doc(address)["long"]]
                yield term, next(long for long in held if _part(long) == text)


def holding(schema: tantivy.Schema, field: str, terms: Sequence[str]) -> tantivy.Query:
    """What has at least one of these terms in a field."""
    import tantivy

    make = tantivy.Query
    if len(terms) > _MANY_TERMS:
        return make.term_set_query(schema, field, list(terms))
    # A set is first written out as a bit for every entry of the index.
    parts = [make.term_query(schema, field, term, "basic") for term in terms]
    return make.boolean_query([(tantivy.Occur.Should, part) for part in parts])


def _all_but(query: tantivy.Query) -> tantivy.Query:
    import tantivy

    make, occur = tantivy.Query, tantivy.Occur
    return make.boolean_query([(occur.Must, make.all_query()), (occur.MustNot, query)])


def _prefix(field: str) -> str:
    """How the terms of a metadata field begin; no field's prefix begins with another's."""
    return f"{_part(json.dumps(field))}:"


def _part(text: str) -> str:
    """A JSON text as a part of a term: itself, or a digest of a long one."""
    if len(text) <= _LONGEST_PART:
        return text
    return f"{sha256(text.encode()).hexdigest()}{_DIGEST}"
