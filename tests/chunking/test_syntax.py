import random
import re
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ragmem
from ragmem.chunking.structure import StructureChunker
from ragmem.chunking.syntax import CodeSpan, syntax_spans
from ragmem.types import Chunk, ParsedDocument


class PieceCounter:
    """Counts as a subword tokenizer might: up to four letters a token, each mark one."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w{1,4}|[^\w\s]", text)) for text in texts]


def cut(text: str, language: str, *, size: int = 100, title: str = "") -> list[Chunk]:
    document = ParsedDocument(text=text, text_format="code", language=language, title=title)
    chunks = StructureChunker(PieceCounter(), chunk_tokens=size, overlap_tokens=0).chunk(document)
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)
    rest = "".join(text[a.end : b.start] for a, b in pairwise(chunks))
    assert not rest.strip()
    return chunks


def spans(text: str, language: str) -> list[CodeSpan]:
    found = syntax_spans(text, language)
    assert found is not None
    return found


def titles(text: str, language: str) -> list[tuple[int, str]]:
    return [(span.level, span.title) for span in spans(text, language) if span.title]


def filler(lines: int, *, indent: str = "    ", seed: int = 0) -> str:
    chooser = random.Random(seed)
    names = ["alpha", "beta", "gamma", "delta", "river", "stone", "garden", "copper"]
    return "".join(
        f"{indent}{chooser.choice(names)} = call_{i}({chooser.choice(names)}, {i});\n"
        for i in range(lines)
    )


PYTHON = f'''"""What the module is for."""

import os

LIMIT = 3


# About f: it
# is a function.
@wrap(
    1,
)
def f(a, b):
    """Say what f does."""
{filler(3).replace(";", "")}    return a


class Garden(Base):
    """Roses."""

    size = 3

    # Grows.
    async def grow(self):
{filler(5, indent="        ", seed=1).replace(";", "")}
    def shrink(self):
{filler(5, indent="        ", seed=2).replace(";", "")}'''


def test_whole_definitions_with_what_belongs_to_them() -> None:
    chunks = cut(PYTHON, "python", size=86, title="garden.py")
    (function,) = [chunk for chunk in chunks if "def f(" in chunk.text]
    assert function.text.startswith("# About f: it\n# is a function.\n@wrap(\n")
    assert function.text.endswith("return a")
    assert (function.heading_path, function.context) == (("def f",), "garden.py")
    methods = [chunk for chunk in chunks if chunk.heading_path[1:]]
    assert [chunk.heading_path[-1] for chunk in methods] == ["async def grow", "def shrink"]
    assert methods[0].text.startswith("    # Grows.\n    async def grow")
    assert methods[0].context == "garden.py > class Garden"


def test_a_class_that_fits_is_whole_and_small_functions_are_packed() -> None:
    (garden,) = [chunk for chunk in cut(PYTHON, "python", size=170) if "Garden(Base)" in chunk.text]
    assert "def grow" in garden.text
    assert "def shrink" in garden.text
    assert garden.heading_path == ("class Garden",)
    small = "".join(f"def f_{i}():\n    return {i}\n\n\n" for i in range(60))
    chunks = cut(small, "python")
    assert 5 < len(chunks) < 20
    assert all(chunk.text.startswith("def f_") for chunk in chunks)


def test_a_long_function_is_split_between_statements() -> None:
    body = "".join(
        f"    if x_{i}:\n{filler(2, indent='        ', seed=i)}    else:\n        y({i});\n"
        for i in range(12)
    ).replace(";", "")
    chunks = cut(f"def long(x):\n    '''Doc.'''\n{body}", "python", title="a.py")
    assert len(chunks) > 4
    assert all(chunk.text.startswith("    if x_") for chunk in chunks[1:])
    assert all(chunk.heading_path == ("def long",) for chunk in chunks)
    assert all(chunk.context == "a.py > def long" for chunk in chunks[1:])
    one = "def long():\n    if a:\n" + filler(40, indent=" " * 8).replace(";", "") + "    else:\n"
    chunks = cut(one + filler(40, indent=" " * 8, seed=3).replace(";", ""), "python")
    assert not any(chunk.text.rstrip().endswith(("if a:", "else:")) for chunk in chunks)
    assert all(chunk.text.endswith(")") for chunk in chunks)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "javascript",
            "export default async function f() {\n  return 1;\n}\nexport const g = (x) => {\n"
            "  return x;\n};\nclass A extends B {\n  constructor() {\n    super();\n  }\n}\n"
            "A.prototype.h = function () {\n  return 2;\n};\n",
            ["async function f", "const g", "class A", "A.prototype.h"],
        ),
        (
            "typescript",
            "/** Doc */\nexport interface O<T> {\n  a: T;\n}\n@Component({ a: 1 })\n"
            "export class F {\n  x = 1;\n}\nexport type K = 'a';\nexport enum E {\n  A,\n}\n"
            "namespace N {\n}\n",
            ["interface O", "class F", "type K", "enum E", "namespace N"],
        ),
        (
            "typescript",
            "const View = () => {\n  return <div className='a'><b>text</b></div>;\n};\n",
            ["const View"],
        ),
        (
            "java",
            'package a;\n\n/** Doc. */\n@Entity(name = "x")\npublic class A<T> extends B {\n'
            "  @Override\n  public int size() {\n    return 1;\n  }\n}\ninterface I {\n}\n",
            ["public class A", "interface I"],
        ),
        (
            "go",
            "package a\n\n// S serves.\ntype S struct {\n\tn int\n}\n\n"
            "func (s *S) Run(x int) error {\n\treturn nil\n}\n\nfunc main() {\n}\n",
            ["type S", "func (s *S) Run", "func main"],
        ),
        (
            "rust",
            "/// Doc.\n#[derive(Debug)]\npub struct P<T> {\n    x: T,\n}\nimpl<T> Show for P<T> {\n"
            "    fn f() {}\n}\nmod tests {\n    fn g() {}\n}\nmacro_rules! m {\n    () => {};\n}\n",
            ["pub struct P", "impl<T> Show for P<T>", "mod tests", "macro_rules! m"],
        ),
        (
            "c",
            "struct point {\n  int x;\n};\ntypedef struct {\n  int q;\n} Q;\nstatic int\n"
            "*f(int x)\n{\n  return 0;\n}\nstruct point p;\n",
            ["struct point", "typedef struct Q", "static int *f"],
        ),
        (
            "c",
            "namespace n {\ntemplate <typename T>\nclass A : public B {\n public:\n"
            "  int f();\n};\n}\nint A::f() {\n  return 1;\n}\n",
            ["namespace n", "int A::f"],
        ),
        (
            "csharp",
            "namespace A.B;\n\n[Serializable]\npublic class F : G\n{\n    int x;\n}\n"
            "public record R(int X);\n",
            ["namespace A.B", "public class F", "public record R"],
        ),
        (
            "ruby",
            "# Doc\nclass A < B\n  def f\n    1\n  end\nend\n\ndef self.g(x)\n  x\nend\n",
            ["class A", "def self.g"],
        ),
        (
            "php",
            "<?php\nnamespace A;\n\n/** Doc */\n#[Attr]\nfinal class F extends G {\n"
            "  public $x;\n}\nfunction g() {\n  return 1;\n}\n",
            ["namespace A", "final class F", "function g"],
        ),
        ("bash", "# Doc\nf() {\n  echo 1\n}\nfunction g {\n  f\n}\ng\n", ["f", "function g"]),
    ],
)
def test_definitions_of_each_language(language: str, text: str, expected: list[str]) -> None:
    assert [title for level, title in titles(text, language) if level == 1] == expected
    for span in spans(text, language):
        first = text[span.start : span.end].lstrip()
        assert not first.startswith(("}", "end"))


def test_members_are_inside() -> None:
    method = f"  // Doc.\n  int f() {{\n{filler(8)}  }}\n"
    text = f"class A {{\n  int x;\n\n{method}\n  int g() {{\n  }}\n}}\n"
    assert titles(text, "java") == [(1, "class A"), (2, "int f"), (2, "int g")]
    guarded = (
        f"#ifndef A_H\n#define A_H\n\n{'int f() {' + chr(10) + filler(8) + '}'}\nint x;\n#endif\n"
    )
    assert titles(guarded, "c") == [(1, "int f")]
    assert spans(guarded, "c")[-1].level == 1


def test_offsets_are_code_points() -> None:
    text = (
        "x = 'ü😀'\n\n\ndef größe(ü):\n    '''汉字 😀'''\n    return ü\n\n\n"
        "class Ä:\n    é = '\u0301'\n"
    )
    for size in (16, 30, 100):
        assert "".join("".join(c.text.split()) for c in cut(text, "python", size=size)) == "".join(
            text.split()
        )
    assert titles(text, "python") == [(1, "def größe"), (1, "class Ä")]
    assert cut("x = '\ud800'\ndef f(): pass\n", "python")


def test_windows_lines_and_nul() -> None:
    assert titles("def f():\r\n    pass\r\n\r\nclass A:\r\n    pass\r\n", "python") == [
        (1, "def f"),
        (1, "class A"),
    ]
    assert cut("def f():\n    pass\n\0\ndef g():\n    pass\n", "python")


def test_errors_disturb_only_what_is_near() -> None:
    functions = [f"def f_{i}(x):\n{filler(4, seed=i).replace(';', '')}\n\n" for i in range(20)]
    slight = [*functions]
    slight[10] = "def f_10(x):\n    y = x +* 3 3\n    return y\n\n\n"
    found = [title for _, title in titles("".join(slight), "python")]
    assert found == [f"def f_{i}" for i in range(20)]
    functions[10] = "def f_10(x:\n    return ((\n\n\n"
    assert syntax_spans("".join(functions), "python") is None
    starts = [chunk.text.split("\n")[0] for chunk in cut("".join(functions), "python")]
    assert len(starts) > 8
    assert all(start.startswith("def f_") for start in starts)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("def f():\n    pass\n", "cobol"),
        ("def f():\n    pass\n", ""),
        ("It was a dark and (stormy night; the rain fell in [torrents.\n" * 20, "java"),
    ],
)
def test_other_languages_are_left_to_the_lines(text: str, language: str) -> None:
    assert syntax_spans(text, language) is None
    assert cut(text, language)


def test_an_edit_changes_only_chunks_near_it() -> None:
    def source(extra: int) -> str:
        parts = [
            f"def f_{i}(x):\n{filler(2 + i % 9, seed=i).replace(';', '')}\n\n" for i in range(80)
        ]
        parts.insert(40, filler(extra, indent="", seed=999).replace(";", ""))
        return "".join(parts)

    before = {chunk.embedded_text for chunk in cut(source(0), "python")}
    after = [chunk.embedded_text for chunk in cut(source(9), "python")]
    assert len(after) > 40
    assert sum(text not in before for text in after) <= 4


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("function a(b){return b?c(d,{e:1,f:function(g){return g+1}}):h};" * 8000, "javascript"),
        ("{\n" * 20_000 + "}\n" * 20_000, "javascript"),
        ("void f(){\n" + "if(x){\n" * 10_000 + "}\n" * 10_000 + "}", "c"),
        ("x = " + "[" * 100_000 + "]" * 100_000, "python"),
        ("(" * 200_000, "python"),
        ("\n".join(" " * i + "if x:" for i in range(600)), "python"),
        ("a<" * 100_000, "cpp"),
        ("# x\n\n" * 20_000, "python"),
    ],
)
def test_time_is_linear_and_the_stack_is_safe(text: str, language: str) -> None:
    started = time.process_time()
    assert cut(text, language, size=254)
    assert time.process_time() - started < 8


def test_our_own_sources_are_cut_at_definitions() -> None:
    package = Path(ragmem.__file__).parent
    for path in [package / "types.py", *sorted((package / "chunking").glob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        chunks = cut(text, "python", size=254, title=path.name)
        definitions = len(re.findall(r"^(?:def|class) ", text, re.MULTILINE))
        inside = {chunk.heading_path[0] for chunk in chunks if chunk.heading_path}
        assert len(inside) <= definitions
        starts = [chunk.text for chunk in chunks if re.match(r"(?:@|def |class )", chunk.text)]
        assert len(starts) >= len(inside)


TOKENS = [
    *"(){}[]:;=@#fx1ü'",
    *("def", "class", "if", "else", "import", "//", "/*", "*/", '"', "=>"),
    *("\n", "\n\n", "\r\n", "    ", "\t"),
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    tokens=st.lists(st.sampled_from(TOKENS), max_size=60),
    language=st.sampled_from(["python", "javascript", "typescript", "java", "go", "rust", "c"])
    | st.sampled_from(["cpp", "csharp", "ruby", "php", "bash"]),
)
def test_nothing_is_lost_or_out_of_order(tokens: list[str], language: str) -> None:
    text = " ".join(tokens)
    found = syntax_spans(text, language)
    reached = 0
    for span in found or []:
        assert not text[reached : span.start].strip()
        assert text[span.start : span.end].strip()
        reached = span.end
    assert found is None or not text[reached:].strip()
    chunks = cut(text, language, size=16)
    assert "".join("".join(c.text.split()) for c in chunks) == "".join(text.split())
