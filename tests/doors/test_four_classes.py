"""Four classes that the package has never heard of go through every verb, from a folder of 40 tiny images."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from shapes import CLASSES, write_shapes
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import read_predictions
from equiradio.artefacts.team import TeamFolder
from equiradio.cli.main import main
from equiradio.datasets.registry import open_data
from equiradio.explain import case as efforts
from equiradio.inference.team import load
from equiradio.serve.app import create_app
from equiradio.serve.offers import gather

P = ["p_ring", "p_bar", "p_cross", "p_two_dots"]
QUICK = ["--preset", "quick", "--set", "batch_size=8", "--set", "precision=float32", "--device", "cpu"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("four") / "shapes")


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """A narrow C4 network of small kernels that has seen the shapes once, and has been evaluated."""
    out = tmp_path_factory.mktemp("runs") / "c4"
    small = ["--set", "model.kernel_size=3", "--epochs", "1"]
    assert main(["train", "--model", "c4-attention-narrow", "--data", str(shapes), "--out", str(out), *small, *QUICK]) == 0
    assert main(["evaluate", str(out), "--passes", "2", "--device", "cpu"]) == 0
    return Run(out)


@pytest.fixture(scope="module")
def files(shapes, tmp_path_factory):
    """The test images as files."""
    place, test = tmp_path_factory.mktemp("files"), open_data(str(shapes)).of_split("test")
    for name, image in zip(test.source_ids, test.images, strict=True):
        np.save(place / f"{name}.npy", image)
    return place


def test_the_card_and_the_network_have_four_classes(run):
    card = run.card()
    assert card.classes == list(CLASSES)
    assert card.sources == {"train": 24, "validation": 8}
    (member,) = load(run.folder, "cpu").members
    assert member.look(np.zeros((2, 150, 150), np.uint8)).logits.shape == (2, 4)


def test_metrics_are_scikit_learns(run):
    found = json.loads(run.metrics_file("shapes", "test").read_text())
    table = read_predictions(run.predictions_file("shapes", "test"))
    assert [name for name in table.column_names if name.startswith("p_")] == P
    every = np.stack([table[name].to_numpy() for name in P], 1).reshape(3, 8, 4)  # pass by pass, in the order of the data set
    truth, p, mean = table["label"].to_numpy()[:8], every[0], every[1:].mean(0)
    assert (table["label"].to_numpy().reshape(3, 8) == truth).all()
    assert np.bincount(truth).tolist() == [2, 2, 2, 2]
    assert found["plain"]["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, p.argmax(1)))
    assert found["plain"]["macro_f1"] == pytest.approx(f1_score(truth, p.argmax(1), average="macro", zero_division=0))
    assert found["plain"]["auc"] == pytest.approx(roc_auc_score(truth, p, multi_class="ovr"))
    assert list(found["plain"]["f1"]) == list(found["pooled"]["interval95"]["recall"]) == list(CLASSES)
    scored = found["calibration"]
    assert scored["nll"] == pytest.approx(log_loss(truth, mean))
    assert scored["brier"] == pytest.approx(((mean - np.eye(4)[truth]) ** 2).sum(1).mean() / 2)
    assert 0 <= scored["ece"] <= 1


def test_shapes_are_learned(shapes, tmp_path, capsys):
    out = tmp_path / "lenet"
    longer = ["--epochs", "12", "--set", "passes=4"]
    assert main(["train", "--model", "lenet", "--data", str(shapes), "--out", str(out), *longer, *QUICK]) == 0
    everything = open_data(str(shapes))
    logits = load(out, "cpu").members[0].look(everything.images).logits
    assert float((logits.argmax(1).numpy() == everything.labels).mean()) > 0.5  # chance is 0.25
    capsys.readouterr()
    assert main(["evaluate", str(out), "--passes", "1", "--split", "validation", "--device", "cpu"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "macro F1" in text
    assert "Two dots" in text
    assert "expected calibration error" in text


def test_the_maps_have_a_mean_for_each_class(run):
    assert run.figure_file("attention").is_file()
    with np.load(run.maps_file) as maps:
        assert maps["mean_maps"].shape[0] == maps["mean_images"].shape[0] == 4


def test_a_catalogue_has_a_column_for_each_class(run, files, tmp_path):
    out = tmp_path / "c.parquet"
    named = ["--model", str(run.folder), "--out", str(out), "--maps", str(tmp_path / "maps"), "--device", "cpu"]
    assert main(["classify", str(files), *named]) == 0
    table = pq.read_table(out)
    for name in P:
        assert (table[f"{name}_low"].to_numpy() <= table[f"{name}_high"].to_numpy()).all()
    p = np.stack([table[name].to_numpy() for name in P], 1)
    assert p.sum(1) == pytest.approx(1)
    assert table["label"].to_pylist() == [CLASSES[place] for place in p.argmax(1)]
    assert len(list((tmp_path / "maps").glob("*.fits"))) == len(table) == 8


def test_an_export_answers_for_four_classes(run, files, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    out = tmp_path / "c4.onnx"
    assert main(["export", str(run.folder), "--to", "onnx", "--out", str(out)]) == 0
    session = onnxruntime.InferenceSession(out)
    images = np.stack([np.load(path) for path in sorted(files.iterdir())])
    outputs = session.run(None, {session.get_inputs()[0].name: images[:, None].astype(np.float32)})
    (member,) = load(run.folder, "cpu").members
    expected = member.look(images).logits.softmax(1).numpy()
    assert any(value.shape == expected.shape and np.allclose(value, expected, atol=1e-5) for value in outputs)


@pytest.fixture(scope="module")
def team(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("teams") / "shapes"
    assert main(["calibrate", str(run.folder), "--poses", "1", "--out", str(out), "--device", "cpu"]) == 0
    return out


def test_a_team_is_calibrated_and_scored(team, files):
    card = TeamFolder(team).card()
    assert card.labels.names == CLASSES
    assert card.validation["sources"] == card.test["all"]["sources"] == 8
    opened = load(team, "cpu")
    assert opened.calibration.calibrated
    table = opened.classify(sorted(files.iterdir()))
    p = np.stack([table[name] for name in P], 1)
    assert log_loss([0, 1, 2, 3] * 2, p) == pytest.approx(card.test["nll_after"], abs=1e-6)
    assert all("uncalibrated" not in names for names in table["flag_names"])


def test_an_explanation_speaks_of_the_class_given(run, tmp_path, monkeypatch):
    monkeypatch.setattr(efforts, "QUICK", replace(efforts.QUICK, curves=1, deep=1, angles=(0, 45, 90), gradient_steps=2, window=74))
    out = tmp_path / "explained"
    pytest.importorskip("captum")
    assert main(["explain", str(run.folder), "--out", str(out), "--quick", "--device", "cpu"]) == 0
    answer = json.loads((out / "explanation.json").read_text())
    assert answer["about"]["classes"] == list(CLASSES)
    assert answer["astronomy"]["applies"] is False
    assert answer["evidence"]["linear"] is True
    assert "Ring" in (out / "index.html").read_text()


def test_the_viewer_shows_them(team, run, shapes, files):
    client = pytest.importorskip("starlette.testclient").TestClient(
        create_app(gather([str(team)], [run.folder], [str(shapes)], files, []), hosts=("testserver",))
    )
    (model,) = client.get("/api/models").json()[:1]
    assert model["classes"] == list(CLASSES)
    (listed, *_) = client.get("/api/sources", params={"set": files.name}).json()["sources"]
    answer = client.post("/api/classify", data={"source": listed["key"]}).json()
    assert set(answer["probabilities"]) == set(CLASSES)
    assert sum(each["p"] for each in answer["probabilities"].values()) == pytest.approx(1)
    explained = client.post("/api/explain", data={"source": listed["key"]}).json()["answers"][0]
    assert explained["toward"] in CLASSES
    tiles = client.get("/api/gallery", params={"run": run.folder.name, "evaluation": "shapes-test"}).json()["tiles"]
    assert {tile["label"] for tile in tiles} == set(CLASSES)


def test_two_of_the_four_make_a_network_of_two(shapes, tmp_path, capsys):
    out = tmp_path / "lenet"
    chosen = ["--set", 'data.classes=["Cross", "Ring"]']
    assert main(["train", "--model", "lenet", "--data", str(shapes), "--out", str(out), "--epochs", "1", *chosen, *QUICK]) == 0
    assert Run(out).card().classes == ["Cross", "Ring"]
    assert Run(out).card().sources == {"train": 12, "validation": 4}
    assert main(["evaluate", str(out), "--passes", "1", "--device", "cpu"]) == 0
    table = read_predictions(Run(out).predictions_file("shapes", "test"))
    truth = {row["source_id"]: row["label"] for row in table.to_pylist()}
    with (shapes / "catalogue.csv").open() as file:
        before = {row["source_id"]: CLASSES[int(row["label"])] for row in csv.DictReader(file)}
    assert {name: before[name] for name in truth} == {name: ("Cross", "Ring")[label] for name, label in truth.items()}
    assert len(truth) == 4
    wrong = ["--set", 'data.classes=["Cross", "Rong"]']
    assert main(["train", "--model", "lenet", "--data", str(shapes), "--out", str(tmp_path / "no"), *wrong, *QUICK]) == 2
    assert (
        f"data.classes: 'Rong' is no class of {shapes}; expected Ring, Bar, Cross, Two dots. Did you mean Ring?" in capsys.readouterr().err
    )


def test_other_classes_than_it_was_trained_on_are_refused(run, sky, capsys):
    assert main(["evaluate", str(run.folder), "--data", str(sky), "--device", "cpu"]) == 2
    line = f"{sky} has the classes FRI, FRII, but it was trained on Ring, Bar, Cross, Two dots; expected the same classes"
    assert line in capsys.readouterr().err


def test_sources_of_no_class_are_predicted_and_not_trained_on(tmp_path, capsys):
    folder = write_shapes(tmp_path / "odd", unknown="oddity")
    text = (folder / "catalogue.csv").read_text()
    (folder / "catalogue.csv").write_text(text.replace("shape-00,0,", "shape-00,-1,"))
    assert main(["train", "--model", "lenet", "--data", str(folder), "--out", str(tmp_path / "no"), *QUICK]) == 2
    assert "shapes: 1 of the sources are 'oddity'; expected Ring, Bar, Cross, Two dots only" in capsys.readouterr().err
