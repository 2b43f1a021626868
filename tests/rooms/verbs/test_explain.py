"""equiradio explain: whole, resumed, refused; numbers on disk are those of the page."""

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equiradio.artefacts.run import Run
from equiradio.artefacts.team import TeamCard, TeamFolder, shared_settings
from equiradio.artefacts.weights import write_weights
from equiradio.cli.main import main
from equiradio.datasets import simulated
from equiradio.datasets.simulated import simulate
from equiradio.datasets.simulated_shapes import Part
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.explain import parts as room
from equiradio.explain.case import Effort, evenly, truth_masks
from equiradio.explain.faithfulness import departure
from equiradio.explain.folder import Folder, plain
from equiradio.explain.part import parts
from equiradio.explain.parts.evidence import replaced, taken_apart, toward
from equiradio.explain.parts.faithfulness import winners
from equiradio.explain.parts.maps import agreement_of, titles_of
from equiradio.inference.team import load
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.models.registry import build
from equiradio.settings import change
from equiradio.verbs import explain as verb
from equiradio.verbs.explain import case_of, explain, open_networks, siblings

pytest.importorskip("captum")
pytest.importorskip("photutils")

SMALL = Effort(sample=4, deep=2, turned=2, angles=(0, 45, 90), fractions=(0.01, 0.05), gradient_steps=2, draws=3)
FIGURES = {"symmetry", "layers", "residue", "faithfulness", "lifts", "randomisation", "astronomy", "uncertainty"}


@pytest.fixture(scope="module")
def explained(trained, tmp_path_factory):
    """Folder and answer of the plain network's explanation."""
    out = tmp_path_factory.mktemp("explained") / "plain"
    return out, explain(trained("attention"), out, effort=SMALL, members=[])


def test_everything_is_written_and_agrees(explained):
    out, answer = explained
    assert json.loads((out / "explanation.json").read_text()) == answer
    assert list(answer) == ["about", "maps", "symmetry", "layers", "faithfulness", "evidence", "astronomy", "uncertainty"]
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
    summary = answer["evidence"]
    assert summary["linear"]
    usual = summary["replaced"]["attention as it is"]
    assert (usual["answers_changed"], usual["accuracy_change"]["lift"]) == (0, 0)
    assert usual["accuracy"] == pytest.approx(answer["uncertainty"]["methods"]["one network"]["accuracy"])
    assert {gate for gates in summary["marks"].values() for gate in gates} == {"gate 1", "gate 2", "gate 3", "all gates"}
    both = [summary["marks"][kind]["gate 1"]["energy"]["mean"] for kind in ("attention", "1 - attention")]
    assert both[0] != both[1]
    assert "What attention does to the answer" in (out / "index.html").read_text()


def test_replacing_attention_is_scored_against_the_answers_as_they_are():
    labels = np.array([0, 0, 1, 1])
    of_frii = {"as it is": np.array([-1.0, -2, 1, 2]), "turned": np.array([1.0, 2, -1, -2]), "shifted": np.array([-1.0, 0.5, 1, 2])}
    rows = replaced({name: np.stack([-values, values], 1) for name, values in of_frii.items()}, labels, FANAROFF_RILEY)
    assert [rows[name]["accuracy"] for name in of_frii] == [1, 0, 0.75]
    assert [rows[name]["answers_changed"] for name in of_frii] == [0, 1, 0.25]
    assert [rows[name]["auc"] for name in of_frii] == [1, 0, 1]
    assert rows["shifted"]["accuracy_change"]["lift"] == -0.25


def test_three_classes_are_scored_by_the_class_of_the_largest_margin():
    labels, three = np.array([0, 1, 2, 2]), Labels(("a", "b", "c"))
    margins = 3 * np.eye(3)[[0, 1, 2, 1]] - 1  # each with its others' mean taken away; the last is answered b
    rows = replaced({"as it is": margins, "rolled": np.roll(margins, 1, 1)}, labels, three)
    assert [row["accuracy"] for row in rows.values()] == [0.75, 0.25]
    assert [row["answers_changed"] for row in rows.values()] == [0, 1]
    assert rows["rolled"]["accuracy_change"]["lift"] == -0.5
    assert toward(margins).tolist() == [0, 1, 2, 1]
    assert toward(np.array([[1.0, -1], [-1, 1]])).tolist() == [1, 1]


def test_a_signed_map_counts_by_how_far_it_is_from_its_sky():
    planes, lit = np.full((1, 3, 3), 2.0), np.zeros((1, 3, 3), bool)
    planes[0, 1, 1], planes[0, 0, 0], lit[0, 1, 1] = -1, 4, True
    expected = np.zeros((1, 3, 3))
    expected[0, 1, 1], expected[0, 0, 0] = 3, 2
    assert np.array_equal(departure(planes, lit), expected)
    assert np.array_equal(departure(planes, np.ones_like(lit)), np.abs(planes))


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
    with pytest.raises(RunRefusal, match=r"holds an explanation with another sources; expected the same run, data and sample"):
        explain(trained("attention"), explained[0], effort=Effort(sample=2), members=[])
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(RunRefusal, match="a folder with other files"):
        explain(trained("attention"), tmp_path, effort=SMALL, members=[])
    with pytest.raises(RunRefusal, match="no finished symmetry part in it"):
        explain(trained("attention"), tmp_path / "new", effort=SMALL, members=[], against=tmp_path)


def test_a_c4_network_is_exact_and_is_compared(explained, trained, tmp_path):
    run, other = trained("c4-attention"), trained("attention")
    answer = explain(run, tmp_path / "c4", effort=SMALL, members=[other], against=explained[0])
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


def test_a_sample_is_even():
    labels = np.repeat([0, 1], [30, 20])
    rows = evenly(labels, 10)
    assert np.bincount(labels[rows]).tolist() == [5, 5]
    assert np.array_equal(evenly(labels, 0), np.arange(50))


@pytest.fixture
def beside(untrained, tmp_path):
    """Makes runs that know themselves by their cards, whatever their folders are called: ``beside("x", seed=1, kernel_size=3)``."""

    def run(name: str, seed: int, md5: str = "1", state: str = "finished", **changes) -> Path:
        like, made = Run(untrained("attention", kernel_size=3)), Run(tmp_path / "runs" / name)
        made.write_settings(change(like.settings(), {"training.seed": seed, **changes}))
        like.card().with_changes(seed=seed, data_md5=md5, state=state).write(made.card_file)
        made.weights_file.touch()
        return made.folder

    return run


def check_siblings(beside):
    one = beside("run", 0)
    beside("z", 1, **{"data.name": "elsewhere/mirabest"})
    beside("run-seed2", 2, state="failed")
    beside("run-seed3", 3, md5="2")
    beside("run-seed4", 4, epochs=3)
    beside("y", 5)
    beside("yy", 5)
    (beside("run-seed6", 6) / "weights.safetensors").unlink()
    (one.parent / "run-seed7").mkdir()
    assert [path.name for path in siblings(one)] == ["z", "y"]


def test_siblings_are_other_seeds_by_their_cards(beside):
    check_siblings(beside)


def test_the_law_of_siblings_catches_settings_that_nobody_compares(beside, monkeypatch):
    monkeypatch.setattr(verb, "_same_but_seed", lambda settings, others: True)
    with pytest.raises(AssertionError):
        check_siblings(beside)


@pytest.fixture
def team(untrained, tmp_path):
    """The folder of a team of seeds 3 and 5."""
    folder, cards, settings = TeamFolder(tmp_path / "pair"), [], []
    for seed in (3, 5):
        run = Run(untrained("attention", seed=seed, kernel_size=3))
        cards.append(run.card())
        settings.append(run.settings())
        folder.path.mkdir(exist_ok=True)
        shutil.copyfile(run.weights_file, folder.weights_file(seed))
    folder.write_card(TeamCard("attention", cards, shared_settings(settings)))
    return folder.path


def test_a_team_is_explained_through_one_of_its_members(team, monkeypatch, tmp_path):
    first, second = open_networks(team), open_networks(team, seed=5)
    assert (first.name, list(first.members)) == ("pair, seed 3 of seeds 3, 5", ["seed 5"])
    assert (second.member.card.seed, list(second.members)) == (5, ["seed 3"])
    assert second.member.weights_hash == first.members["seed 5"].weights_hash
    with pytest.raises(SettingRefusal, match="--seed: 4; expected one of 3, 5"):
        open_networks(team, seed=4)
    assert list(open_networks(team, members=[team]).members) == ["pair, seed 3", "pair, seed 5"]
    monkeypatch.setattr(verb, "open_data", lambda name, data_dir: simulated.load(count=36))
    monkeypatch.setattr(verb, "parts", lambda: {name: part for name, part in parts().items() if name in ("maps", "layers")})
    monkeypatch.setattr("equiradio.explain.page.parts", verb.parts)
    answer = explain(team, tmp_path / "out", seed=5, data="simulated", effort=replace(SMALL, sample=2, deep=1))
    assert (answer["about"]["run"], answer["about"]["seed"]) == ("pair, seed 5 of seeds 3, 5", 5)
    assert "<h1>Explanation of pair, seed 5 of seeds 3, 5</h1>" in (tmp_path / "out" / "index.html").read_text()
    assert answer["maps"]["members"] == ["seed 3"]
    assert (tmp_path / "out" / "figures" / "gallery.png").is_file()


def test_agreement_is_the_mean_rank_correlation_of_all_pairs():
    plane = np.random.default_rng(0).random((2, 20, 20))
    assert agreement_of([plane, plane**2]) == pytest.approx([1, 1])
    assert agreement_of([plane, plane, -plane]) == pytest.approx([-1 / 3, -1 / 3])  # 1, -1 and -1


def test_titles_are_model_and_seed_and_tell_twins_apart(team):
    member, other = (each for each in load(team, "cpu").members)
    case = lambda **members: SimpleNamespace(name="mine", member=member, members=members)
    assert titles_of(case(b=other)) == ["attention seed 3", "attention seed 5"]
    assert titles_of(case(b=other, c=other)) == ["attention seed 3", "b", "c"]


FOUR = Labels(("round", "double", "bent tail", "ring"))


@pytest.fixture(scope="module")
def four(untrained, tmp_path_factory):
    """Run folder and sources of four classes."""
    like, run = Run(untrained("attention", kernel_size=3)), Run(tmp_path_factory.mktemp("four") / "run")
    torch.manual_seed(0)
    network = build(like.settings().model, classes=4)
    run.write_settings(like.settings())
    like.card().with_changes(classes=list(FOUR)).write(run.card_file)
    write_weights(run.weights_file, network.state_dict(), model="attention", group="none")
    sources = simulated.load(count=60)
    return run.folder, replace(sources, labels=np.arange(60) % 4, classes=FOUR)


def test_a_run_of_four_classes_is_explained(four, tmp_path, monkeypatch):
    run, sources = four
    monkeypatch.setattr(verb, "open_data", lambda name, data_dir: sources)
    effort = replace(SMALL, fractions=(1e-6, 0.05))  # a millionth of the pixels is none: the image as it is
    answer, folder = explain(run, tmp_path / "out", data="four", effort=effort), Folder(tmp_path / "out")
    p, given = folder.arrays("maps")["p"], folder.arrays("uncertainty")["p one network"].argmax(1)
    assert p.shape == (4, 4)
    np.testing.assert_allclose(p.sum(1), 1)
    whole = folder.arrays("faithfulness")["deletion_curves"][..., 0]
    np.testing.assert_allclose(whole, np.broadcast_to(p[folder.arrays("maps")["deep"]].max(1), whole.shape), atol=1e-5)
    right = np.mean(given == sources.of_split("test").labels)
    assert answer["uncertainty"]["methods"]["one network"]["accuracy"] == right
    assert answer["evidence"]["replaced"]["attention as it is"]["accuracy"] == right
    np.testing.assert_allclose(folder.arrays("uncertainty")["p one network"].sum(1), 1)
    assert answer["about"]["classes"] == list(FOUR)
    assert not answer["astronomy"]["applies"]
    assert "astronomy" not in {file.stem for file in (tmp_path / "out" / "figures").iterdir()}
    assert "Not measured: peaks, inner half and the ratio of Fanaroff &amp; Riley" in (tmp_path / "out" / "index.html").read_text()
    with folder.table("uncertainty").open() as file:
        columns = next(csv.reader(file))
    assert columns[3:7] == ["p_round_one_network", "p_double_one_network", "p_bent_tail_one_network", "p_ring_one_network"]


def test_data_of_other_classes_are_refused(four, monkeypatch):
    run, _ = four
    monkeypatch.setattr(verb, "open_data", lambda name, data_dir: simulated.load(count=36))
    line = r"simulated has the classes FRI, FRII, but the network was trained on round, double, bent tail, ring; expected the same classes"
    with pytest.raises(RunRefusal, match=line):
        explain(run, Path("never"), data="simulated", members=[])


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


def test_truth_is_made_again_from_names():
    sources, made = simulated.load(4), simulate(4, 0)
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
    away = departure(plane, lit)
    assert away[0, 0, 0] == pytest.approx(0.5)
    assert away[0, 3, 3] == pytest.approx(0.2)
    assert away[0, 1, 1] == 0
    assert winners({"a": {"high": -0.1}, "b": {"high": 0.1}, "c": {"high": None}}) == ["a"]
    assert plain({"a": np.float64(np.nan), "b": np.arange(2), "c": (np.True_,)}) == {"a": None, "b": [0, 1], "c": [True]}
