"""CSV, JSON and JSON Lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragmem.errors import ParseError
from ragmem.parsing.delimited import parse_delimited
from ragmem.parsing.json_records import parse_json, parse_jsonl
from ragmem.parsing.limits import Limits
from ragmem.parsing.tables import pipe_table

LIMITS = Limits()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    text = f'Name{delimiter}Note\n"Ana{delimiter} B."{delimiter}one\nBen{delimiter}"two\nlines"\n'
    lines = parse_delimited(text.encode(), suffix=".csv", limits=LIMITS).text.split("\n")
    assert len(lines) == 4
    assert lines[3] == "| Ben | two lines |"
    assert "Ana" in lines[2]


def test_ragged_rows_keep_every_cell() -> None:
    document = parse_delimited(b"a,b\n1\n2,3,4\n", suffix=".csv", limits=LIMITS)
    assert document.text == "| a | b |  |\n| --- | --- | --- |\n| 1 |  |  |\n| 2 | 3 | 4 |"
    assert "different numbers of cells" in document.warnings[0]


def test_an_open_quote_loses_nothing() -> None:
    content = b'a,b\n"x,1\n' + b"y,2\n" * 50_000
    document = parse_delimited(content, suffix=".csv", limits=LIMITS)
    assert document.text == content.decode()
    assert "line by line" in document.warnings[0]


def test_one_endless_row_does_not_fill_the_table() -> None:
    table = pipe_table(["a"] * 20_000, [["b"]] * 20_000)
    assert len(table) < 1_000_000


def test_json_reads_as_text_with_its_keys_and_digits() -> None:
    content = b'{"name": "Ana", "n": 1.50, "tags": ["a", "b"], "in": [{"x": null, "y": true}, []]}'
    assert parse_json(content, limits=LIMITS).text == (
        "name: Ana\nn: 1.50\ntags: a, b\nin:\n  - x:\n    y: true\n  -"
    )


def test_a_list_of_records_has_a_paragraph_each() -> None:
    text = parse_json(b'[{"a": 1}, {"a": 2}]', limits=LIMITS).text
    assert text == "a: 1\n\na: 2"
    assert text == parse_jsonl(b'{"a": 1}\n\n{"a": 2}\n', limits=LIMITS).text
    assert text == parse_json(b'{"a": 1}\n{"a": 2}\n', limits=LIMITS).text


def test_lines_that_are_no_json_are_kept_and_named() -> None:
    document = parse_jsonl(b'{"a": 1}\noops\n', limits=LIMITS)
    assert document.text == "a: 1\n\noops"
    assert document.warnings == ("1 lines are not JSON, kept as they are: 2",)


def test_a_notebook_is_markdown() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {"cell_type": "code", "source": "print(1)"},
    ]
    notebook = {"nbformat": 4, "cells": cells, "metadata": {"kernelspec": {"language": "python"}}}
    document = parse_json(json.dumps(notebook).encode(), limits=LIMITS)
    assert document.text == "# Title\ntext\n\n```python\nprint(1)\n```"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(_VALUES)
def test_every_value_of_any_json_is_kept(value: object) -> None:
    text = parse_json(json.dumps(value).encode(), limits=LIMITS).text

    def check(part: object) -> None:
        if isinstance(part, dict):
            assert all(f"{key}:" in text for key in part)
        for inner in part.values() if isinstance(part, dict) else part:  # type: ignore[attr-defined]
            if isinstance(inner, dict | list):
                check(inner)
            elif isinstance(inner, int) and not isinstance(inner, bool):
                assert str(inner) in text

    if isinstance(value, dict | list):
        check(value)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ParseError, match="too deeply"):
        parse_json(b'{"a":' * 5000 + b"1" + b"}" * 5000, limits=LIMITS)
