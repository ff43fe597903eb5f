"""The ablation: what is measured, kept, compared, written and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evals.ablation.comparing import RowFigures, figures
from evals.ablation.document import BEGIN, END, measured_part, update
from evals.ablation.kept import Cell, JudgedSet, Kept
from evals.ablation.measuring import cell_key, judged_set, measure
from evals.ablation.plot import quality_against_latency
from evals.ablation.rows import DEFAULT, PLAIN, ROWS, Row, settings_of
from evals.beir_data import BeirData
from evals.stores import CorpusStores
from ragmem import ModelUnavailable, Settings, UsageError

MISSING = Row(name="with a model", base=PLAIN, overrides={}, needs_chat=True)
THREE = (ROWS[0], ROWS[1], MISSING)


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""


def kept_results() -> Kept:
    """Two sets of four questions; plain fusion was worse on each question of the first."""
    sets = {
        name: JudgedSet(name=name, measure=measure, documents=9, questions=4, digest=name)
        for name, measure in (("one", "ndcg@10"), ("two", "recall@5"))
    }

    def cell(row: str, values: list[float], milliseconds: float) -> Cell:
        return Cell(
            key=row,
            store="same",
            values={"ndcg@10": values, "recall@5": values},
            milliseconds=[milliseconds] * 4,
            ingest_seconds=2.0,
        )

    return Kept(
        sets=sets,
        cells={
            "one": {
                DEFAULT: cell(DEFAULT, [0.5, 0.6, 0.7, 0.8], 20.0),
                PLAIN: cell(PLAIN, [0.4, 0.5, 0.6, 0.7], 10.0),
            },
            "two": {
                DEFAULT: cell(DEFAULT, [1.0, 0.0, 1.0, 0.0], 20.0),
                PLAIN: cell(PLAIN, [0.0, 1.0, 1.0, 0.0], 10.0),
            },
        },
        versions={"ragmem": "1.2.3", "machine": "here"},
    )


def test_every_row_is_settings_that_there_are() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert isinstance(settings_of(row.name), Settings)
    assert settings_of(DEFAULT) == Settings()
    assert settings_of("plain + word features").reranker == "features"


@pytest.mark.parametrize("override", [{"no_such_setting": 1}, {"dense_weight": 7}])
def test_a_wrong_override_is_named(override: dict[str, object]) -> None:
    rows = (*ROWS[:2], Row(name="wrong", base=PLAIN, overrides=override))
    with pytest.raises(UsageError, match=f"the row 'wrong': {next(iter(override))}"):
        settings_of("wrong", rows)


def test_each_is_compared_with_its_base_question_by_question() -> None:
    default, plain, missing = figures(kept_results(), THREE, seed=0)
    assert default.mean is not None
    assert default.mean.value.value == pytest.approx((0.65 + 0.5) / 2)
    assert default.mean.difference is None
    assert default.ingest_seconds == 4.0
    first = plain.by_set["one"].difference
    assert first is not None
    assert (first.value, first.low, first.high) == pytest.approx((-0.1, -0.1, -0.1))
    assert plain.mean is not None
    assert plain.mean.difference is not None
    assert plain.mean.difference.value == pytest.approx(-0.05)
    assert plain.mean.difference.n == 8
    assert plain.ingest_seconds is None  # it shares the default's store
    assert missing == RowFigures(row=MISSING, not_measured="needs a chat model (--with-chat)")


def test_a_row_that_lacks_a_set_has_no_mean() -> None:
    kept = kept_results()
    kept.cells["two"][PLAIN] = Cell(key="", not_measured="the model is not here")
    plain = figures(kept, THREE, seed=0)[1]
    assert plain.mean is None
    assert plain.by_set.keys() == {"one"}


def test_the_document_shows_every_figure() -> None:
    text = measured_part(kept_results(), figures(kept_results(), THREE, seed=0), plot="p.svg")
    header, _, default, plain, *_ = text.splitlines()
    assert "| one, nDCG@10 | two, recall@5 | mean |" in header
    assert default.startswith("| default |  | 65.0 | 50.0 | 57.5 [")
    assert default.endswith("| 20.0 | 4 |")
    assert "55.0<br>**-10.0 [-10.0, -10.0]**" in plain
    assert "- with a model: needs a chat model (--with-chat)" in text
    assert "](p.svg)" in text


def test_only_what_lies_between_the_markers_changes(tmp_path: Path) -> None:
    document = tmp_path / "retrieval.md"
    document.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    for _ in range(2):
        update(document, "new\n")
        assert document.read_text() == f"# Before\n\n{BEGIN}\n\nnew\n\n{END}\n\nAfter.\n"
    made = tmp_path / "made.md"
    update(made, "new\n")
    assert made.read_text() == f"{BEGIN}\n\nnew\n\n{END}\n"


@pytest.mark.parametrize(
    "text", ["no markers", f"{END}\n{BEGIN}\n", BEGIN, f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"]
)
def test_a_document_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    document = tmp_path / "retrieval.md"
    document.write_text(text)
    with pytest.raises(UsageError, match="needs one line"):
        update(document, "new\n")
    assert document.read_text() == text


def test_the_plot_has_a_point_for_each_row() -> None:
    drawn = quality_against_latency(figures(kept_results(), THREE, seed=0))
    root = ElementTree.fromstring(drawn)
    circles = root.findall("{*}circle")
    assert len(circles) == 2
    default, plain = circles
    assert float(default.attrib["cx"]) > float(plain.attrib["cx"])  # slower
    assert float(default.attrib["cy"]) < float(plain.attrib["cy"])  # better
    names = [each.text for each in root.findall("{*}text")]
    assert "1  default: 57.5" in names
    assert ElementTree.fromstring(quality_against_latency([])).findall("{*}circle") == []


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "retrieval.json"
    assert Kept.read(path) == Kept()
    kept_results().write(path)
    assert Kept.read(path) == kept_results()
    for broken in ("{", "[]", '{"format": 99}', '{"format": 1, "sets": {}}'):
        path.write_text(broken)
        with pytest.raises(UsageError, match="delete it to go on"):
            Kept.read(path)


def test_a_stopped_run_goes_on(
    data: BeirData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured with the same settings, questions and version is not measured again."""
    measured: list[Settings] = []
    path = tmp_path / "retrieval.json"
    judged = judged_set("tiny", data, measure="ndcg@10")

    def pretend(_data: BeirData, settings: Settings, key: str, **_rest: object) -> Cell:
        if len(measured) == 1:
            measured.append(settings)
            raise KeyboardInterrupt
        measured.append(settings)
        return Cell(key=key, values={"ndcg@10": [1.0]}, milliseconds=[1.0])

    def run(*, again: bool = False) -> Kept:
        kept = Kept.read(path)
        measure(
            {"tiny": (judged, data)},
            ROWS[:2],
            kept=kept,
            path=path,
            stores=CorpusStores(tmp_path, progress=quiet),
            again=again,
            progress=quiet,
        )
        return kept

    monkeypatch.setattr("evals.ablation.measuring._measured", pretend)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert list(Kept.read(path).cells["tiny"]) == [DEFAULT]
    assert list(run().cells["tiny"]) == [DEFAULT, PLAIN]
    assert measured == [Settings(), settings_of(PLAIN), settings_of(PLAIN)]
    run()
    assert len(measured) == 3
    run(again=True)
    assert len(measured) == 5


def test_the_key_tells_settings_and_questions_apart(data: BeirData) -> None:
    judged = judged_set("tiny", data, measure="ndcg@10")
    fewer = BeirData(corpus=data.corpus, queries=data.queries, qrels={"q0": {"d0": 1}})
    keys = [
        cell_key(judged, Settings()),
        cell_key(judged, Settings(dense_weight=0.1)),
        cell_key(judged_set("tiny", fewer, measure="ndcg@10"), Settings()),
    ]
    assert len(set(keys)) == 3
    assert cell_key(judged, Settings(threads=1)) == keys[0]


def test_a_model_that_is_not_here_is_told(
    data: BeirData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ModelUnavailable("the model x is not on this machine")

    monkeypatch.setattr("evals.stores.Agent.open", refuse)
    kept = Kept()
    path = tmp_path / "retrieval.json"
    judged = judged_set("tiny", data, measure="ndcg@10")
    stores = CorpusStores(tmp_path, progress=quiet)
    sets = {"tiny": (judged, data)}
    measure(sets, ROWS[:1], kept=kept, path=path, stores=stores, again=False, progress=quiet)
    assert "x is not on this machine" in capsys.readouterr().err
    text = measured_part(kept, figures(kept, ROWS[:1], seed=0), plot="p.svg")
    assert "- default: the model x is not on this machine" in text
    assert json.loads(path.read_text())["cells"]["tiny"][DEFAULT]["values"] == {}
