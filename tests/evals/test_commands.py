"""The commands as they are typed: one JSON object on standard output, the rest beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from evals.__main__ import app
from evals.intervals import Metric
from evals.tuning.command import advise, as_toml
from ragmem import UsageError, load_settings

pytestmark = pytest.mark.models

SYNONYMS = (
    "physician/doctor automobile/car infant/baby canine/dog feline/cat attorney/lawyer "
    "beverage/drink residence/house ocean/sea stone/rock garbage/trash currency/money "
    "instructor/teacher forest/woods movie/film illness/sickness child/kid aircraft/plane "
    "soil/dirt bicycle/bike monarch/king timepiece/clock couch/sofa supper/dinner spouse/wife "
    "thief/robber pupil/student sweets/candy autumn/fall rabbit/bunny"
)


def run(*arguments: str) -> Result:
    """Run a command that must succeed."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_a_suite_prints_one_object(collection: Path, kept: Path) -> None:
    for suite in ("beir", "multihop"):
        found = json.loads(run(suite, "--data", str(collection), "--limit", "9", "--json").stdout)
        assert found.keys() == {"suite", "metrics", "by", "settings", "versions", "seconds"}
        assert found["suite"] == suite
        assert found["settings"]["documents"] == 36
        assert found["metrics"]["default.recall@5"]["n"] == 9
        assert ("default-fused.recall@5" in found["metrics"]) == (suite == "multihop")
    assert len([each for each in kept.iterdir() if each.is_dir()]) == 1
    table = run("beir", "--data", str(collection), "--limit", "9").stdout
    assert table.startswith("lexical.ndcg@10 ")


def test_tuning_prints_a_settings_file(collection: Path, kept: Path, tmp_path: Path) -> None:
    # Questions whose words no document has: vectors find them, words do not.
    pairs = [pair.split("/") for pair in SYNONYMS.split()]
    for name, column in (("corpus", 0), ("queries", 1)):
        rows = ({"_id": f"{name[0]}{n}", "text": pair[column]} for n, pair in enumerate(pairs))
        (collection / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = "".join(f"q{number}\tc{number}\t1\n" for number in range(len(pairs)))
    (collection / "qrels" / "train.tsv").write_text(f"query\tdocument\tgrade\n{judged}")
    config = tmp_path / "mine.toml"
    config.write_text('dense_weight = 0.0\nreranker = "none"\n')
    common = ("tune", "--data", str(collection), "--config", str(config))
    found = json.loads(run(*common, "--json").stdout)
    assert found["metrics"].keys() == {
        "default.ndcg@10",
        "tuned.ndcg@10",
        "tuned-default.ndcg@10",
    }
    assert found["settings"]["chosen"]["dense_weight"] > 0.0
    assert len(found["settings"]["chosen_by_fold"]) == 5
    assert found["metrics"]["tuned-default.ndcg@10"]["low"] > 0
    assert found["settings"]["advice"].startswith("Use these settings")
    printed = tmp_path / "tuned.toml"
    printed.write_text(run(*common).stdout)
    settings = load_settings(printed)
    assert settings.reranker == "none"
    for name, value in found["settings"]["chosen"].items():
        assert getattr(settings, name) == value


def test_too_few_questions_are_refused(collection: Path, kept: Path) -> None:
    with pytest.raises(UsageError, match="24 judged questions in train"):
        run("tune", "--data", str(collection), "--limit", "24")


def test_ablation_writes_document_results_and_plot(
    collection: Path, kept: Path, tmp_path: Path
) -> None:
    out = tmp_path / "docs" / "retrieval.md"
    rows = ("--row", "plain + word features", "--limit", "9")
    common = ("ablate", "--out", str(out), "--json")
    found = json.loads(run(*common, "--data", str(collection), *rows).stdout)
    assert found["metrics"]["default.mean"]["n"] == 9
    assert found["metrics"]["plain + word features-plain fusion.mean"]["n"] == 9
    assert found["by"]["tiny"].keys() >= {"default.ndcg@10", "plain fusion-default.ndcg@10"}
    text = out.read_text()
    assert "| plain + word features | plain fusion |" in text
    assert "- plain + hyde: needs a chat model (--with-chat)" in text
    assert out.with_suffix(".svg").read_text().startswith("<svg")
    out.unlink()
    again = json.loads(run(*common).stdout)
    assert again["metrics"] == found["metrics"]
    assert out.read_text() == text


def test_wrong_use_is_named(collection: Path, kept: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "retrieval.md")
    with pytest.raises(UsageError, match="no results to show"):
        run("ablate", "--out", out)
    with pytest.raises(UsageError, match="'nothing' is no configuration"):
        run("ablate", "--out", out, "--row", "nothing")
    with pytest.raises(UsageError, match="two sets are called tiny"):
        run("ablate", "--out", out, "--data", str(collection), "--multihop", str(collection))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.05, "Use these"), (-0.01, 0.05, "within noise"), (-0.05, -0.01, "lose")],
)
def test_advice_follows_the_interval(low: float, high: float, words: str) -> None:
    gain = Metric(value=(low + high) / 2, low=low, high=high, n=50)
    assert words in advise({"dense_weight": 0.5}, gain)
    assert "keep" in advise({}, gain)


def test_settings_files_hold_any_setting(tmp_path: Path) -> None:
    values = {"dense_weight": 0.5, "fusion": "reciprocal_rank", "collapse_near_duplicates": False}
    lists = {"understanding": ["spelling"], "sparse_model": 'a "quoted" \\ näme'}
    path = tmp_path / "all.toml"
    path.write_text(as_toml({**values, **lists}), encoding="utf-8")
    settings = load_settings(path)
    assert settings.sparse_model == lists["sparse_model"]
    assert settings.understanding == ("spelling",)
    assert settings.collapse_near_duplicates is False
