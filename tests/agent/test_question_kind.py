"""What a question asks for."""

from __future__ import annotations

import pytest

from ragmem.agent.question_kind import answers_kind


@pytest.mark.parametrize(
    ("question", "sentence", "expected"),
    [
        ("When did it open?", "It opened in May.", 1.0),
        ("what year did it open", "It opened in 1931.", 1.0),
        ("When did it open?", "It opened late.", 0.0),
        ("How many floors are there?", "It has ninety-three, or 93, floors.", 1.0),
        ("How tall is it?", "It is very tall.", 0.0),
        ("Who designed the Empire State Building?", "It was drawn by William Lamb.", 1.0),
        ("who designed the empire state building", "The Empire State Building is old.", 0.0),
        ("Is it open?", "It was drawn by William Lamb in 1931.", 0.5),
        ("Quand est-il mort ?", "Il est mort en 1821.", 0.5),
    ],
)
def test_answers_kind(question: str, sentence: str, expected: float) -> None:
    assert answers_kind(question, sentence) == expected
