"""equiradio explain: whole, resumed, refused; numbers on disk are those of the page."""

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equiradio.artefacts.claim import Claimed, claimed
from equiradio.cli.main import main
from equiradio.datasets import simulated
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.explain import parts as room
from equiradio.explain.case import Effort
from equiradio.explain.folder import Folder
from equiradio.explain.part import parts
from equiradio.explain.parts.evidence import taken_apart
from equiradio.report.explanation_measures import OURS
from equiradio.report.explanation_text import KINDS
from equiradio.verbs.explain import case_of, explain, open_networks

pytest.importorskip("captum")

QUICK = {"gradient_steps": 2, "window": 50, "draws": 3}
SMALL = Effort(sample=4, curves=2, deep=1, turned=2, angles=(0, 45, 90), fractions=(0.01, 0.05), **QUICK)
UNCHECKED = replace(SMALL, checks=False)
FIGURES = {"symmetry", "layers", "residue", "faithfulness", "lifts", "randomisation", "ranking", "astronomy", "uncertainty"}


@pytest.fixture(scope="module")
def explained(trained, tmp_path_factory):
    """Folder and answer of the plain network's explanation."""
    out = tmp_path_factory.mktemp("explained") / "plain"
    return out, explain(trained("attention"), out, effort=SMALL, members=[])


def test_everything_is_written_and_agrees(explained):
    out, answer = explained
    assert json.loads((out / "explanation.json").read_text()) == answer
    assert list(answer) == ["about", "maps", "symmetry", "layers", "faithfulness", "ranking", "evidence", "astronomy", "uncertainty"]
    assert {file.stem for file in (out / "figures").glob("*.png")} == FIGURES
    assert {file.stem for file in (out / "figures").glob("*.csv")} == FIGURES
    page = (out / "index.html").read_text()
    assert page.count("<img") == len(FIGURES)
    assert f"{answer['symmetry']['error']:.3f}" in page
    assert "No control beats attention for sure on any measure" in page  # four sources decide nothing
    with (out / "figures" / "symmetry.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["angle_deg"] == "45"]
    assert np.mean([float(row["error_combined"]) for row in rows]) == pytest.approx(answer["symmetry"]["error"], rel=1e-5)


def test_a_plain_network_is_not_exact_and_its_controls_are_measured(explained):
    _, answer = explained
    assert not answer["symmetry"]["quarter_turns"]["exact"]
    faithful = answer["faithfulness"]
    assert set(faithful["lifts"]) == {"deletion", "insertion", "pointing", "energy", "precision", "hot_spot_rank", "core_rank"}
    assert set(faithful["lifts"]["energy"]) == set(KINDS) - set(OURS)
    assert faithful["means"]["energy"]["image"] > faithful["means"]["energy"]["gaussian"]
    assert faithful["means"]["precision"]["image"] > 0.5
    conformal = answer["uncertainty"]["conformal"]["one network"]["all"]
    assert 0 <= conformal["coverage"] <= 1


def test_every_kind_of_map_is_ranked_by_every_measure(explained):
    """What needs no trained network is alike under fresh weights, whatever the network; too few sources have no rank."""
    out, answer = explained
    measures = answer["ranking"]["measures"]
    assert list(measures) == ["deletion", "insertion", "pointing", "energy", "precision", "randomised", "turned"]
    assert all(list(kinds) == list(KINDS) for kinds in measures.values())
    assert {kind for kind in KINDS if measures["pointing"][kind]["sources"] == 2} == {"score_cam", "gradients", "occlusion"}
    fresh, turned = measures["randomised"], measures["turned"]
    assert (fresh["image"]["mean"], fresh["gaussian"]["mean"]) == (pytest.approx(1), pytest.approx(1))
    assert fresh["noise"]["mean"] < 0.1 > abs(turned["noise"]["mean"])
    assert turned["gaussian"]["mean"] > 0.99
    assert all(each["rank"] is None for kinds in measures.values() for each in kinds.values())  # four sources decide nothing
    page = (out / "index.html").read_text()
    assert "Which map marks what the answer rests on?" in page
    energy = Folder(out).arrays("ranking")["value_energy"][list(KINDS).index("evidence")]
    assert measures["energy"]["evidence"]["mean"] == pytest.approx(energy.mean())


def test_the_answer_is_taken_apart(explained):
    out, answer = explained
    summary = answer["evidence"]
    assert summary["linear"]
    usual = summary["replaced"]["attention as it is"]
    assert (usual["answers_changed"], usual["accuracy_change"]["lift"]) == (0, 0)
    assert usual["accuracy"] == pytest.approx(answer["uncertainty"]["methods"]["one network"]["accuracy"])
    assert {gate for gates in summary["marks"].values() for gate in gates} == {"gate 1", "gate 2", "gate 3", "all gates"}
    both = [summary["marks"][kind]["gate 1"]["energy"]["mean"] for kind in ("attention", "1 - attention")]
    assert both[0] != both[1]
    assert "What attention does to the answer" in (out / "index.html").read_text()


def test_heads_with_a_relu_are_said_not_to_come_apart(untrained, tmp_path):
    run = untrained("attention", kernel_size=3, head_relu=True)
    case = case_of(open_networks(run, members=[]), simulated.load(count=36), "test", SMALL, lambda what, done, total: None)
    summary, arrays = taken_apart(case)
    assert summary == {"linear": False, "reason": summary["reason"]}
    assert "linear heads" in summary["reason"]
    assert arrays == {}


def test_what_is_done_is_not_done_again(explained, trained, tmp_path, monkeypatch):
    out = shutil.copytree(explained[0], tmp_path / "again")
    (out / "parts" / "layers.json").unlink()
    asked = []
    for name, part in parts().items():
        monkeypatch.setattr(part, "measure", lambda case, folder, name=name, do=part.measure: (asked.append(name), do(case, folder))[1])
    answer = explain(trained("attention"), out, effort=SMALL, members=[])
    assert asked == ["layers"]
    expected = {key: value for key, value in explained[1]["layers"].items() if key != "seconds"}
    assert {key: value for key, value in answer["layers"].items() if key != "seconds"} == expected


def test_another_plan_or_folder_is_refused(explained, trained, tmp_path):
    with pytest.raises(RunRefusal, match=r"holds an explanation with other sources \(\d there, 2 asked\), effort; expected the same"):
        explain(trained("attention"), explained[0], effort=Effort(sample=2), members=[])
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(RunRefusal, match="a folder with other files"):
        explain(trained("attention"), tmp_path, effort=SMALL, members=[])
    with pytest.raises(RunRefusal, match="no finished symmetry part in it"):
        explain(trained("attention"), tmp_path / "new", effort=SMALL, members=[], against=tmp_path)


def test_an_explanation_of_other_labels_or_in_another_s_hands_is_refused(explained, trained, sky, tmp_path):
    """The images are the same; one source changed its class."""
    data = Path(shutil.copytree(sky, tmp_path / "sky"))
    out = shutil.copytree(explained[0], tmp_path / "again")
    rows = (data / "catalogue.csv").read_text().splitlines()
    place = next(number for number, row in enumerate(rows) if ",test," in row)
    name, label, rest = rows[place].split(",", 2)
    rows[place] = f"{name},{1 - int(label)},{rest}"
    (data / "catalogue.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(RunRefusal, match="holds an explanation with other catalogue; expected the same"):
        explain(trained("attention"), out, effort=SMALL, members=[], data=str(data))
    with claimed(tmp_path / "new"), pytest.raises(Claimed, match="new: process"):
        explain(trained("attention"), tmp_path / "new", effort=SMALL, members=[])


def test_one_that_was_stopped_before_its_first_part_does_not_stand_in_the_way_of_another(tmp_path):
    folder = Folder(tmp_path / "new")
    folder.check({"run": "c4"})
    folder.check({"run": "c8"})
    folder.write_part("layers", {}, {})
    with pytest.raises(RunRefusal, match=r"holds an explanation with other run \(c8 there, c4 asked\)"):
        folder.check({"run": "c4"})


def test_a_kill_in_the_first_writing_leaves_a_folder_that_can_be_explained_in(tmp_path):
    folder = Folder(tmp_path / "new")
    folder.path.mkdir()
    (folder.path / ".about.json.part-abcdefgh.json").write_text("{")
    folder.check({"run": "a"})
    (folder.path / "about.json").write_text("[" * 99_999)
    with pytest.raises(RunRefusal, match=r"about.json: cannot be read"):
        folder.check({"run": "a"})


def test_a_c4_network_is_exact_and_is_compared(explained, trained, tmp_path):
    run, other = trained("c4-attention"), trained("attention")
    answer = explain(run, tmp_path / "c4", effort=UNCHECKED, members=[other], against=explained[0])
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


TOY = """
PLACE, NEEDS = 45, ("maps",)

def measure(case, folder):
    return {"mean": float(folder.arrays("maps")["maps"].mean())}, {}

def headlines(answer):
    return [["toy", "measured", "meant"]]

def sections(page, case, folder, answer, other):
    page.heading(f"A toy of {answer['toy']['mean']:.4f}")
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Adds one file to the parts."""

    def add(text: str) -> None:
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "toy.py").write_text(text)
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path / "more")])

    yield add
    sys.modules.pop("equiradio.explain.parts.toy", None)


def test_a_new_part_is_one_file(toy, explained, trained, tmp_path):
    toy(TOY)
    out = shutil.copytree(explained[0], tmp_path / "again")
    answer = explain(trained("attention"), out, effort=SMALL, members=[])
    assert list(parts()).index("toy") == list(parts()).index("faithfulness") + 1
    mean = Folder(out).arrays("maps")["maps"].mean()
    assert answer["toy"]["mean"] == pytest.approx(float(mean))
    page = (out / "index.html").read_text()
    assert f"<h2>A toy of {answer['toy']['mean']:.4f}</h2>" in page
    assert "<td>toy</td><td>measured</td><td>meant</td>" in page
    assert {name: part for name, part in answer.items() if name != "toy"} == explained[1]


def test_a_part_before_what_it_needs_is_refused(toy):
    toy(TOY.replace("45", "5"))
    with pytest.raises(SettingRefusal, match=r"equiradio.explain.parts.toy: needs maps, not measured before it"):
        parts()
