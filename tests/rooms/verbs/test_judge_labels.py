"""Labels judged by runs of folds: planted wrong labels come first, each source by the run that held it back, and refusals in a line."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from typer.testing import CliRunner

from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import predictions_schema, read_predictions, write_table
from equiradio.cli.main import app
from equiradio.datasets.folder import write_folder
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.training.fit import train
from equiradio.verbs.evaluate import evaluate
from equiradio.verbs.judge_labels import judge_labels


@pytest.fixture(scope="module")
def runs(tiny, sky, tmp_path_factory):
    """A lenet trained for a moment on each of two folds, and evaluated on what was held back."""
    folders = [tmp_path_factory.mktemp("folds") / f"run{number}" for number in (1, 2)]
    for number, folder in enumerate(folders, 1):
        train(tiny("lenet", epochs=1, **{"data.name": f"{sky}@{number}of2"}), folder, device="cpu")
        evaluate(folder, split="validation", passes=1)
    return folders


@pytest.fixture
def copied(tmp_path):
    """Copies a run, to be changed."""
    return lambda run: shutil.copytree(run, tmp_path / "copies" / run.name)


@pytest.fixture
def planted(runs, copied):
    """Copies of the runs whose answers are those of a network that knows: sure of every label but those of two sources."""
    copies, wrong = [copied(run) for run in runs], []
    for copy in copies:
        file = Run(copy).predictions_file(Run(copy).card().data, "validation")
        there = read_predictions(file)
        frii = np.where(there["label"].to_numpy() == 1, 0.9, 0.1)
        first = there["source_id"].to_pylist()[0]
        wrong.append(first)
        frii = np.where(np.array(there["source_id"].to_pylist()) == first, 1 - frii, frii)
        columns = {name: there[name] for name in there.column_names} | {"p_fri": 1 - frii, "p_frii": frii}
        write_table(pa.table(columns, schema=predictions_schema()), file)
    return copies, wrong


def test_every_source_is_judged_by_the_run_that_held_it_back(runs, sky, tmp_path):
    answer = judge_labels(runs, tmp_path / "labels.csv")
    assert (answer["folds"], answer["sources"], answer["judged"], answer["notes"]) == (2, 30, 30, [])
    table = pyarrow.csv.read_csv(tmp_path / "labels.csv")
    assert sorted(table["source_id"].to_pylist()) == sorted(open_data(str(sky)).source_ids[open_data(str(sky)).split != "test"].tolist())
    assert set(table["networks"].to_pylist()) == {1}
    expected = {}
    for run in runs:
        there = read_predictions(Run(run).predictions_file(Run(run).card().data, "validation"))
        of_pass = there["pass"].to_numpy() == 1
        expected |= dict(zip(np.array(there["source_id"].to_pylist())[of_pass], there["p_frii"].to_numpy()[of_pass], strict=True))
    assert dict(zip(table["source_id"].to_pylist(), table["p_frii"].to_pylist(), strict=True)) == pytest.approx(expected, abs=5e-5)


def test_planted_labels_are_in_question_and_no_others(planted, tmp_path):
    copies, wrong = planted
    answer = judge_labels(copies, tmp_path / "labels.parquet", tmp_path / "labels.png")
    assert sorted(row["source_id"] for row in answer["rows"]) == sorted(wrong)
    assert answer["in_question"] == 2
    assert {row["other"] for row in answer["rows"]} <= {"FRI", "FRII"}
    assert all(row["other"] != row["label"] and row["against"] == 1 for row in answer["rows"])
    assert answer["models"] == [{"model": "lenet", "networks": 2, "sources": 30, "accuracy": pytest.approx(28 / 30), "without": 1.0}]
    assert (tmp_path / "labels.png").read_bytes().startswith(b"\x89PNG")


def test_folds_that_are_not_there_leave_their_sources_unjudged(runs, tmp_path):
    answer = judge_labels(runs[:1], tmp_path / "labels.csv")
    assert answer["judged"] == 15
    assert answer["notes"] == ["15 of 30 sources are judged by no network (no run of fold 2)"]
    table = pyarrow.csv.read_csv(tmp_path / "labels.csv")
    bare = np.array(table["networks"].to_pylist()) == 0
    assert bare.sum() == 15
    assert table["p_frii"].null_count == table["against"].null_count == 15


def test_a_training_that_is_not_finished_is_noted(runs, copied):
    copy = copied(runs[0])
    card = json.loads((copy / "card.json").read_text()) | {"state": "interrupted"}
    (copy / "card.json").write_text(json.dumps(card))
    assert any("its training is not finished" in note for note in judge_labels([copy])["notes"])


def test_runs_that_cannot_be_judged_by_are_refused(runs, trained, copied, tmp_path):
    with pytest.raises(RunRefusal, match="which is no fold; expected a run of a fold"):
        judge_labels([trained("lenet")])
    copy = copied(runs[1])
    settings = copy / "settings.toml"
    settings.write_text(settings.read_text().replace("@2of2", "@2of3"))
    with pytest.raises(RunRefusal, match=f"folds 3, but {runs[0]} has 2; expected runs of the folds of one data set"):
        judge_labels([runs[0], copy])
    with pytest.raises(RunRefusal, match="is named twice; expected each run once"):
        judge_labels([*runs, runs[0]])
    bare = copied(runs[0])
    Run(bare).predictions_file(Run(bare).card().data, "validation").unlink()
    with pytest.raises(RunRefusal, match=f"no predictions of its validation sources.*Run 'equiradio evaluate {bare} --split validation'"):
        judge_labels([bare])
    with pytest.raises(SettingRefusal, match=r"expected a name that ends in \.png"):
        judge_labels(runs, picture=tmp_path / "labels.jpg")
    with pytest.raises(SettingRefusal, match=r"--out: .labels\.txt"):
        judge_labels(runs, tmp_path / "labels.txt")


def test_data_that_changed_since_are_refused_and_moved_ones_are_named(runs, sky, tmp_path):
    sources = open_data(str(sky))
    moved = write_folder(sources, tmp_path / "moved")
    assert judge_labels(runs, data=str(moved))["judged"] == 30
    other = write_folder(replace(sources, labels=1 - sources.labels), tmp_path / "other")
    with pytest.raises(RunRefusal, match=r"15 of 15 sources have another label now, or are gone"):
        judge_labels(runs, data=str(other))
    images = sources.images.copy()
    images[0, 0, 0] += 1
    with pytest.raises(RunRefusal, match="the same data"):
        judge_labels(runs, data=str(write_folder(replace(sources, images=images), tmp_path / "changed")))


def test_a_run_of_a_fold_is_scored_on_its_fold_wherever_the_data_are_now(runs, sky, tmp_path):
    moved = write_folder(open_data(str(sky)), tmp_path / "sky")
    before = Run(runs[0]).metrics_file("simulated@1of2", "validation").read_text()
    assert evaluate(runs[0], data=str(moved), split="validation", passes=1) == json.loads(before)


def test_the_command_lists_them(planted, tmp_path):
    copies, wrong = planted
    result = CliRunner().invoke(app, ["data", "labels", *map(str, copies), "--out", str(tmp_path / "labels.csv")], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "2 of 30 labels are in question" in result.stdout
    assert all(name in result.stdout for name in wrong)
    answer = CliRunner().invoke(app, ["data", "labels", *map(str, copies), "--json"])
    assert json.loads(answer.stdout)["in_question"] == 2
