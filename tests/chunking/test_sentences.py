"""Where sentences end."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragmem.chunking.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. Smith paid $3.50 to J. R. Doe.", "He left."],
        ["See Fig. 3 and Eq. 4 vs. the rest, e.g. Table 2.", "It fits."],
        ["Is there a number?", "No.", "I checked."],
        ["See no. 5 on pp. 12 f. of it.", "Done!"],
        ["Apples, pears, etc. were sold.", "Plums, etc.", "They were cheap."],
        ["The U.S. Government acted.", "It was in the U.S.", "The end."],
        ['"Really?" he asked.', '"Yes!" she said.', "(It was so.)", "Good."],
        ["Visit https://example.org/a.b?c=d. now or v2.0.1 later.", "Fine."],
        ["It grew.[12]", "Then it fell.[13][14]", "So."],
        ["Well... maybe so.", "Well…", "No."],
        ["他来了。", "她走了！", "真的吗？", "好的"],
        ["「行こう。」", "彼は言った。"],
        ["यह एक वाक्य है।", "यह दूसरा है।"],
        ["كيف حالك؟", "أنا بخير."],
        ["Z.B. die Bahn kam um 3.15 Uhr.", "Alle stiegen ein."],
        ["the lift rises .", "e.g. a wing by j. doe et al. in fig. 3 stalls.", "does it?", "yes."],
    ],
)
def test_sentences_on_one_line(expected: list[str]) -> None:
    separator = "" if expected[0][-1] in "。」" else " "
    assert sentences(separator.join(expected)) == expected


def test_wrapped_lines_are_one_sentence() -> None:
    text = (
        "The committee met in the old town hall\nof Berlin to discuss the new rules\nfor trade. It"
    )
    assert sentences(text) == [text[:-3], "It"]


def test_blank_lines_lists_tables_and_headings_end_sentences() -> None:
    text = (
        "# Title\nSome words here\n\nItems:\n- one\n- two\n2. three\n| a | b |\n| c | d |\nAnd then"
    )
    assert sentences(text) == [
        "# Title",
        "Some words here",
        "Items:",
        "- one",
        "- two",
        "2. three",
        "| a | b |",
        "| c | d |",
        "And then",
    ]


def test_short_lines_and_records_stand_alone() -> None:
    assert sentences("Ana Diaz\nBaker Street 5\nLondon") == ["Ana Diaz", "Baker Street 5", "London"]
    log = "[10:01] service started on port eighty\n[10:02] request received from the client"
    assert sentences(log) == log.split("\n")


@settings(deadline=None, derandomize=True)
@given(st.text() | st.text(alphabet="aB.!? \n\"'-|#1。"))
def test_spans_are_ordered_trimmed_and_hold_everything(text: str) -> None:
    spans = sentence_spans(text)
    covered = "".join(text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(text.split())
    previous = 0
    for start, end in spans:
        assert previous <= start < end
        assert text[start:end] == text[start:end].strip()
        previous = end


@pytest.mark.parametrize("part", [".", "\n", " \n", "a. ", "a\n", "- a\n", "J. ", "\n ", '!"'])
def test_time_is_linear(part: str) -> None:
    started = time.process_time()
    sentence_spans(part * 100_000)
    assert time.process_time() - started < 5
