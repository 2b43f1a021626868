"""A plan is carried out once, goes on where it stopped, and leaves to others what they work on."""

import json
import os
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from equiradio.artefacts.card import read_card
from equiradio.artefacts.claim import claimed, lock_file
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import read_predictions, write_table
from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.errors import SettingRefusal, TrainingRefusal
from equiradio.inference.team import load
from equiradio.paper import reproduce as study
from equiradio.paper.plan import Item, estimate, images_of, plan, rows
from equiradio.paper.reproduce import TimeLeft, carry_out, check_part, untrained_maps
from equiradio.settings import change


@pytest.fixture
def items(tiny, tmp_path):
    """Two small runs of lenet."""
    return [Item(tiny("lenet", seed=seed), Run(tmp_path / "runs" / f"lenet-sky-quick-seed{seed}")) for seed in (0, 1)]


@pytest.fixture
def trainings(monkeypatch):
    """Names of run folders in which a training began."""
    from equiradio.training import fit

    began, train = [], fit.train
    monkeypatch.setattr(fit, "train", lambda settings, out, **options: began.append(out.name) or train(settings, out, **options))
    return began


def test_a_plan_is_models_within_seeds_and_keeps_out_doubles(tmp_path):
    found = plan(["lenet", "c4-attention", "lenet"], [3, 0], "fast", "mirabest", tmp_path)
    assert [item.name for item in found] == [f"{model}-mirabest-fast-seed{seed}" for seed in (3, 0) for model in ("lenet", "c4-attention")]
    assert found[1].settings.training.seed == 3
    audited = plan(["lenet"], [0], "fast", "mirabest", tmp_path, audit=True)[-1]
    assert (audited.run.folder.parent.name, audited.name) == ("audit", "lenet-mirabest-fast-seed0-sixteen-passes")
    assert audited.settings.training.passes == 16


def law_of_once(items, trainings):
    outcome = carry_out(items, passes=1)
    assert outcome.done == [item.name for item in items]
    assert all(item.evaluated and item.state() == "done" for item in items)
    before = [item.run.weights_file.stat().st_mtime_ns for item in items]
    carry_out(items, passes=1)
    assert trainings == [item.name for item in items]
    assert [item.run.weights_file.stat().st_mtime_ns for item in items] == before
    assert not list(items[0].run.folder.parent.glob("*.lock"))


def test_a_finished_run_is_never_trained_twice(items, trainings):
    law_of_once(items, trainings)


def test_the_law_of_once_catches_a_plan_that_does_not_look(items, trainings, monkeypatch):
    monkeypatch.setattr(Item, "trained", property(lambda item: False))
    monkeypatch.setattr(Item, "evaluated", property(lambda item: False))
    with pytest.raises(AssertionError):
        law_of_once(items, trainings)


def test_an_interrupted_plan_goes_on_and_ends_the_same(items, tiny, tmp_path, trainings):
    def stop(line):
        if "epoch 1 of 2" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(items[:1], passes=1, on_line=stop)
    assert items[0].state() == "1 of 2 epochs"
    assert not lock_file(items[0].run.folder).exists()
    said = []
    carry_out(items[:1], passes=1, on_line=said.append)
    assert any("goes on" in line for line in said)
    straight = Item(tiny("lenet", seed=0), Run(tmp_path / "straight"))
    carry_out([straight], passes=1)
    assert (
        straight.run.predictions_file("simulated", "test").read_bytes() == items[0].run.predictions_file("simulated", "test").read_bytes()
    )


def test_what_others_work_on_is_left_to_them(items, trainings, monkeypatch):
    monkeypatch.setattr("equiradio.artefacts.claim.BEAT", 0.1)
    with claimed(items[0].run.folder):
        outcome = carry_out(items, passes=1)
    assert (outcome.elsewhere, outcome.done) == ([items[0].name], [items[1].name])
    assert trainings == [items[1].name]


def test_a_run_that_its_holder_abandoned_is_brought_to_its_end(items, trainings, monkeypatch):
    """It dies while this process trains the other run, elsewhere, where it cannot be seen."""
    monkeypatch.setattr("equiradio.artefacts.claim.STALE", 3.0)
    lock = lock_file(items[0].run.folder)
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"host": "elsewhere", "process": 1, "token": "theirs", "since": "then"}))
    lines = []

    def alive(line):
        lines.append(line)
        if lock.exists() and "looking" not in line:
            os.utime(lock)

    outcome = carry_out(items, passes=1, on_line=alive)
    assert (sorted(outcome.done), outcome.elsewhere) == ([item.name for item in items], [])
    assert trainings == [items[1].name, items[0].name]
    assert "looking whether 1 runs are still worked on elsewhere" in lines


def test_scores_of_other_passes_or_data_are_made_anew(items, trainings, tmp_path):
    item = replace(items[0], passes=1)
    carry_out([item], passes=1)
    assert item.evaluated
    more = replace(item, passes=2)
    assert (more.evaluated, more.state()) == (False, "to evaluate")
    carry_out([more], passes=2)
    assert read_predictions(item.run.predictions_file("simulated", "test"))["pass"].to_pylist()[-1] == 2
    file = item.run.predictions_file("simulated", "test")
    table = pq.read_table(file)
    write_table(table.replace_schema_metadata(table.schema.metadata | {b"data_md5": b"other"}), file)
    assert not more.evaluated
    assert trainings == [item.name]


def test_a_run_that_was_finished_while_its_claim_was_waited_for_is_not_begun(items, trainings, monkeypatch):
    """Another process ends it between our look and our claim."""
    claim = study.claimed

    def late(folder):
        monkeypatch.setattr(study, "claimed", claim)
        carry_out(items[:1], passes=1)
        return claim(folder)

    monkeypatch.setattr(study, "claimed", late)
    carry_out(items[:1], passes=1)
    assert trainings == [items[0].name]


def test_a_run_that_fails_does_not_stop_the_others_and_stays_failed(items, trainings, monkeypatch):
    from equiradio.training import keeper

    def dead(self, *arguments):
        if self.run.folder == items[0].run.folder:
            raise TrainingRefusal(self.run.folder, "head said the same (dead)", "outputs that differ", "Take another seed.")

    monkeypatch.setattr(keeper.RunKeeper, "_refuse_hopeless", dead)
    for _ in range(2):
        outcome = carry_out(items, passes=1)
        assert (list(outcome.failed), outcome.done) == ([items[0].name], [items[1].name])
    assert "failed before (" in outcome.failed[items[0].name]
    assert trainings == [item.name for item in items]


def test_scores_of_weights_that_were_trained_on_since_do_not_count(items, trainings):
    carry_out(items[:1], passes=1)
    item, scores = items[0], items[0].run.metrics_file("simulated", "test")
    assert load(item.run.folder).name == f"lenet {item.run.weights_digest()}"
    before = scores.read_bytes()
    scores.write_text("{}")
    numbers = load_file(item.run.weights_file)
    save_file({name: value + 1 for name, value in numbers.items()}, item.run.weights_file, {"model": "lenet", "group": "none"})
    assert item.state() == "to evaluate"
    save_file(numbers, item.run.weights_file, {"model": "lenet", "group": "none"})
    assert item.state() == "done"
    evaluation = item.run.predictions_file("simulated", "test")
    write_table(read_predictions(evaluation).replace_schema_metadata({"weights": "of an earlier epoch"}), evaluation)
    carry_out(items[:1], passes=1)
    assert scores.read_bytes() == before
    assert trainings == [item.name]


def test_scores_of_fewer_passes_than_asked_for_do_not_count(items, trainings):
    passes_of = lambda: json.loads(items[0].run.metrics_file(items[0].data, "test").read_text())["passes"]
    carry_out(items[:1], passes=1)
    carry_out(items[:1], passes=3)
    assert passes_of() == 3
    carry_out(items[:1], passes=2)
    assert (passes_of(), len(trainings)) == (3, 1)


def test_an_evaluation_that_stops_at_its_maps_is_not_done(tiny, tmp_path, monkeypatch):
    from equiradio.explain import attention
    from equiradio.verbs import evaluate

    monkeypatch.setattr(attention, "ANGLES", 4)
    item, draw = Item(tiny("attention"), Run(tmp_path / "run")), evaluate.map_arrays
    monkeypatch.setattr(evaluate, "map_arrays", stop)
    with pytest.raises(KeyboardInterrupt):
        carry_out([item], passes=1)
    assert item.state() == "to evaluate"
    monkeypatch.setattr(evaluate, "map_arrays", draw)
    assert carry_out([item], passes=1).done == ["run"]
    assert item.run.maps_file.is_file()


def stop(*arguments, **options):
    raise KeyboardInterrupt


def test_a_run_of_other_settings_is_not_taken_for_the_one_asked_for(items, tmp_path, trainings):
    carry_out(items, passes=1)
    others = [Item(change(item.settings, {"data.name": str(tmp_path / "another")}), item.run) for item in items]
    outcome = carry_out(others, passes=1)
    assert outcome.done == []
    assert all("holds a training with other settings (data.name" in line for line in outcome.failed.values())


def test_a_card_that_cannot_be_read_is_no_failure_of_the_run_that_trains(items):
    items[1].run.folder.mkdir(parents=True)
    items[1].run.card_file.touch()
    outcome = carry_out(items, passes=1)
    assert (outcome.done, list(outcome.failed)) == ([items[0].name], [items[1].name])
    assert items[0].run.card().state == "finished"


def test_two_trainings_in_one_folder_are_locked_out(tiny, tmp_path, capsys, sky):
    with claimed(tmp_path / "run"):
        code = main(["train", "--model", "lenet", "--data", str(sky), "--preset", "quick", "--out", str(tmp_path / "run")])
    assert code == 2
    assert "expected a place that nobody else works in" in capsys.readouterr().err


def test_untrained_networks_are_drawn_once_for_models_with_gates(items, tiny, tmp_path, monkeypatch, sky):
    from equiradio.explain import attention

    monkeypatch.setattr(attention, "ANGLES", 4)
    gated = Item(tiny("attention"), Run(tmp_path / "runs" / "attention-sky-quick-seed0"))
    gated.run.folder.mkdir(parents=True)
    gated.run.maps_file.touch()
    untrained_maps([gated, *items], tmp_path)
    found = list((tmp_path / "untrained").rglob("*"))
    target = tmp_path / "untrained" / gated.name / "maps.npz"
    assert {path for path in found if path.is_file()} == {target, target.with_name("card.json")}
    card = read_card(target.with_name("card.json"))
    assert (card.model, card.seed, card.reason) == ("attention", 0, "fresh weights, never trained")
    before = target.stat().st_mtime_ns
    untrained_maps([gated], tmp_path)
    assert target.stat().st_mtime_ns == before
    card.with_changes(data_md5="of other data").write(target.with_name("card.json"))
    untrained_maps([gated], tmp_path)  # no run there says of which data it is
    assert target.stat().st_mtime_ns == before
    read_card(target.with_name("card.json")).with_changes(data_md5=open_data(str(sky)).md5).write(gated.run.card_file)
    untrained_maps([gated], tmp_path)
    assert target.stat().st_mtime_ns > before
    with np.load(target) as maps:
        assert maps["rotation_maps"].shape == (6, 50, 50)


def test_the_estimate_counts_images_that_are_left(items, sky):
    sources, times = open_data(str(sky)), {"lenet": {"training": 10.0, "inference": 1.0}}
    assert images_of(items[0], sources) == {"training": 24 * 2, "inference": 6 * 2 + 6 * 101}
    whole = estimate(items, sources, times)
    assert whole == pytest.approx([0.48 + 0.618] * 2)
    carry_out(items[:1], passes=1)
    assert estimate(items, sources, times) == [0.0, pytest.approx(whole[1])]
    assert [cells[1] for cells in rows(items, whole)] == ["done", "to do", ""]


def test_time_left_is_scaled_by_the_work_of_a_model(tiny, tmp_path, monkeypatch):
    two = [Item(tiny(model), Run(tmp_path / model)) for model in ("lenet", "attention")]
    clock = TimeLeft(two)
    assert clock.in_words() == ""
    work = {"lenet": 2, "attention": 10}
    monkeypatch.setattr("equiradio.bench.run.multiply_adds", lambda model: {"float32": {"training": work[model]}})
    clock.add(two[0], 60.0)
    epochs = [item.settings.training.epochs for item in two]
    assert clock.left() == pytest.approx(60 * epochs[0] + 300 * epochs[1])
    assert clock.in_words() == "about 12 min of training left"


def test_the_number_of_a_run_outside_the_plan_is_refused():
    check_part(None, 3)
    check_part(2, 3)
    with pytest.raises(SettingRefusal, match="--part: 3; expected 0 to 2, a run of the plan"):
        check_part(3, 3)


def test_the_verb_trains_reports_and_does_nothing_twice(sky, tmp_path, capsys):
    words = [
        "reproduce",
        "--models",
        "lenet",
        "--seeds",
        "0",
        "--preset",
        "quick",
        "--data",
        str(sky),
        "--passes",
        "1",
        "--out",
        str(tmp_path),
    ]
    assert main([*words, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [row["seeds"] for row in table["rows"]] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert (tmp_path / "report.html").is_file()
    card = tmp_path / "runs" / "lenet-sky-quick-seed0" / "card.json"
    before = card.stat().st_mtime_ns
    assert main([*words, "--part", "0"]) == 0
    assert "done here: lenet-sky-quick-seed0" in capsys.readouterr().out
    assert card.stat().st_mtime_ns == before
    assert main([*words, "--part", "1"]) == 2


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--seeds", "0;1", "--seeds: '0;1'; expected whole numbers, comma-separated. For example --seeds 0,1,2."),
        ("--models", "lenett", "model: 'lenett' is not a model; expected lenet, "),
    ],
)
def test_what_cannot_be_planned_is_refused(tmp_path, capsys, option, value, line):
    assert main(["reproduce", option, value, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(line)


def test_an_interruption_says_how_to_go_on(tmp_path, sky, capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "carry_out", stop)
    assert main(["reproduce", "--models", "lenet", "--data", str(sky), "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == (f"Interrupted. Finished runs and epochs are kept in {tmp_path}; run the same command to go on.\n")


def test_a_dry_run_prints_the_plan_and_trains_nothing(tmp_path, sky, capsys, monkeypatch):
    monkeypatch.setattr("equiradio.paper.plan.measure_ours", lambda *a: {"milliseconds_per_image": 100.0})
    words = [
        "reproduce",
        "--models",
        "lenet",
        "--seeds",
        "0,1",
        "--preset",
        "quick",
        "--data",
        str(sky),
        "--out",
        str(tmp_path),
        "--dry-run",
    ]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["state"] for run in found["runs"]] == ["to do", "to do"]
    assert found["seconds_left"] == pytest.approx(2 * 0.1 * (24 * 6 + 6 * 6 + 6 * 101), abs=0.2)
    assert not list(tmp_path.iterdir())
