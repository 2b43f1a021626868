"""equiradio explain: whole, resumed, refused; numbers on disk are those of the page."""

import csv
import json
import shutil

import numpy as np
import pytest

from equiradio.cli.main import main
from equiradio.datasets.simulated import load, simulate
from equiradio.datasets.simulated_shapes import Part
from equiradio.errors import RunRefusal
from equiradio.explain.case import Plan, evenly, plain, truth_masks
from equiradio.explain.parts.evidence import replaced, taken_apart
from equiradio.explain.parts.faithfulness import departure, winners
from equiradio.verbs import explain as room
from equiradio.verbs.explain import explain, open_case, siblings

pytest.importorskip("captum")
pytest.importorskip("photutils")

SMALL = Plan(sample=4, deep=2, turned=2, angles=(0, 45, 90), fractions=(0.01, 0.05), gradient_steps=2, draws=3)
FIGURES = {"symmetry", "layers", "residue", "faithfulness", "lifts", "randomisation", "astronomy", "uncertainty"}


@pytest.fixture(scope="module")
def explained(trained, tmp_path_factory):
    """Folder and answer of the plain network's explanation."""
    out = tmp_path_factory.mktemp("explained") / "plain"
    return out, explain(trained("attention"), out, plan=SMALL, members=[])


def test_everything_is_written_and_agrees(explained):
    out, answer = explained
    assert json.loads((out / "explanation.json").read_text()) == answer
    assert set(answer) == {"about", *room.PARTS}
    assert {file.stem for file in (out / "figures").glob("*.png")} == FIGURES
    assert {file.stem for file in (out / "figures").glob("*.csv")} == FIGURES
    page = (out / "index.html").read_text()
    assert page.count("<img") == len(FIGURES)
    assert f"{answer['symmetry']['error']:.3f}" in page
    assert "Controls that beat attention on some measure: the image itself" in page
    with (out / "figures" / "symmetry.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["angle_deg"] == "45"]
    assert np.mean([float(row["error_combined"]) for row in rows]) == pytest.approx(answer["symmetry"]["error"], rel=1e-5)


def test_a_plain_network_is_not_exact_and_its_controls_are_measured(explained):
    _, answer = explained
    assert not answer["symmetry"]["quarter_turns"]["exact"]
    faithful = answer["faithfulness"]
    assert set(faithful["lifts"]) == {"deletion", "insertion", "pointing", "energy", "precision", "hot_spot_rank", "core_rank"}
    assert set(faithful["lifts"]["energy"]) == {"image", "gaussian", "untrained", "grad_cam", "gradients"}
    assert faithful["means"]["energy"]["image"] > faithful["means"]["energy"]["gaussian"]
    assert faithful["means"]["precision"]["image"] > 0.5
    conformal = answer["uncertainty"]["conformal"]["one network"]["all"]
    assert 0 <= conformal["coverage"] <= 1


def test_the_answer_is_taken_apart(explained):
    out, answer = explained
    found = answer["evidence"]
    assert found["linear"]
    usual = found["replaced"]["attention as it is"]
    assert (usual["answers_changed"], usual["accuracy_change"]["lift"]) == (0, 0)
    assert usual["accuracy"] == pytest.approx(answer["uncertainty"]["methods"]["one network"]["accuracy"])
    assert {gate for gates in found["marks"].values() for gate in gates} == {"gate 1", "gate 2", "gate 3", "all gates"}
    both = [found["marks"][kind]["gate 1"]["energy"]["mean"] for kind in ("attention", "1 - attention")]
    assert both[0] != both[1]
    assert "What attention does to the answer" in (out / "index.html").read_text()


def test_replacing_attention_is_scored_against_the_answers_as_they_are():
    labels = np.array([0, 0, 1, 1])
    margins = {"as it is": np.array([-1.0, -2, 1, 2]), "turned": np.array([1.0, 2, -1, -2]), "shifted": np.array([-1.0, 0.5, 1, 2])}
    found = replaced(margins, labels)
    assert [found[name]["accuracy"] for name in margins] == [1, 0, 0.75]
    assert [found[name]["answers_changed"] for name in margins] == [0, 1, 0.25]
    assert [found[name]["auc"] for name in margins] == [1, 0, 1]
    assert found["shifted"]["accuracy_change"]["lift"] == -0.25


def test_a_signed_map_counts_by_how_far_it_is_from_its_sky():
    planes, lit = np.full((1, 3, 3), 2.0), np.zeros((1, 3, 3), bool)
    planes[0, 1, 1], planes[0, 0, 0], lit[0, 1, 1] = -1, 4, True
    expected = np.zeros((1, 3, 3))
    expected[0, 1, 1], expected[0, 0, 0] = 3, 2
    assert np.array_equal(departure(planes, lit), expected)
    assert np.array_equal(departure(planes, np.ones_like(lit)), np.abs(planes))


def test_heads_with_a_relu_are_said_not_to_come_apart(untrained, tmp_path):
    run = untrained("attention", kernel_size=3, head_relu=True)
    case = open_case(run, "simulated", "test", [], SMALL, None, "cpu", lambda what, done, total: None)
    summary, arrays = taken_apart(case)
    assert summary == {"linear": False, "reason": summary["reason"]}
    assert "linear heads" in summary["reason"]
    assert arrays == {}


def test_what_is_done_is_not_done_again(explained, trained, tmp_path, monkeypatch):
    out = shutil.copytree(explained[0], tmp_path / "again")
    (out / "parts" / "layers.json").unlink()
    asked = []
    measured = dict(room.PARTS)
    for name, part in measured.items():
        monkeypatch.setitem(room.PARTS, name, lambda case, folder, name=name, part=part: (asked.append(name), part(case, folder))[1])
    answer = explain(trained("attention"), out, plan=SMALL, members=[])
    assert asked == ["layers"]
    expected = {key: value for key, value in explained[1]["layers"].items() if key != "seconds"}
    assert {key: value for key, value in answer["layers"].items() if key != "seconds"} == expected


def test_another_plan_or_folder_is_refused(explained, trained, tmp_path):
    with pytest.raises(RunRefusal, match=r"holds an explanation with another sources; expected the same run, data and sample"):
        explain(trained("attention"), explained[0], plan=Plan(sample=2), members=[])
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(RunRefusal, match="a folder with other files"):
        explain(trained("attention"), tmp_path, plan=SMALL, members=[])
    with pytest.raises(RunRefusal, match="no finished symmetry part in it"):
        explain(trained("attention"), tmp_path / "new", plan=SMALL, members=[], against=tmp_path)


def test_a_c4_network_is_exact_and_is_compared(explained, trained, tmp_path):
    run, other = trained("c4-attention"), trained("attention")
    answer = explain(run, tmp_path / "c4", plan=SMALL, members=[other], against=explained[0])
    turns = answer["symmetry"]["quarter_turns"]
    assert turns["exact"], turns
    assert turns["largest"] <= 1e-3
    page = (tmp_path / "c4" / "index.html").read_text()
    assert "Against plain: mean error" in page
    assert (tmp_path / "c4" / "figures" / "gallery.csv").is_file()


def test_lenet_has_nothing_to_explain(trained, tmp_path, capsys):
    assert main(["explain", str(trained("lenet")), "--out", str(tmp_path / "x")]) == 2
    line = capsys.readouterr().err
    assert line.endswith("lenet has no attention gates; expected a network with attention. Explain an attention model.\n")
    assert not (tmp_path / "x").exists()


def test_a_sample_is_even_and_siblings_are_other_seeds(tmp_path):
    labels = np.repeat([0, 1], [30, 20])
    rows = evenly(labels, 10)
    assert np.bincount(labels[rows]).tolist() == [5, 5]
    assert np.array_equal(evenly(labels, 0), np.arange(50))
    for name in ("c4-x-seed0", "c4-x-seed1", "c4-x-seed0-other", "d4-x-seed1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").touch()
    (tmp_path / "c4-x-seed2").mkdir()
    assert [run.name for run in siblings(tmp_path / "c4-x-seed0")] == ["c4-x-seed1"]


def test_truth_is_made_again_from_names():
    sources, made = load(count=4), simulate(4, 0)
    assert np.array_equal(truth_masks(sources), made.masks)
    assert (made.masks & Part.LOBE).any()
    changed = sources.choose(np.array([1, 0]))
    changed.images[0, 0, 0] ^= 1
    assert truth_masks(changed) is None


def test_departure_winners_and_plain_numbers():
    plane = np.full((1, 4, 4), 0.7)
    plane[0, 0, 0], plane[0, 3, 3] = 0.2, 0.9
    lit = np.zeros((1, 4, 4), bool)
    lit[0, 0, 0] = lit[0, 3, 3] = True
    found = departure(plane, lit)
    assert found[0, 0, 0] == pytest.approx(0.5)
    assert found[0, 3, 3] == pytest.approx(0.2)
    assert found[0, 1, 1] == 0
    assert winners({"a": {"high": -0.1}, "b": {"high": 0.1}, "c": {"high": None}}) == ["a"]
    assert plain({"a": np.float64(np.nan), "b": np.arange(2), "c": (np.True_,)}) == {"a": None, "b": [0, 1], "c": [True]}
