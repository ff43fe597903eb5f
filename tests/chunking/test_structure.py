import random
import re
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragmem.chunking.structure import StructureChunker
from ragmem.errors import UsageError
from ragmem.types import Chunk, PageSpan, ParsedDocument, TextFormat

WORDS = re.findall(
    r"\w+",
    "river stone council winter engine paper garden copper signal harbor window thread market "
    "letter mountain silver canvas orchard lantern bridge",
)


class PieceCounter:
    """Counts as a subword tokenizer might: up to four letters a token, each mark one."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w{1,4}|[^\w\s]", text)) for text in texts]


class GreedyCounter:
    """Anything but additive: every text costs three tokens more than its parts."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.encode()) // 3 + 3 for text in texts]


def document(text: str, text_format: TextFormat = "plain", title: str = "") -> ParsedDocument:
    return ParsedDocument(text=text, text_format=text_format, title=title)


def cut(
    text: str,
    text_format: TextFormat = "plain",
    *,
    title: str = "",
    size: int = 60,
    overlap: int = 0,
) -> list[Chunk]:
    chunker = StructureChunker(PieceCounter(), chunk_tokens=size, overlap_tokens=overlap)
    return chunker.chunk(document(text, text_format, title))


def prose(sentences: int, seed: int = 0, words: int = 8) -> str:
    chooser = random.Random(seed)
    return " ".join(
        " ".join(chooser.choices(WORDS, k=words)).capitalize() + "." for _ in range(sentences)
    )


def test_small_document_is_one_chunk() -> None:
    text = "# Guide\n\nShort intro.\n\n## Install\n\nRun it.\n\n## Use\n\nCall it.\n"
    (chunk,) = cut(text, "markdown", title="Guide")
    assert chunk.text == text.strip()
    assert chunk.context == ""
    assert chunk.heading_path == ("Guide",)
    assert chunk.tokens == PieceCounter().count_tokens([chunk.text])[0]


def test_sections_stand_alone_and_know_their_headings() -> None:
    text = f"# Guide\n\n## Install\n\n{prose(2)}\n\n## Use *it*\n\n{prose(7, 1)}\n"
    chunks = cut(text, "markdown", title="The Book")
    assert chunks[0].text.startswith("# Guide\n\n## Install")
    assert chunks[0].heading_path == ("Guide", "Install")
    assert chunks[0].context == "The Book"
    use = [chunk for chunk in chunks if chunk.heading_path == ("Guide", "Use it")]
    assert use[0].text.startswith("## Use *it*")
    assert use[0].context == "The Book > Guide"
    assert len(use) > 1
    assert use[1].context == "The Book > Guide > Use it"
    assert chunks == sorted([chunks[0], *use], key=lambda chunk: chunk.start)


def test_neighbouring_tiny_sections_share_a_chunk() -> None:
    text = "# Terms\n\n" + "".join(f"## Term {i}\n\nShort words.\n\n" for i in range(30))
    chunks = cut(text, "markdown")
    assert 3 < len(chunks) < 15
    assert all(chunk.text.startswith("#") for chunk in chunks)
    assert all(chunk.heading_path[0] == "Terms" for chunk in chunks)


def test_no_chunk_ends_with_a_heading() -> None:
    text = "".join(f"## Part {i}\n\n{prose(9, i)}\n\n" for i in range(20))
    assert not any(
        chunk.text.splitlines()[-1].startswith("#") for chunk in cut(text, "markdown", size=64)
    )


def test_table_that_fits_is_whole_and_long_table_repeats_its_header() -> None:
    small = "| name | age |\n|---|---|\n| ana | 3 |\n| bob | 4 |"
    chunks = cut(f"{prose(6)}\n\n{small}\n\n{prose(6, 1)}", "markdown")
    assert sum(small in chunk.text for chunk in chunks) == 1

    rows = [f"| person {i} | {i} |" for i in range(60)]
    chunks = cut("\n".join(["| name | age |", "|---|---|", *rows]), "markdown")
    assert len(chunks) > 5
    assert chunks[0].context == ""
    for chunk in chunks[1:]:
        assert chunk.context == "| name | age |"
    assert [row for chunk in chunks for row in chunk.text.split("\n")][2:] == rows


def test_csv_rows_are_table_rows() -> None:
    rows = [f"{i},person {i}" for i in range(60)]
    table = ParsedDocument(
        text="\n".join(["id,name", *rows]), text_format="plain", media_type="text/csv"
    )
    chunks = StructureChunker(PieceCounter(), chunk_tokens=60, overlap_tokens=0).chunk(table)
    assert all(chunk.context == "id,name" for chunk in chunks[1:])
    assert [row for chunk in chunks for row in chunk.text.split("\n")][1:] == rows


def test_fenced_code_that_fits_is_whole_and_longer_code_is_cut_at_blank_lines() -> None:
    code = "```python\n# not a heading\ndef f():\n\n    return 1\n```"
    chunks = cut(f"{prose(6)}\n\n{code}\n\n{prose(6, 1)}", "markdown")
    assert sum(code in chunk.text for chunk in chunks) == 1
    assert not any("not a heading" in chunk.heading_path for chunk in chunks)

    stanzas = [f"value_{i} = compute({i})\nstore(value_{i})" for i in range(20)]
    chunks = cut("```\n" + "\n\n".join(stanzas) + "\n```", "markdown")
    assert len(chunks) > 3
    for stanza in stanzas:
        assert sum(stanza in chunk.text for chunk in chunks) == 1


def test_source_code_is_cut_at_definitions() -> None:
    methods = "\n".join(
        f"    @cached\n    def method_{i}(self):\n        return {prose(1, i)[:60]!r}\n"
        for i in range(8)
    )
    text = f"import os\n\n\nclass Garden(Base):\n    # notes\n\n{methods}\n\nprint(Garden())\n"
    chunks = cut(text, "code", title="garden.py")
    inner = [chunk for chunk in chunks if chunk.text.lstrip().startswith("@cached")]
    assert len(inner) > 2
    assert all(chunk.heading_path[0] == "class Garden(Base)" for chunk in inner)
    assert all(chunk.context == "garden.py > class Garden(Base)" for chunk in inner)
    assert all(chunk.text.startswith("    @cached") for chunk in inner)


def test_overlap_is_whole_sentences() -> None:
    text = prose(30)
    chunks = cut(text, overlap=20, size=80)
    plain = cut(text, overlap=0, size=80)
    assert len(chunks) > 3
    shared = [text[after.start : before.end] for before, after in pairwise(chunks)]
    repeated = [sentences for sentences in shared if sentences]
    assert len(repeated) > len(chunks) / 2
    for sentences in repeated:
        assert sentences.endswith(".")
        assert sentences[0].isupper()
        assert PieceCounter().count_tokens([sentences])[0] <= 20
    assert all(one.end <= two.start for one, two in pairwise(plain))


def test_pages_separate_chunks_unless_they_are_tiny() -> None:
    pages = [prose(5, 1), prose(5, 2), "7", prose(5, 3)]
    text, spans = "", []
    for number, page in enumerate(pages, start=1):
        spans.append(PageSpan(number=number, start=len(text), end=len(text) + len(page)))
        text += page + "\n\n"
    paged = ParsedDocument(text=text, text_format="plain", pages=tuple(spans))
    chunks = StructureChunker(PieceCounter(), chunk_tokens=120, overlap_tokens=20).chunk(paged)
    assert [chunk.page for chunk in chunks] == [1, 2, 3] or [c.page for c in chunks] == [1, 2, 4]
    assert chunks[0].text == pages[0]


def test_plain_headings_give_paths() -> None:
    chapters = "\n\n".join(f"CHAPTER {'I' * i}\n\n{prose(6, i)}" for i in (1, 2, 3))
    chunks = cut(f"BOOK ONE: 1805\n\n{chapters}")
    assert chunks[-1].heading_path == ("BOOK ONE: 1805", "CHAPTER III")
    rst = f"Title\n=====\n\n{prose(6)}\n\nUsage\n-----\n\n{prose(6, 1)}"
    assert cut(rst)[-1].heading_path == ("Title", "Usage")


def test_long_title_and_headings_leave_room_for_the_text() -> None:
    title = prose(20)
    text = f"# {prose(10, 2)}\n\n" + prose(20, 3)
    for chunk in cut(text, "markdown", title=title):
        assert PieceCounter().count_tokens([chunk.context])[0] <= 60 / 4 + 3
        assert PieceCounter().count_tokens([chunk.embedded_text])[0] <= 60


@pytest.mark.parametrize(
    "text",
    ["Zm9v" * 3000, "汉字没有空格" * 1000, "ภาษาไทย" * 1000, "e\u0301" * 3000, "👩‍👩‍👧" * 500],
)
def test_text_without_spaces_is_cut_between_signs(text: str) -> None:
    chunks = cut(text)
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(PieceCounter().count_tokens([chunk.text for chunk in chunks])) <= 60
    assert not any(chunk.text[0] in "\u0301\u200d" for chunk in chunks)


def changed(before: list[Chunk], after: list[Chunk]) -> int:
    known = {chunk.embedded_text for chunk in before}
    return sum(chunk.embedded_text not in known for chunk in after)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("place", [0, 100])
def test_an_edit_changes_only_chunks_near_it(place: int, seed: int) -> None:
    paragraphs = [prose(1 + i % 4, seed * 1000 + i) for i in range(200)]
    edited = [*paragraphs[:place], prose(2, 99_999), *paragraphs[place:]]
    before = cut("\n\n".join(paragraphs), size=120, overlap=20)
    after = cut("\n\n".join(edited), size=120, overlap=20)
    assert len(before) > 40
    assert changed(before, after) <= 6


def test_an_edit_in_one_endless_paragraph_stays_local() -> None:
    text = prose(600, 5)
    before, after = cut(text, size=120), cut("A new sentence. " + text, size=120)
    assert len(before) > 80
    assert changed(before, after) <= 8


@pytest.mark.parametrize(
    ("text", "text_format"),
    [
        ("word " * 100_000, "plain"),
        ("x" * 500_000, "plain"),
        ("\n" * 500_000 + "end", "plain"),
        (" " * 500_000 + "end", "markdown"),
        ("- a\n" * 30_000, "markdown"),
        ("# a\n" * 30_000, "markdown"),
        ("| a | b |\n" * 20_000, "markdown"),
        ("```\n" * 30_001, "markdown"),
        ("[" * 200_000, "markdown"),
        ("# " + "[" * 200_000, "markdown"),
        ("a, " * 100_000, "plain"),
        ("def f(): pass\n" * 10_000, "code"),
        ("\n".join(" " * i + "def f():" for i in range(800)), "code"),
        (prose(10_000), "plain"),
    ],
)
def test_time_is_linear(text: str, text_format: TextFormat) -> None:
    started = time.process_time()
    chunks = cut(text, text_format, size=254)
    assert chunks
    assert time.process_time() - started < 8


def test_wide_gaps_are_in_no_chunk() -> None:
    chunks = cut("one" + "\n" * 100_000 + "two")
    assert [chunk.text for chunk in chunks] == ["one", "two"]


MARKDOWN = st.lists(
    st.one_of(
        st.builds(lambda n, t: "#" * n + " " + t, st.integers(1, 6), st.text(max_size=30)),
        st.integers(0, 999).map(lambda seed: prose(seed % 7, seed)),
        st.integers(1, 30).map(lambda n: "\n".join(f"- item {i}" for i in range(n))),
        st.integers(1, 30).map(
            lambda n: "```\n" + "\n\n".join("f(x)" * i for i in range(n)) + "\n```"
        ),
        st.integers(1, 30).map(
            lambda n: "| a | b |\n|---|---|\n" + "\n".join(f"| {i} | x |" for i in range(n))
        ),
        st.text(max_size=200),
    ),
    max_size=12,
).map("\n\n".join)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    text=MARKDOWN | st.text(),
    title=st.text(max_size=80),
    text_format=st.sampled_from(["plain", "markdown", "code"]),
    page_every=st.sampled_from([0, 7, 150]),
    counter=st.sampled_from([PieceCounter(), GreedyCounter()]),
)
def test_invariants(
    text: str,
    title: str,
    text_format: TextFormat,
    page_every: int,
    counter: PieceCounter | GreedyCounter,
) -> None:
    starts = list(range(0, len(text), page_every)) if page_every else []
    pages = tuple(
        PageSpan(number=i + 1, start=start, end=min(start + page_every, len(text)))
        for i, start in enumerate(starts)
    )
    parsed = ParsedDocument(text=text, text_format=text_format, title=title, pages=pages)
    chunker = StructureChunker(counter, chunk_tokens=40, overlap_tokens=10)
    chunks = chunker.chunk(parsed)
    assert chunks == chunker.chunk(parsed)
    covered: set[int] = set()
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text.strip()
        assert counter.count_tokens([chunk.embedded_text])[0] <= 40
        assert [chunk.tokens] == counter.count_tokens([chunk.text])
        covered.update(range(chunk.start, chunk.end))
        if pages:
            page = pages[chunk.page - 1] if chunk.page else pages[-1]
            assert page.start <= chunk.start < page.end
    assert all(i in covered or text[i].isspace() for i in range(len(text)))
    places = [(chunk.start, chunk.end) for chunk in chunks]
    assert places == sorted(set(places))


def test_counting_is_batched() -> None:
    class Calls(PieceCounter):
        calls = 0

        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            self.calls += 1
            return super().count_tokens(texts)

    counter = Calls()
    chunks = StructureChunker(counter, chunk_tokens=100, overlap_tokens=0).chunk(
        document(prose(3000))
    )
    assert len(chunks) > 100
    assert counter.calls < 10


def test_fingerprint_names_every_setting() -> None:
    def fingerprint(**settings: int | str) -> str:
        return StructureChunker(PieceCounter(), **settings).fingerprint  # type: ignore[arg-type]

    names = {
        fingerprint(),
        fingerprint(chunk_tokens=200),
        fingerprint(overlap_tokens=8),
        fingerprint(tokens_name="minilm"),
    }
    assert len(names) == 4
    assert fingerprint() == fingerprint()


@pytest.mark.parametrize("sizes", [(8, 0), (100, -1), (100, 60)])
def test_sizes_that_make_no_sense_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        StructureChunker(PieceCounter(), chunk_tokens=sizes[0], overlap_tokens=sizes[1])
