"""What every lexical index must do, and what those on disk must survive."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import WordEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not, admits, equals
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.sparse import SparseIndex
from ragmem.indexes.tantivy import TantivyIndex
from ragmem.ports import LexicalIndex, SuggestsTerms
from ragmem.types import PUBLIC, IndexEntry, MetadataValue, Scope

Open = Callable[[Path], LexicalIndex]


def open_tantivy(folder: Path) -> LexicalIndex:
    return TantivyIndex(folder)


def open_bm25(folder: Path) -> LexicalIndex:
    return RankBM25Index()


def open_sparse(folder: Path) -> LexicalIndex:
    return SparseIndex(folder, WordEncoder())


BOTH = pytest.mark.parametrize("opener", [open_bm25, open_tantivy], ids=["bm25", "tantivy"])
EVERY = pytest.mark.parametrize(
    "opener", [open_bm25, open_tantivy, open_sparse], ids=["bm25", "tantivy", "sparse"]
)

# A language, a text in it, and a question that finds it.
LANGUAGES = [
    ("en", "He was running quickly", "runs"),
    ("", "He was running quickly", "runs"),
    ("de", "Die Häuser der Stadt", "Haus"),
    ("fr", "les chevaux mangeaient l'herbe", "herbe cheval"),
    ("es", "las canciones más bonitas", "canción"),
    ("ru", "новые книги", "книга"),
    ("pl", "książki naukowe", "naukowe"),
    ("hi", "हिन्दी में लिखा", "हिन्दी"),
    ("ja", "日本語の文書を検索する", "文書検索"),
    ("zh", "自然语言处理", "语言"),
    ("zh", "猫和狗", "猫"),
    ("ko", "한국어 문서를 찾는다", "문서"),
    ("th", "ภาษาไทยไม่มีช่องว่าง", "ภาษา"),
    ("en", "caf\u0065\u0301 na\u00efve", "cafe naive"),
    ("en", "ﬁnal ｗｉｄｅ", "final wide"),
    ("en", "𝒳 emoji 🎉 text", "emoji"),
    ("python", "def parseHTTPReply(max_size): ...", "parse reply"),
    ("python", "def parseHTTPReply(max_size): ...", "parseHTTPReply"),
    ("python", "def parseHTTPReply(max_size): ...", "size"),
    ("python", "def parse_http_reply(maxSize): ...", "parseHttpReply"),
]
CASES = list(enumerate(LANGUAGES))


@pytest.fixture(params=[open_bm25, open_tantivy, open_sparse], ids=["bm25", "tantivy", "sparse"])
def any_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LexicalIndex]:
    """Of any kind, for what does not depend on how words are weighed."""
    opened: LexicalIndex = request.param(tmp_path / "any")
    yield opened
    opened.close()


@pytest.fixture(params=[open_bm25, open_tantivy], ids=["bm25", "tantivy"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LexicalIndex]:
    opened: LexicalIndex = request.param(tmp_path / "lexical")
    yield opened
    opened.close()


def entry(
    chunk_id: str,
    text: str = "some words",
    *,
    document: str = "d",
    tenant: str = "default",
    acl: frozenset[str] = PUBLIC,
    title: str = "",
    language: str = "en",
    metadata: dict[str, MetadataValue] | None = None,
) -> IndexEntry:
    return IndexEntry(
        chunk_id=chunk_id,
        document_id=document,
        tenant=tenant,
        acl=acl,
        title=title,
        text=text,
        language=language,
        metadata=metadata or {},
    )


def fill(index: LexicalIndex, *entries: IndexEntry) -> None:
    index.upsert(entries)
    index.commit()


def found(
    index: LexicalIndex,
    text: str,
    *,
    k: int = 1_000,
    scope: Scope | None = None,
    where: Filter | None = None,
) -> list[str]:
    hits = index.search(text, k=k, scope=scope or Scope(), where=where)
    assert all(hit.score > 0 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return [hit.chunk_id for hit in hits]


def test_more_and_rarer_words_rank_higher(index: LexicalIndex) -> None:
    fill(
        index,
        entry("both", "the warranty covers batteries"),
        entry("common", "the warranty ends"),
        entry("common2", "a warranty begins"),
        entry("none", "nothing of the kind"),
    )
    assert found(index, "warranty for batteries") == ["both", "common", "common2"]
    assert found(index, "warranty", k=1) == ["common"]
    assert found(index, "warranty", k=0) == []


def test_empty_index(any_index: LexicalIndex) -> None:
    assert found(any_index, "anything") == []
    assert any_index.chunk_ids() == set()
    fill(any_index)
    any_index.delete_chunks(["a"])
    any_index.delete_documents(["d"])
    any_index.commit()
    assert any_index.chunk_ids() == set()


@pytest.fixture(scope="module", params=[open_bm25, open_tantivy], ids=["bm25", "tantivy"])
def read_only(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LexicalIndex]:
    """One index for the tests that only search; each has its own tenants."""
    opened: LexicalIndex = request.param(tmp_path_factory.mktemp("read") / "lexical")
    fill(
        opened,
        entry("stop", "the words of and", tenant="stop words"),
        entry("a", "some words", tenant="syntax"),
        entry("b", "other things", tenant="syntax"),
        entry("c", "body parts", tenant="syntax"),
        *(entry(f"hit{i}", case[1], tenant=f"{i}", language=case[0]) for i, case in CASES),
        *(entry(f"miss{i}", "unrelated", tenant=f"{i}") for i, _ in CASES),
    )
    yield opened
    opened.close()


@pytest.mark.parametrize("text", ["", "   ", "the of and", "?!…", "\x00", "\ud800"])
def test_nothing_to_look_for(read_only: LexicalIndex, text: str) -> None:
    assert found(read_only, text, scope=Scope(tenant="stop words")) == []


@pytest.mark.parametrize(
    "text",
    [
        '"AND (',
        "a:b^2~ *?",
        "body:words OR",
        "\\",
        "+some -words",
        "[a TO b]",
        "some\x00words",
        "`words`",
    ],
)
def test_query_syntax_is_text(read_only: LexicalIndex, text: str) -> None:
    hits = found(read_only, text, scope=Scope(tenant="syntax"))
    assert set(hits) <= {"a", "c"}
    assert ("a" in hits) is ("words" in text)


def test_title_words_are_found_and_count_more(index: LexicalIndex) -> None:
    fill(
        index,
        entry("title", "something else entirely here", title="Battery care"),
        entry("text", "the battery is mentioned here somewhere"),
        entry("both", "the battery is mentioned here somewhere", title="Battery care"),
    )
    assert found(index, "battery")[0] == "both"
    assert set(found(index, "battery")) == {"title", "text", "both"}
    assert found(index, "care") == ["title", "both"] or found(index, "care") == ["both", "title"]


@pytest.mark.parametrize(
    ("number", "query"),
    [pytest.param(i, query, id=f"{code}-{query}") for i, (code, _, query) in CASES],
)
def test_languages(read_only: LexicalIndex, number: int, query: str) -> None:
    assert found(read_only, query, scope=Scope(tenant=f"{number}")) == [f"hit{number}"]


@BOTH
def test_a_word_counts_once_whatever_the_languages_present(opener: Open, tmp_path: Path) -> None:
    scores = []
    for name, languages in (("one", ["en"] * 5), ("many", ["de", "fr", "pl", "python", "en"])):
        index = opener(tmp_path / name)
        others = [entry(f"b{i}", "unrelated", language=code) for i, code in enumerate(languages)]
        fill(index, entry("a", "several libraries"), *others)
        scores.append(index.search("libraries", k=1, scope=Scope())[0].score)
        index.close()
    assert scores[0] == pytest.approx(scores[1])


def test_long_query_and_long_text(index: LexicalIndex) -> None:
    words = [f"word{i}" for i in range(12_000)]
    fill(index, entry("a", "word7 word8"), entry("b", " ".join(words)), entry("c", "x" * 100_000))
    started = time.process_time()
    assert set(found(index, " ".join(words))) == {"a", "b"}
    assert found(index, "A" * 100_000) == []
    assert time.process_time() - started < 5


def test_adding_again_and_replacing(any_index: LexicalIndex) -> None:
    for _ in range(3):
        fill(any_index, entry("a", "first text"), entry("b", "first words"))
    assert found(any_index, "first") == ["a", "b"]
    fill(any_index, entry("a", "second text", tenant="other", metadata={"year": 2}))
    assert found(any_index, "first") == ["b"]
    assert found(any_index, "second") == []
    assert found(any_index, "second", scope=Scope(tenant="other"), where=equals(year=2)) == ["a"]
    assert any_index.chunk_ids() == {"a", "b"}
    fill(any_index, entry("c", "early version"), entry("c", "late version"))
    assert found(any_index, "early") == []
    assert found(any_index, "late") == ["c"]


def test_replacing_twice_before_a_commit(any_index: LexicalIndex) -> None:
    any_index.upsert([entry("a", "first")])
    any_index.upsert([entry("a", "second")])
    any_index.delete_chunks(["a"])
    any_index.upsert([entry("a", "third")])
    any_index.commit()
    assert found(any_index, "first second third") == ["a"]
    assert found(any_index, "first second") == []


def test_deleting_chunks_and_documents(any_index: LexicalIndex) -> None:
    fill(any_index, *(entry(f"c{i:02}", "equal words", document=f"d{i // 5}") for i in range(20)))
    any_index.delete_chunks(["c00", "unknown"])
    any_index.delete_documents(["d2", "unknown"])
    any_index.commit()
    left = [f"c{i:02}" for i in range(1, 20) if i // 5 != 2]
    assert found(any_index, "words") == left
    assert any_index.chunk_ids() == set(left)
    fill(any_index, entry("c00", "equal words"))
    assert found(any_index, "words") == ["c00", *left]


def test_clear(any_index: LexicalIndex) -> None:
    fill(any_index, entry("a"), entry("b", tenant="other"))
    any_index.clear()
    assert any_index.chunk_ids() == set()
    assert found(any_index, "words") == []
    fill(any_index, entry("a"))
    assert found(any_index, "words") == ["a"]


def test_equal_scores_are_ordered_by_chunk_id(any_index: LexicalIndex) -> None:
    for start in (50, 0, 25):
        fill(any_index, *(entry(f"c{i:02}", "equal words") for i in range(start, start + 25)))
    everyone = [f"c{i:02}" for i in range(75)]
    for k in (1, 10, 74, 75, 500):
        assert found(any_index, "words", k=k) == everyone[:k]


def test_more_may_be_wanted_than_memory_holds(any_index: LexicalIndex) -> None:
    fill(any_index, entry("a", "battery"), entry("b", "battery"))
    wanted = any_index.search("battery", k=2**62, scope=Scope())
    assert [candidate.chunk_id for candidate in wanted] == ["a", "b"]


def test_tenants_and_access_lists(any_index: LexicalIndex) -> None:
    fill(
        any_index,
        entry("public"),
        entry("ana", acl=frozenset({"user:ana"})),
        entry("staff", acl=frozenset({"group:staff", "user:bo"})),
        entry("foreign", tenant="other"),
        entry("quoted", tenant='default",[],'),
    )
    assert found(any_index, "words") == ["public"]
    assert found(any_index, "words", scope=Scope(user="ana")) == ["ana", "public"]
    assert found(any_index, "words", scope=Scope(user="bo")) == ["public", "staff"]
    assert found(any_index, "words", scope=Scope(groups=frozenset({"staff"}))) == [
        "public",
        "staff",
    ]
    assert found(any_index, "words", scope=Scope(user="group:staff")) == ["public"]
    assert found(any_index, "words", scope=Scope(tenant="other", user="ana")) == ["foreign"]
    assert found(any_index, "words", scope=Scope(tenant="absent")) == []


def test_metadata_and_access_lists_of_any_size(any_index: LexicalIndex) -> None:
    tags = tuple(f"tag{i}" for i in range(20_000))
    everyone = frozenset(f"user:{i}" for i in range(20_000))
    name = "n" * 70_000
    fill(
        any_index,
        entry("large", metadata={"tags": tags, "n": 1, name: "x" * 70_000}),
        entry("small", metadata={"n": 1, name: 2, "tags": ("tag1",)}),
        entry("private", acl=everyone),
    )
    large = Condition(field="tags", operator="contains", value="tag19999")
    assert found(any_index, "words", where=large) == ["large"]
    assert found(any_index, "words", where=equals(n=1)) == ["large", "small"]
    assert found(any_index, "words", where=equals(**{name: "x" * 70_000})) == ["large"]
    assert found(any_index, "words", where=equals(**{name: 2})) == ["small"]
    assert found(any_index, "words", where=equals(n=1), scope=Scope(tenant="other")) == []
    assert found(any_index, "words", scope=Scope(user="7")) == ["large", "private", "small"]
    any_index.delete_chunks(["large"])
    any_index.commit()
    assert found(any_index, "words", where=large) == []


def test_field_names_that_begin_alike(any_index: LexicalIndex) -> None:
    names = ["a", "ab", 'a"', 'a":', "a:", "ä", ""]
    fill(any_index, *(entry(f"c{i}", metadata={name: i}) for i, name in enumerate(names)))
    for i, name in enumerate(names):
        present = Condition(field=name, operator=">=", value=0)
        assert found(any_index, "words", where=present) == [f"c{i}"]


# --- filters against the reference ---------------------------------------------------------------

ACLS = [PUBLIC, PUBLIC, frozenset({"user:ana"}), frozenset({"group:staff", "user:bo"})]
WORDS = ["battery", "warranty", "screen", "repair", "price", "return"]
MANY = [
    entry(
        f"c{i:03}",
        " ".join(WORDS[j] for j in range(6) if i >> j & 1) + " filler" * (i % 4),
        tenant="default" if i % 5 else "other",
        acl=ACLS[(i // 7) % 4],
        language=("en", "de", "", "python")[i % 4],
        metadata={
            name: value
            for name, value in {
                "flag": bool(i % 2),
                "number": (1, 1.0, 0, True, "1")[i // 7 % 5],
                "date": f"202{i // 7 % 4}-01-01",
                "tags": ("red", "blue")[: i // 7 % 3],
            }.items()
            if (i // 7 + len(name)) % 6
        },
    )
    for i in range(200)
]
values = st.sampled_from([True, False, 1, 0, 1.0, 0.5, "1", "red", "2022-01-01", "2023-01-01"])
fields = st.sampled_from(["flag", "number", "date", "tags", "missing"])
leaves: st.SearchStrategy[Filter] = st.one_of(
    st.builds(
        Condition,
        field=fields,
        operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        value=values,
    ),
    st.builds(
        Condition,
        field=fields,
        operator=st.just("in"),
        value=st.lists(values, max_size=3).map(tuple),
    ),
    st.builds(
        Condition, field=fields, operator=st.just("contains"), value=st.sampled_from(["red", "x"])
    ),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=4,
)
scopes = st.builds(
    Scope,
    tenant=st.sampled_from(["default", "other", "absent"]),
    user=st.sampled_from([None, "ana", "bo"]),
    groups=st.sampled_from([frozenset[str](), frozenset({"staff"})]),
)


@pytest.fixture(
    scope="module", params=[open_bm25, open_tantivy, open_sparse], ids=["bm25", "tantivy", "sparse"]
)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LexicalIndex, LexicalIndex]]:
    """The same entries twice: as they are, and without anything a search could filter by."""
    folder = tmp_path_factory.mktemp("filled")
    restricted: LexicalIndex = request.param(folder / "restricted")
    bare: LexicalIndex = request.param(folder / "bare")
    fill(restricted, *MANY)
    fill(
        bare,
        *(entry(e.chunk_id, e.text, language=e.language) for e in MANY),
    )
    yield restricted, bare
    restricted.close()
    bare.close()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.differing_executors])
@given(
    scope=scopes,
    where=st.one_of(st.none(), filters),
    words=st.lists(st.sampled_from([*WORDS, "absent"]), min_size=1, max_size=4),
    k=st.sampled_from([1, 7, 400]),
)
def test_a_restricted_search_is_the_unrestricted_ranking_with_gaps(
    filled: tuple[LexicalIndex, LexicalIndex],
    scope: Scope,
    where: Filter | None,
    words: list[str],
    k: int,
) -> None:
    restricted, bare = filled
    entries = {one.chunk_id: one for one in MANY}
    text = " ".join(words)
    due = [
        (hit.chunk_id, pytest.approx(hit.score, rel=1e-4))
        for hit in bare.search(text, k=1_000, scope=Scope())
        if scope.sees(tenant=entries[hit.chunk_id].tenant, acl=entries[hit.chunk_id].acl)
        and admits(where, entries[hit.chunk_id].metadata)
    ]
    hits = restricted.search(text, k=k, scope=scope, where=where)
    assert [(hit.chunk_id, hit.score) for hit in hits] == due[:k]


@EVERY
def test_one_in_ten_thousand(opener: Open, tmp_path: Path) -> None:
    index = opener(tmp_path / "lexical")
    fill(
        index,
        *(
            entry(f"c{i:05}", f"common words {i % 7}", metadata={"rare": i == 7_777, "half": i % 2})
            for i in range(10_000)
        ),
    )
    assert found(index, "common words", where=equals(rare=True)) == ["c07777"]
    assert found(index, "common", k=3, where=equals(half=1)) == ["c00001", "c00003", "c00005"]
    index.close()


# --- on disk -------------------------------------------------------------------------------------


def test_reopening_finds_what_was_committed(tmp_path: Path) -> None:
    index = open_tantivy(tmp_path / "lexical")
    fill(index, *(entry(f"c{i}", f"text number{i}", document=f"d{i}") for i in range(30)))
    index.delete_documents(["d29"])
    index.close()
    index = open_tantivy(tmp_path / "lexical")
    assert index.chunk_ids() == {f"c{i}" for i in range(29)}
    assert found(index, "number4") == ["c4"]
    index.close()


WRITER = """
import sys
from pathlib import Path
from ragmem.indexes.tantivy import TantivyIndex
from ragmem.types import PUBLIC, IndexEntry

index = TantivyIndex(Path(sys.argv[1]))
for start in range(0, 20_000, 20):
    index.delete_documents([f"d{start - 20}"])
    index.upsert([
        IndexEntry(chunk_id=f"c{i}", document_id=f"d{start}", tenant="default", acl=PUBLIC,
                   title="", text=f"equal words number{i}", language="en", metadata={})
        for i in range(start, start + 20)
    ])
    index.commit()
    print(start, flush=True)
"""


@pytest.mark.parametrize("pause", [0.0, 0.013])
def test_a_killed_writer_leaves_whole_commits(tmp_path: Path, pause: float) -> None:
    folder = tmp_path / "lexical"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        for _ in range(15):
            done = int(writer.stdout.readline())
        time.sleep(pause)
        writer.kill()
        done = int([done, *writer.stdout.read().split()][-1])
    index = open_tantivy(folder)
    committed = {f"c{i}" for i in range(done, done + 20)}
    started = {f"c{i}" for i in range(done + 20, done + 40)}
    assert index.chunk_ids() in (committed, started)
    index.delete_documents([f"d{done}"])
    index.upsert([entry(f"c{i}", f"equal number{i}") for i in range(done + 20, done + 40)])
    index.commit()
    assert index.chunk_ids() == started
    assert set(found(index, "equal")) == started
    assert found(index, f"number{done + 21}") == [f"c{done + 21}"]
    index.close()


def suggesting(index: LexicalIndex) -> SuggestsTerms:
    assert isinstance(index, SuggestsTerms)
    return index


def test_words_that_are_nearly_like_an_unknown_one(index: LexicalIndex) -> None:
    fill(
        index,
        entry("a", "A disease of the proteins, and immunotherapy", title="Enzymes"),
        entry("b", "Diseases again"),
        entry("c", "Die Bücher der Bibliothek", language="de"),
    )
    asked = ["protein", "diseases", "enzyme", "the", "Buch", "protiens", "zebra", "你好"]
    known = suggesting(index)
    assert known.unknown(asked, scope=Scope()) == ["protiens", "zebra"]
    for misspelt, meant in [
        ("protiens", "a"),
        ("diseses", "a"),
        ("immunotherpy", "a"),
        ("mmunotherapy", "a"),
        ("enzymse", "a"),
        ("Bibliotek", "c"),
    ]:
        [first, *_] = known.suggest(misspelt, scope=Scope())
        assert meant in found(index, first)
        assert known.unknown([first], scope=Scope()) == []
    for word in ("zebra", "xyz", "pr0tein1", "", "two words", "你好"):
        assert known.suggest(word, scope=Scope()) == []


def test_words_of_chunks_out_of_sight_are_neither_known_nor_suggested(
    index: LexicalIndex,
) -> None:
    fill(
        index,
        entry("secret", "the zeppelin project", acl=frozenset({"user:ana"})),
        entry("other", "the zeppelins", tenant="other"),
        entry("open", "a zapping tool", acl=frozenset({"user:ben"})),
    )
    known = suggesting(index)
    for scope in (Scope(), Scope(user="ben"), Scope(tenant="none")):
        assert known.unknown(["zeppelin"], scope=scope) == ["zeppelin"]
        assert known.suggest("zepelin", scope=scope) == []
    assert known.unknown(["zeppelin"], scope=Scope(user="ana")) == []
    assert known.suggest("zepelin", scope=Scope(user="ana"))


def test_words_that_are_deleted_are_forgotten(index: LexicalIndex) -> None:
    fill(index, entry("a", "the zeppelin"), entry("b", "something else"))
    known = suggesting(index)
    assert known.suggest("zepelin", scope=Scope())
    index.delete_chunks(["a"])
    index.commit()
    assert known.unknown(["zeppelin"], scope=Scope()) == ["zeppelin"]
    assert known.suggest("zepelin", scope=Scope()) == []


def test_an_empty_index_knows_nothing(index: LexicalIndex) -> None:
    assert suggesting(index).unknown(["word"], scope=Scope()) == []
    assert suggesting(index).suggest("word", scope=Scope()) == []
