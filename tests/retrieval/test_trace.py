"""Collecting stages."""

from __future__ import annotations

import time

import pytest

from ragmem.retrieval.trace import TraceBuilder


def test_stages_are_timed_and_kept_in_order_after_an_earlier_trace() -> None:
    first = TraceBuilder()
    with first.stage("slow") as stage:
        time.sleep(0.01)
        stage.scores = {"a": 1.0}
        stage.details["count"] = 1
    second = TraceBuilder(first.trace())
    second.add("later", 0.5, {"why": "told"})
    slow, later = second.trace().stages
    assert slow.seconds >= 0.01
    assert (slow.scores, slow.details) == ({"a": 1.0}, {"count": 1})
    assert (later.name, later.seconds, later.details) == ("later", 0.5, {"why": "told"})


def test_a_stage_that_fails_is_recorded() -> None:
    builder = TraceBuilder()
    with pytest.raises(ValueError, match="broken"), builder.stage("failing"):
        raise ValueError("broken")
    assert builder.trace().stage("failing").seconds >= 0.0
