"""An evaluation writes what the contract says, the same every time, whatever company the images keep."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from equiradio.artefacts.claim import Claimed, claimed, lock_file
from equiradio.artefacts.run import Run
from equiradio.artefacts.shelf import PACKAGED
from equiradio.artefacts.tables import predicted_by, predictions_schema, read_predictions
from equiradio.artefacts.weights import read_weights, write_weights
from equiradio.cli.main import main
from equiradio.compute.poses import TEST, Poses, draw_poses
from equiradio.datasets.registry import open_data
from equiradio.errors import DataRefusal, RunRefusal, SettingRefusal
from equiradio.explain import attention
from equiradio.explain.attention import RotationMeans, maps
from equiradio.inference.team import load
from equiradio.labels import UNKNOWN, Labels
from equiradio.report.table import metrics_tables
from equiradio.settings import change
from equiradio.verbs import evaluate as study
from equiradio.verbs import stored_maps as map_study
from equiradio.verbs.evaluate import evaluate, predict, shown_sources

PASSES = 2
BLOCK = {"accuracy", "balanced_accuracy", "macro_f1", "auc", "f1", "precision", "recall", "interval95"}


@pytest.fixture(scope="module")
def sources(sky):
    return open_data(str(sky)).of_split("test")


ROTATIONS = 8  # instead of 36, for speed


@pytest.fixture(scope="module")
def evaluated(trained):
    """A run with attention, and its metrics."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "ANGLES", ROTATIONS)
        patch.setattr(map_study, "ANGLES", ROTATIONS)
        return Run(trained("c4-attention")), evaluate(trained("c4-attention"), passes=PASSES)


def refused(kind, *arguments, **named):
    with pytest.raises(kind) as caught:
        evaluate(*arguments, **named)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_predictions_hold_every_source_in_every_pass(evaluated, sources):
    table = read_predictions(evaluated[0].predictions_file("simulated", "test"))
    assert table.schema.equals(predictions_schema())
    columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
    assert columns["pass"].tolist() == sorted([0, 1, 2] * len(sources))
    assert columns["source_id"].tolist() == sources.source_ids.tolist() * (PASSES + 1)
    assert columns["label"].tolist() == sources.labels.tolist() * (PASSES + 1)
    odds = np.exp(columns["logit_frii"] - columns["logit_fri"])
    np.testing.assert_allclose(columns["p_frii"], odds / (1 + odds), rtol=1e-12)
    np.testing.assert_allclose(columns["p_fri"] + columns["p_frii"], 1, rtol=1e-12)


def test_plain_and_augmented_passes_are_what_they_are_called(evaluated, sources):
    table = read_predictions(evaluated[0].predictions_file("simulated", "test"))
    logits = np.stack([table["logit_fri"].to_numpy(), table["logit_frii"].to_numpy()], -1).reshape(PASSES + 1, len(sources), 2)
    classifier = load(evaluated[0].folder).members[0]
    rows = np.arange(len(sources))
    for number in range(PASSES + 1):
        poses = draw_poses(0, TEST, rows, np.full(len(rows), number)) if number else None
        np.testing.assert_allclose(logits[number], classifier.look(sources.images, poses).logits, atol=1e-4)


def test_metrics_have_the_keys_of_the_contract(evaluated):
    run, returned = evaluated
    metrics = json.loads(run.metrics_file("simulated", "test").read_text())
    assert metrics == json.loads(json.dumps(returned))
    blocks = {"pooled", "per_source", "plain", "confident", "uncertain", "calibration"}
    assert metrics.keys() == {"data", "split", "sources", "passes"} | blocks
    assert (metrics["data"], metrics["split"], metrics["sources"], metrics["passes"]) == ("simulated", "test", 6, PASSES)
    for name in ("pooled", "per_source", "plain"):
        assert metrics[name].keys() == BLOCK
        assert metrics[name]["f1"].keys() == metrics[name]["precision"].keys() == metrics[name]["recall"].keys() == {"FRI", "FRII"}
        assert metrics[name]["interval95"].keys() == BLOCK - {"interval95"}
    assert metrics["confident"].keys() == BLOCK | {"sources"}
    assert metrics["uncertain"] is None  # every simulated source is confident
    assert metrics["calibration"].keys() == {"nll", "brier", "ece"}


def test_accuracy_is_that_of_the_predictions(evaluated):
    run, metrics = evaluated
    table = read_predictions(run.predictions_file("simulated", "test"))
    right = ((table["p_frii"].to_numpy() >= 0.5) == (table["label"].to_numpy() == 1)).reshape(PASSES + 1, -1)
    assert metrics["plain"]["accuracy"] == pytest.approx(right[0].mean())
    assert metrics["pooled"]["accuracy"] == pytest.approx(right[1:].mean())


def test_maps_are_those_of_the_network(evaluated, sources):
    run, classifier = evaluated[0], load(evaluated[0].folder).members[0]
    with np.load(run.maps_file, allow_pickle=False) as file:
        content = dict(file)
    assert content.keys() == {"source_id", "label", "maps", "mean_maps", "mean_images", "rotation_maps", "rotations"}
    assert content["source_id"].tolist() == sources.source_ids.tolist()
    assert content["label"].tolist() == sources.labels.tolist()
    assert (content["maps"].dtype, content["maps"].shape) == (np.uint8, (6, 150, 150))
    np.testing.assert_allclose(content["maps"] / 255, maps(classifier, sources.images), atol=1 / 255 + 1e-3)
    assert (content["rotation_maps"].dtype, content["rotation_maps"].shape) == (np.uint8, (6, 50, 50))
    for label in (0, 1):
        squares = content["mean_maps"][label].reshape(50, 3, 50, 3).mean(axis=(1, 3))
        of_class = content["rotation_maps"][sources.labels == label].mean(axis=0) / 255
        np.testing.assert_allclose(of_class, squares, atol=0.5 / 255 + 1e-3)
    assert content["mean_maps"].shape == content["mean_images"].shape == (2, 150, 150)
    assert content["rotations"] == ROTATIONS
    disc = np.hypot(*(np.indices((150, 150)) - 74.5)) < 60
    for label in (0, 1):
        total = sources.images[sources.labels == label][:, disc].mean(0).sum()
        assert content["mean_images"][label][disc].sum() == pytest.approx(total, rel=0.05)
    for mean in (*content["mean_maps"], *content["mean_images"]):
        np.testing.assert_allclose(np.rot90(mean), mean, atol=1e-4, rtol=2e-3)


def test_an_evaluation_repeats_itself_to_the_bit(trained):
    run = Run(trained("lenet"))
    evaluate(run.folder, passes=PASSES)
    files = [run.predictions_file("simulated", "test"), run.metrics_file("simulated", "test")]
    before = [file.read_bytes() for file in files]
    evaluate(run.folder, passes=PASSES)
    assert [file.read_bytes() for file in files] == before


def answers(classifier, sources, batches):
    columns = predict(classifier, sources, seed=0, passes=1, batches=batches)
    return np.stack([columns["logit_fri"], columns["logit_frii"]])


def law_of_company(classifier, sources):
    for batches in ("shuffled", "single"):
        np.testing.assert_allclose(answers(classifier, sources, batches), answers(classifier, sources, "sorted"), rtol=0, atol=1e-4)


@pytest.mark.parametrize("model", ["lenet", "attention"])
def test_answers_do_not_depend_on_the_order_of_batches(trained, sources, model):
    law_of_company(load(trained(model)).members[0], sources)


def test_the_habit_batch_range_does(trained, sources):
    classifier = load(trained("attention")).members[0]
    for gate in classifier.network.gates:
        gate.normalisation = "batch-range"
    with pytest.raises(AssertionError):
        law_of_company(classifier, sources)


def test_the_passes_are_those_of_the_source_and_not_of_its_row(trained, sources):
    """Half of the sources get the poses that they get in the whole, and shuffling hands nobody another's."""
    seen = {}
    classifier = load(trained("lenet")).members[0]

    class Ears:
        labels = classifier.labels

        @staticmethod
        def look(images, poses=None):
            if poses is not None:
                seen.update({image.tobytes(): angle for image, angle in zip(images, poses.rotation_deg, strict=True)})
            return classifier.look(images, poses)

    angles = []
    for batches in ("sorted", "shuffled", "single"):
        seen.clear()
        predict(Ears, sources, seed=0, passes=1, batches=batches)
        angles.append([seen[image.tobytes()] for image in sources.images])
    assert angles[0] == angles[1] == angles[2]
    assert angles[0] == draw_poses(0, TEST, np.arange(6), np.ones(6, int)).rotation_deg.tolist()


def test_an_evaluation_keeps_others_out_of_its_run(copy_of):
    folder = copy_of("lenet")
    with claimed(folder) as claim:
        with pytest.raises(Claimed, match="works in it since"):
            evaluate(folder, passes=0)
        evaluate(folder, passes=0, claim=claim)
    assert not lock_file(folder).exists()


def test_scores_never_stand_beside_predictions_that_they_are_not_of(copy_of, monkeypatch):
    folder = copy_of("attention")
    evaluate(folder, passes=1)
    scores = Run(folder).metrics_file("simulated", "test")
    assert scores.is_file()

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "map_arrays", stop)
    with pytest.raises(KeyboardInterrupt):
        evaluate(folder, passes=0)
    assert not scores.exists()


def test_predictions_say_what_they_are_of(copy_of, sky):
    folder = copy_of("lenet")
    evaluate(folder, passes=2, batches="single")
    expected = {"weights": Run(folder).weights_digest(), "data_md5": open_data(str(sky)).md5}
    expected |= {"passes": "2", "batches": "single", "precision": "float32"}
    assert predicted_by(Run(folder).predictions_file("simulated", "test")) == expected
    assert predicted_by(folder / "none") == {}


def test_hybrids_get_predictions_and_no_scores(copy_of, sky, monkeypatch):
    run = Run(copy_of("attention"))
    whole = open_data(str(sky))
    hybrids = replace(whole, name="mirabest-hybrid", labels=np.full(len(whole), UNKNOWN))
    monkeypatch.setattr("equiradio.verbs.trained_data.open_data", lambda name, folder, classes: hybrids)
    metrics = evaluate(run.folder, data="mirabest-hybrid", passes=1)
    assert (metrics["sources"], metrics["passes"]) == (0, 1)
    assert all(metrics[block] is None for block in ("pooled", "per_source", "plain", "confident", "uncertain", "calibration"))
    table = read_predictions(run.predictions_file("mirabest-hybrid", "test"))
    assert set(table["label"].to_pylist()) == {UNKNOWN}
    assert len(table) == 2 * 6
    assert run.figure_file("attention").is_file()


def test_another_word_for_unknown_sources_is_no_other_class(copy_of, sky, monkeypatch):
    whole = open_data(str(sky))
    worded = replace(whole, classes=Labels(whole.classes.names, "strange"))
    monkeypatch.setattr("equiradio.verbs.trained_data.open_data", lambda name, folder, classes: worded)
    assert evaluate(copy_of("lenet"), passes=0)["sources"] == 6


def test_a_network_without_gates_draws_no_maps(trained):
    run = Run(trained("lenet"))
    evaluate(run.folder, passes=0)
    assert not run.maps_file.exists()
    assert not run.figure_file("attention").exists()
    assert run.figure_file("loss").is_file()


def test_without_passes_the_plain_image_stands_in(trained):
    metrics = evaluate(trained("lenet"), passes=0, split="validation")
    assert metrics["passes"] == 0
    assert metrics["per_source"] == metrics["plain"]
    assert [row[0] for row in metrics_tables(metrics)[0].rows] == ["plain image", "Confident"], "nothing was pooled"
    assert Run(trained("lenet")).metrics_file("simulated", "validation").is_file()


@pytest.mark.parametrize("raw", [False, True])
def test_the_habit_raw_figure2_feeds_raw_pixels_to_the_maps_alone(copy_of, monkeypatch, raw):
    run = Run(copy_of("attention"))
    if raw:
        run.write_settings(change(run.settings(), {"compat": ["raw-figure2"]}))
    told = []
    monkeypatch.setattr(map_study, "maps", lambda classifier, images, raw: told.append(raw) or np.zeros((len(images), 150, 150)))
    means = RotationMeans(np.zeros((2, 150, 150)), np.zeros((2, 150, 150)), np.zeros((6, 50, 50)))
    monkeypatch.setattr(map_study, "rotation_means", lambda *a, raw, progress: told.append(raw) or means)
    metrics = evaluate(run.folder, passes=0)
    assert told == [raw, raw]
    assert metrics["plain"] is not None


def test_what_cannot_be_evaluated_is_refused(trained, sky):
    run = trained("lenet")
    assert refused(SettingRefusal, run, batches="random") == (
        "--batches: 'random'; expected sorted, shuffled, single. Choose one of these."
    )
    assert refused(SettingRefusal, run, passes=-1) == "--passes: -1; expected 0 or more. The paper uses 100."
    assert refused(SettingRefusal, run, precision="fp8") == "--precision: 'fp8'; expected float32 or bf16. Choose one of these."
    assert "no source is of split 'tset'; expected test (6), train (24), validation (6)" in refused(DataRefusal, run, split="tset")
    assert "Did you mean mirabest?" in refused(DataRefusal, run, data="mirabst")
    line = refused(RunRefusal, PACKAGED / "c4-attention")
    assert line.startswith(f"{PACKAGED / 'c4-attention'}: a team; expected the folder of one training.")
    assert refused(RunRefusal, Path("c4-attention")).startswith("c4-attention: a team; expected the folder of one training.")


def test_data_that_changed_since_the_training_are_refused(copy_of):
    run = Run(copy_of("lenet"))
    run.card().with_changes(data_md5="0" * 32).write(run.card_file)
    line = refused(RunRefusal, run.folder, passes=0)
    assert f"but it was trained on {'0' * 32}; expected the same data" in line


@pytest.mark.parametrize("class_number", [0, 1])
def test_weights_that_are_not_finite_are_refused(copy_of, class_number):
    run = Run(copy_of("lenet"))
    state = read_weights(run.weights_file, model="lenet", group="none")
    state["dense.5.bias"][class_number] = float("nan")
    write_weights(run.weights_file, state, model="lenet", group="none")
    line = refused(RunRefusal, run.folder, passes=0, split="train")
    assert "1 number that is not finite (in dense.5.bias); expected finite weights" in line
    assert not run.predictions_file("simulated", "train").exists()
    assert not run.metrics_file("simulated", "train").exists()


@pytest.mark.parametrize(
    ("labels", "expected"), [([0] * 40 + [1] * 20, 12), ([0] * 5 + [1] * 20, 11), ([UNKNOWN] * 30, 12), ([0, 1, UNKNOWN], 3)]
)
def test_shown_sources_are_spread_evenly_over_each_class(sources, labels, expected):
    labels = np.array(labels)
    rows = shown_sources(replace(sources, labels=labels))
    assert len(rows) == len(set(rows.tolist())) == expected
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        chosen = rows[labels[rows] == label]
        assert {of_class[0], of_class[-1]} <= set(chosen.tolist())
        places = np.searchsorted(of_class, chosen)
        assert len(chosen) < 3 or np.ptp(np.diff(places)) <= 1


def test_poses_stay_with_their_images_when_cut_into_pieces():
    order = np.arange(5)
    poses = Poses(np.arange(5.0), np.arange(5) % 2 == 1, 1 + np.arange(5) / 10)
    pieces = list(study._pieces(order, poses, 2))
    assert [rows.tolist() for rows, _ in pieces] == [[0, 1], [2, 3], [4]]
    for rows, piece in pieces:
        assert piece.rotation_deg.tolist() == rows.tolist()
        assert torch.equal(piece.matrices(), poses.matrices()[rows])


@pytest.mark.parametrize("state", ["interrupted", "training", "failed"])
def test_scores_of_a_training_that_is_not_finished_say_so(copy_of, capsys, state):
    run = Run(copy_of("lenet"))
    run.card().with_changes(state=state, epochs=1).write(run.card_file)
    run.write_settings(change(run.settings(), {"training.epochs": 20}))
    assert main(["evaluate", str(run.folder), "--passes", "0"]) == 0
    line = f"{run.folder}: its training is not finished ({state} after 1 of 20 epochs); these are scores of its weights so far"
    assert line in capsys.readouterr().err
    assert json.loads(run.metrics_file("simulated", "test").read_text())["unfinished"] == f"{state} after 1 of 20 epochs"
    assert main(["evaluate", str(run.folder), "--through", "noise:2"]) == 0
    assert line in capsys.readouterr().err
    assert json.loads((run.folder / "transfer" / "simulated-test.json").read_text())["unfinished"] == f"{state} after 1 of 20 epochs"


def test_scores_of_a_finished_training_say_nothing_of_it(evaluated):
    assert "unfinished" not in evaluated[1]
