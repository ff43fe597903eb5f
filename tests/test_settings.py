"""Settings: defaults, files, variables, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragmem import Settings, UsageError, load_settings


def test_a_file_wins_over_a_variable_and_that_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('dense_weight = 0.5\nchat_model = ""\n')
    monkeypatch.setenv("RAGMEM_DENSE_WEIGHT", "0.7")
    monkeypatch.setenv("RAGMEM_CANDIDATES", "50")
    found = load_settings(file)
    assert (found.dense_weight, found.candidates, found.chat_model) == (0.5, 50, "")
    assert load_settings().dense_weight == 0.7
    monkeypatch.delenv("RAGMEM_DENSE_WEIGHT")
    assert load_settings() == Settings(candidates=50)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no_such_key = 1\n", "no_such_key"),
        ("dense_weight = 2.0\n", "dense_weight"),
        ('fusion = "magic"\n', "fusion"),
        ("chunk_tokens = -3\n", "chunk_tokens"),
        ("not toml", "cannot be read"),
        ("late_chunking = true\nwrite_context = true\n", "toml: late_chunking and write_con"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        load_settings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.toml cannot be read"):
        load_settings(tmp_path / "nothing.toml")
