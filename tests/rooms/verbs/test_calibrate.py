"""What is chosen on validation answers is found again where it is known, is used as it was chosen, and tells strange skies apart."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import calibrate
import calibration_fit as fitting
import keep_weights
from safetensors.numpy import load_file, save_file
from strange_skies import KINDS

from equiradio.artefacts import shelf as packaged
from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.flags import BITS
from equiradio.artefacts.shelf import default_name, packaged_card, packaged_names
from equiradio.artefacts.weights import read_weights
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal
from equiradio.evaluation.calibration import nll
from equiradio.inference import member as classifier
from equiradio.inference import reading as catalogue
from equiradio.inference.answers import frii
from equiradio.inference.team import load
from equiradio.sky.cutout import to_mirabest


@pytest.fixture
def shelf(trained, sky, tmp_path, monkeypatch):
    """One packaged LeNet of two members (the same weights twice), calibrated on the simulated sources it was trained on."""
    run = trained("lenet")
    card = json.loads((run / "card.json").read_text())
    folder = tmp_path / "weights" / "lenet"
    folder.mkdir(parents=True)
    members = [card | {"seed": seed, "preset": "quick"} for seed in (0, 1)]
    for seed in (0, 1):
        shutil.copy(next(run.glob("*.safetensors")), folder / f"seed{seed}.safetensors")
    (folder / "card.json").write_text(json.dumps({"model": "lenet", "members": members}))
    for module in (packaged, fitting, catalogue, classifier):
        monkeypatch.setattr(module, "PACKAGED", folder.parent)
    sources = open_data(str(sky))
    splits = {"validation": "train", "test": "test"}
    known = type("Known", (), {"of_split": lambda self, split: sources.of_split(splits[split])})()
    for module in (calibrate, fitting):
        monkeypatch.setattr(module, "open_data", lambda name: known)
    monkeypatch.setattr(fitting, "KEPT", tmp_path / "answers")
    assert read_weights(folder / "seed0.safetensors", model="lenet", group="none")
    return folder


def test_a_card_is_fitted_scored_and_used_as_fitted(shelf, sky, capsys):
    for split in ("validation", "test"):
        assert calibrate.ask(split, "lenet", 2, 1e12)
    fitting.fit("lenet")
    fitting.score("lenet")
    card = packaged_card("lenet")
    assert card["validation"]["nll_after"] <= card["validation"]["nll_before"] + 1e-9
    assert default_name() == "lenet"
    sources = open_data(str(sky)).of_split("test")
    table = load("lenet").classify([*sources.images])
    p, flags = table["p_frii"].to_numpy(), table["flags"].to_numpy()
    assert not (flags & BITS["uncalibrated"]).any()
    assert nll(sources.labels, p) == pytest.approx(card["test"]["nll_after"], abs=1e-6)
    assert np.mean(flags & BITS["unusual"] > 0) == pytest.approx(card["test"]["unusual"])
    assert 1 - np.mean(table["uncertain"].to_numpy(zero_copy_only=False)) == pytest.approx(card["test"]["coverage"])
    assert "temperature" in load("lenet")._repr_html_()


def test_what_is_beyond_the_reach_is_unusual_and_never_certain(shelf, capsys):
    calibrate.ask("validation", "lenet", 1, 1e12)
    fitting.fit("lenet")
    card = packaged_card("lenet")
    images = [to_mirabest(make(seed)) for make in KINDS.values() for seed in range(2)]
    for reach, unusual in ((0.0, True), (1e9, False)):
        card["out_of_distribution"]["reach"], card["threshold"] = reach, 0.5
        (shelf / "card.json").write_text(json.dumps(card))
        rows = load("lenet").classify(images).to_pylist()
        assert [row["flag_names"] for row in rows] == ["no_wcs unusual" if unusual else "no_wcs"] * len(images)
        assert [row["uncertain"] for row in rows] == [unusual] * len(images)


def test_weights_calibrated_with_another_recipe_are_refused(shelf):
    card = packaged_card("lenet")
    (shelf / "card.json").write_text(json.dumps(card | {"recipe": fitting.RECIPE | {"clip_sigma": 2.5}}))
    with pytest.raises(RunRefusal, match=r"calibrated on images made with clip_sigma 2.5; expected clip_sigma 3.0\."):
        load("lenet")


def test_answers_that_are_not_there_are_refused(shelf):
    with pytest.raises(RunRefusal, match="no answers of all 2 members of lenet on validation"):
        fitting.fit("lenet")


def test_a_known_temperature_is_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (1, 1, 20_000, 2))
    labels = (rng.random(20_000) < frii(logits)[0, 0]).astype(int)
    assert fitting.best_temperature(1.7 * logits, labels) == pytest.approx(1.7, rel=0.05)


def test_the_threshold_is_the_lowest_that_keeps_95_percent_right():
    p = np.linspace(0.5, 1, 200, endpoint=False)
    labels = np.ones(200, int)
    labels[:60:2] = 0  # wrong half of the time below 0.65
    threshold = fitting.abstention(labels, p)
    assert labels[p >= threshold].mean() >= 0.95 > labels[p >= threshold - 0.0026].mean()
    assert fitting.abstention(1 - labels[:1], p[1:2]) in (p[1], 1.0)


def test_the_reach_leaves_out_three_percent_of_sources_like_the_known():
    rng = np.random.default_rng(0)
    known, new = rng.normal(size=(1, 400, 8)) * np.arange(1, 9), rng.normal(size=(4000, 8)) * np.arange(1, 9)
    known[..., 0] = 0  # a dead feature
    new[:, 0] = 0
    centre, precision, reach = fitting.distance(known)
    away = np.sqrt(fitting.squared_distance(new, centre[0], precision[0]))
    assert 0.01 < np.mean(away > reach) < 0.06


@pytest.mark.parametrize("name", [name for name in packaged_names() if "temperature" in packaged_card(name)])
def test_packaged_weights_are_not_sure_of_strange_skies(name):
    images = [to_mirabest(make(seed)) for make in KINDS.values() for seed in range(2)]
    rows = load(name).classify(images).to_pylist()
    assert [row["uncertain"] for row in rows] == [True] * len(images)


def test_answers_are_those_of_the_weights_that_gave_them(shelf):
    """A member that was trained anew is asked anew, wherever it stands."""
    calibrate.ask("validation", "lenet", 1, 1e12)
    before = fitting.kept("lenet", "validation", 24)[0]
    path = shelf / "seed1.safetensors"
    changed = {name: value * 1.5 if "weight" in name else value for name, value in load_file(path).items()}
    save_file(changed, path, {"model": "lenet", "group": "none"})
    with pytest.raises(RunRefusal, match="no answers of all 2 members"):
        fitting.kept("lenet", "validation", 24)
    calibrate.ask("validation", "lenet", 1, 1e12)
    after = fitting.kept("lenet", "validation", 24)[0]
    assert np.array_equal(after[0], before[0])
    assert not np.allclose(after[1], before[1])


def test_weights_are_kept_beside_those_that_are_there(trained, tmp_path, monkeypatch):
    """Runs that go on are left out; what was calibrated stays while the members do."""
    monkeypatch.chdir(tmp_path)
    run = Path("runs/lenet-mirabest-fast-seed0")
    shutil.copytree(trained("lenet"), run)
    Path("runs/lenet-mirabest-fast-seed1").mkdir()
    Path("runs/lenet-mirabest-fast-seed0.lock").touch()
    with pytest.raises(SystemExit, match="no finished run"):
        keep_weights.main(["attention"])
    keep_weights.main(["lenet"])
    file = keep_weights.PACKAGED / "lenet" / "card.json"
    card = json.loads(file.read_text())
    assert [member["seed"] for member in card["members"]] == [0]
    write_json(file, card | {"temperature": 1.1})
    keep_weights.main(["lenet"])
    assert json.loads(file.read_text())["temperature"] == 1.1
    write_json(run / "card.json", json.loads((run / "card.json").read_text()) | {"seed": 4})
    keep_weights.main(["lenet"])
    card = json.loads(file.read_text())
    assert ([member["seed"] for member in card["members"]], "temperature" in card) == ([0, 4], False)
