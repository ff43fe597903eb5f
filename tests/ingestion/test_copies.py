"""Exact copies are stored once, whichever of their URIs come, change and go."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fakes import TextParser
from sync_bench import Bench, bench_at

from ragmem.errors import UnknownDocument
from ragmem.ingestion.committing import GroupSizes
from ragmem.ingestion.copies import detach, merged
from ragmem.store.document_uris import document_id_of
from ragmem.store.embeddings import delete_unused_embeddings
from ragmem.store.reader import StoreReader
from ragmem.types import (
    Metadata,
    ParsedDocument,
    RawDocument,
    Scope,
    SkippedItem,
    SourceItem,
    SyncProgress,
)

SMALL = GroupSizes(chunks=6, documents=3, indexing=4)
ANA = frozenset({"user:ana"})


@dataclass(frozen=True)
class Item:
    """What is at a URI."""

    text: str
    metadata: Metadata = field(default_factory=dict)
    acl: frozenset[str] | None = None
    name: str = "x.txt"


class World:
    """A `Connector` over items that tests change."""

    def __init__(self, items: dict[str, Item], *, source_uri: str = "world:1") -> None:
        self.items = items
        self.source_uri = source_uri
        self.fingerprints = True

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        for uri, item in list(self.items.items()):
            told = hashlib.sha256(repr(item).encode()).hexdigest() if self.fingerprints else ""
            yield SourceItem(uri=uri, fingerprint=told)

    def fetch(self, item: SourceItem) -> RawDocument:
        found = self.items[item.uri]
        return RawDocument(
            uri=item.uri,
            name=found.name,
            content=found.text.encode(),
            metadata=found.metadata,
            acl=found.acl,
        )


class WideWorld(World):
    """The same, fetched by several threads."""

    parallel_fetches = 4


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path / "store") as opened:
        yield opened


def places(bench: Bench, scope: Scope | None = None) -> dict[str, tuple[str, ...]]:
    reader = StoreReader(bench.store)
    return {info.uri: info.other_uris for info in reader.documents(scope=scope or Scope())}


def remove(bench: Bench, uri: str) -> None:
    """What `knowledge.remove` does with a document's URI."""
    with bench.store.writing() as connection:
        detach(connection, [document_id_of(tenant="default", uri=uri)])
        delete_unused_embeddings(connection)
    bench.engine._indexer.apply_pending()


def test_copies_are_one_document_with_the_first_uri(bench: Bench) -> None:
    world = World({uri: Item("one\ntwo", {"folder": f"in {uri}"}) for uri in ("b", "c", "a")})
    report = bench.sync(world)
    assert (report.added, report.copies, report.chunks, report.embedded) == (3, 2, 2, 2)
    assert places(bench) == {"a": ("b", "c")}
    for uri in world.items:
        document = StoreReader(bench.store).document(uri, scope=Scope())
        assert (document.uri, document.other_uris) == ("a", ("b", "c"))
        assert document.metadata == {"folder": ("in a", "in b", "in c")}
    bench.check()
    assert bench.sync(world).unchanged == 3


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_copies_come_and_go_in_every_order(bench: Bench, order: tuple[str, ...]) -> None:
    world = World({})
    for uri in order:
        world.items[uri] = Item("same\nwords", {"of": uri})
        assert bench.sync(world, allow_mass_delete=True).added == 1
        bench.check()
    assert places(bench) == {"a": ("b", "c")}
    for uri in order:
        del world.items[uri]
        assert bench.sync(world, allow_mass_delete=True).deleted == 1
        bench.check()
        bench.check_vectors()
        left = sorted(world.items)
        assert places(bench) == ({left[0]: tuple(left[1:])} if left else {})


@pytest.mark.parametrize("uri", ["a", "b", "c"])
def test_an_edited_copy_parts_from_the_others_and_comes_back(bench: Bench, uri: str) -> None:
    world = World({each: Item("same", {"of": each}) for each in "abc"})
    bench.sync(world)
    world.items[uri] = Item("other", {"of": uri})
    report = bench.sync(world)
    assert (report.updated, report.unchanged, report.copies) == (1, 2, 0)
    bench.check()
    others = sorted(set("abc") - {uri})
    assert places(bench) == {uri: (), others[0]: (others[1],)}
    world.items[uri] = Item("same", {"of": uri})
    report = bench.sync(world)
    assert (report.updated, report.unchanged, report.copies, report.embedded) == (1, 2, 1, 0)
    bench.check()
    bench.check_vectors()
    assert places(bench) == {"a": ("b", "c")}


def test_all_copies_are_edited_alike(bench: Bench) -> None:
    world = World({each: Item("same") for each in "abc"})
    bench.sync(world)
    world.items = {each: Item("other") for each in "abc"}
    report = bench.sync(world)
    assert (report.updated, report.embedded) == (3, 1)
    assert places(bench) == {"a": ("b", "c")}
    bench.check()
    bench.check_vectors()


def test_two_documents_swap_their_contents(bench: Bench) -> None:
    world = World({"a": Item("one"), "b": Item("two")})
    bench.sync(world)
    world.items = {"a": Item("two"), "b": Item("one")}
    report = bench.sync(world)
    assert (report.updated, report.embedded) == (2, 0)
    assert bench.texts() == {"a": "two", "b": "one"}
    bench.check()


def test_a_rename_to_a_later_name_keeps_the_document(bench: Bench) -> None:
    world = World({"a": Item("one"), "b": Item("two")})
    bench.sync(world)
    world.items = {"z": Item("one"), "b": Item("two")}
    report = bench.sync(world)
    assert (report.added, report.deleted, report.embedded) == (1, 1, 0)
    assert bench.texts() == {"b": "two", "z": "one"}
    bench.check()


def test_access_lists_are_never_merged(bench: Bench) -> None:
    world = World({"a": Item("same", acl=ANA), "b": Item("same"), "c": Item("same", acl=ANA)})
    bench.sync(world)
    bench.check()
    assert places(bench) == {"b": ()}
    assert places(bench, Scope(user="ana")) == {"a": ("c",), "b": ()}
    world.items["c"] = Item("same", acl=frozenset())
    bench.sync(world)
    bench.check()
    assert places(bench) == {"b": ("c",)}
    world.items["b"] = Item("same", acl=ANA)
    bench.sync(world)
    bench.check()
    assert places(bench) == {"c": ()}
    assert places(bench, Scope(user="ana")) == {"a": ("b",), "c": ()}


def test_tenants_share_nothing(bench: Bench) -> None:
    world = World({"a": Item("same"), "b": Item("same")})
    bench.sync(world, tenant="t1")
    bench.sync(world, tenant="t2")
    bench.check()
    for tenant in ("t1", "t2"):
        assert places(bench, Scope(tenant=tenant)) == {"a": ("b",)}
    del world.items["a"]
    bench.sync(world, tenant="t1")
    bench.check()
    assert places(bench, Scope(tenant="t1")) == {"b": ()}
    assert places(bench, Scope(tenant="t2")) == {"a": ("b",)}


def test_numbers_and_other_fields_keep_copies_apart(bench: Bench) -> None:
    metadata: list[Metadata] = [{"n": 1}, {"n": 2}, {"n": 1.5}, {"n": True}, {"n": "1"}, {"m": 1}]
    world = World({f"d{n}": Item("same", each) for n, each in enumerate(metadata)})
    assert bench.sync(world).copies == 0
    assert len(places(bench)) == len(metadata)
    bench.check()


def test_texts_and_lists_stand_side_by_side() -> None:
    assert merged([{"a": "x", "b": ("p", "q"), "n": 1}, {"a": "y", "b": ("q", "r"), "n": 1}]) == {
        "a": ("x", "y"),
        "b": ("p", "q", "r"),
        "n": 1,
    }
    assert merged([{"a": "x"}, {"a": "x"}]) == {"a": "x"}


def test_formats_keep_copies_apart(bench: Bench) -> None:
    names = ["a.txt", "b.TXT", "c.md", "Makefile", "LICENSE", "makefile"]
    world = World({f"d{n}": Item("same", name=name) for n, name in enumerate(names)})
    assert bench.sync(world).copies == 2
    assert sorted(places(bench).values()) == [(), (), ("d1",), ("d5",)]


def test_a_first_copy_that_cannot_be_parsed_takes_none_with_it(tmp_path: Path) -> None:
    class Once(TextParser):
        broken = True

        def parse(self, raw: RawDocument) -> ParsedDocument:
            if raw.uri == "a" and self.broken:
                raise MemoryError
            return super().parse(raw)

    parser = Once()
    with bench_at(tmp_path, parser=parser) as bench:
        world = World({uri: Item("same") for uri in "abcd"})
        report = bench.sync(world)
        assert [item.uri for item in report.failed] == ["a"]
        assert (report.added, report.copies) == (3, 2)
        assert places(bench) == {"b": ("c", "d")}
        bench.check()
        parser.broken = False
        report = bench.sync(world, retry_failed=True)
        assert (report.added, report.unchanged, report.failed) == (1, 3, ())
        assert places(bench) == {"a": ("b", "c", "d")}
        bench.check()


def test_copies_that_all_fail_are_all_reported(bench: Bench) -> None:
    report = bench.sync(World({uri: Item("BROKEN") for uri in "abc"}))
    assert sorted(item.uri for item in report.failed) == ["a", "b", "c"]
    bench.check()


@pytest.mark.parametrize("uri", ["a", "b", "c"])
def test_removing_one_uri_leaves_the_others(bench: Bench, uri: str) -> None:
    world = World({each: Item("same", {"of": each}) for each in "abc"})
    bench.sync(world)
    remove(bench, uri)
    bench.check()
    others = sorted(set("abc") - {uri})
    assert places(bench) == {others[0]: (others[1],)}
    with pytest.raises(UnknownDocument):
        StoreReader(bench.store).document(uri, scope=Scope())
    assert bench.sync(world).added == 1
    bench.check()
    assert places(bench) == {"a": ("b", "c")}


def test_what_was_removed_and_is_gone_is_not_deleted_twice(bench: Bench) -> None:
    world = World({each: Item("same") for each in "abc"})
    bench.sync(world)
    remove(bench, "a")
    del world.items["a"]
    assert bench.sync(world).deleted == 0
    bench.check()


def test_another_sources_item_follows_the_document_at_its_uri(bench: Bench) -> None:
    first = World({"a": Item("same"), "b": Item("same")})
    second = World(dict(first.items), source_uri="world:2")
    bench.sync(first)
    assert bench.sync(second).unchanged == 2
    first.items["b"] = Item("other", acl=ANA)
    bench.sync(first)
    bench.check()
    del first.items["b"]
    # The second source still lists it, as far as is known.
    assert bench.sync(first).deleted == 0
    assert places(bench, Scope(user="ana")) == {"a": (), "b": ()}
    bench.check()


def test_a_large_family_of_copies_takes_no_time(bench: Bench) -> None:
    world = World({f"d{n:03}": Item("same", {"folder": str(n)}) for n in range(300)})
    report = bench.sync(world)
    assert (report.added, report.copies) == (300, 299)
    bench.check()
    world.items = {uri: replace(item, text="edited") for uri, item in world.items.items()}
    report = bench.sync(world)
    assert (report.updated, report.copies) == (300, 299)
    bench.check()
    world.items = {uri: item for uri, item in world.items.items() if uri[-1] == "7"}
    assert bench.sync(world, allow_mass_delete=True).deleted == 270
    assert places(bench) == {"d007": tuple(sorted(world.items)[1:])}
    bench.check()


# --- at random ------------------------------------------------------------------------------------

URIS = [f"u{number}" for number in range(9)]
TEXTS = ["one\ntwo", "two\nthree", "one", "REPAIRED one", "one\none\none", "BROKEN"]


class Walk:
    """Two worlds that change at random, and a store that follows them."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.random = random.Random(seed)
        self.worlds = [World({}), WideWorld({}, source_uri="world:2")]

    def item(self) -> Item:
        chosen = self.random
        return Item(
            chosen.choice(TEXTS),
            {"tag": chosen.choice(["x", "y"]), "level": chosen.choice([1, 1, 1, 2])},
            acl=chosen.choice([frozenset(), frozenset(), ANA]),
        )

    def change(self) -> None:
        """One change of one URI, in both worlds where both list it."""
        chosen = self.random
        uri, other = chosen.sample(URIS, 2)
        listed = [world for world in self.worlds if uri in world.items]
        kind = chosen.choice(["add", "edit", "edit", "delete", "rename", "copy", "unlist"])
        if kind == "add" or not listed:
            item = next((w.items[uri] for w in listed), None) or self.item()
            chosen.choice(self.worlds).items[uri] = item
        elif kind == "edit":
            item = self.item()
            for world in listed:
                world.items[uri] = item
        elif kind == "unlist":
            del chosen.choice(listed).items[uri]
        else:
            item = listed[0].items[uri]
            taken = [world for world in self.worlds if other in world.items]
            for world in listed:
                if kind in ("delete", "rename"):
                    del world.items[uri]
            for world in (taken or listed) if kind != "delete" else []:
                world.items[other] = item

    def sync(self, world: World) -> None:
        """Sync; every few times it is interrupted at some step."""
        chosen = self.random
        world.fingerprints = chosen.random() < 0.8
        left = chosen.randrange(25) if chosen.random() < 0.3 else -1

        def interrupt(progress: SyncProgress) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

        try:
            report = self.bench.sync(world, on_progress=interrupt, allow_mass_delete=True)
        except KeyboardInterrupt:
            self.bench.engine._indexer.apply_pending()
        else:
            if report.deleted or report.updated:
                self.bench.check_vectors()
        self.bench.check()

    def settle(self) -> None:
        """Mend what is broken and sync without interruption."""
        for world in self.worlds:
            for uri, item in world.items.items():
                if item.text == "BROKEN":
                    world.items[uri] = replace(item, text="one")
        for _ in range(2):
            for world in self.worlds:
                self.bench.sync(world, allow_mass_delete=True)
        self.bench.check()


@pytest.mark.parametrize("seed", range(4))
def test_a_random_walk_ends_as_a_fresh_ingest(tmp_path: Path, seed: int) -> None:
    with bench_at(tmp_path / "store", sizes=SMALL) as bench:
        walk = Walk(bench, seed)
        for _ in range(25):
            for _ in range(walk.random.randint(1, 6)):
                walk.change()
            if walk.random.random() < 0.1:
                remove(bench, walk.random.choice(URIS))
                bench.check()
            walk.sync(walk.random.choice(walk.worlds))
        walk.settle()
        with bench_at(tmp_path / "fresh") as fresh:
            for world in walk.worlds:
                fresh.sync(world)
            assert bench.contents() == fresh.contents()
