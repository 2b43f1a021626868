"""Which networks an explanation is of: a team's member and its others, a run and its siblings, any number of classes."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from equiradio.artefacts.run import Run
from equiradio.artefacts.team import TeamCard, TeamFolder, shared_settings
from equiradio.artefacts.weights import write_weights
from equiradio.datasets import simulated
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.explain.case import Effort
from equiradio.explain.folder import Folder
from equiradio.explain.part import parts
from equiradio.explain.parts.maps import agreement_of, titles_of
from equiradio.inference.team import load
from equiradio.labels import Labels
from equiradio.models.registry import build
from equiradio.report.explanation_text import KINDS
from equiradio.settings import change
from equiradio.verbs import explain as verb
from equiradio.verbs.explain import explain, open_networks, siblings

pytest.importorskip("captum")

QUICK = {"gradient_steps": 2, "window": 50, "draws": 3, "checks": False}
SMALL = Effort(sample=4, curves=2, deep=1, turned=2, angles=(0, 45, 90), fractions=(0.01, 0.05), **QUICK)


@pytest.fixture
def beside(untrained, tmp_path):
    """Makes runs that know themselves by their cards, whatever their folders are called: ``beside("x", seed=1, kernel_size=3)``."""

    def run(name: str, seed: int, md5: str = "1", state: str = "finished", split: str = "", **changes) -> Path:
        like, made = Run(untrained("attention", kernel_size=3)), Run(tmp_path / "runs" / name)
        made.write_settings(change(like.settings(), {"training.seed": seed, **changes}))
        like.card().with_changes(seed=seed, data_md5=md5, state=state, training_hash=split).write(made.card_file)
        made.weights_file.touch()
        return made.folder

    return run


def check_siblings(beside):
    one = beside("run", 0)
    beside("z", 1, **{"data.name": "elsewhere/mirabest"})
    beside("run-seed2", 2, state="failed")
    beside("run-seed3", 3, md5="2")
    beside("run-seed4", 4, epochs=3)
    beside("run-seed8", 8, split="other")
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
    chosen = {"temperature": 1.0, "threshold": 0.5, "out_of_distribution": {"file": "distance.safetensors", "reach": 1e9}}
    stored = {"centre": np.zeros((2, 1)), "precision": np.tile(np.eye(1), (2, 1, 1))}
    save_file(stored, folder.statistics_file)
    folder.write_card(TeamCard("attention", cards, shared_settings(settings), **chosen))
    return folder.path


def test_a_team_is_explained_through_one_of_its_members(team, monkeypatch, tmp_path):
    first, second = open_networks(team), open_networks(team, seed=5)
    assert (first.name, list(first.members)) == ("pair, seed 3 of seeds 3, 5", ["seed 5"])
    assert (second.member.card.seed, list(second.members)) == (5, ["seed 3"])
    assert second.member.weights_hash == first.members["seed 5"].weights_hash
    with pytest.raises(SettingRefusal, match="--seed: 4; expected one of 3, 5"):
        open_networks(team, seed=4)
    assert list(open_networks(team, members=[team]).members) == ["pair, seed 3", "pair, seed 5"]
    monkeypatch.setattr("equiradio.verbs.trained_data.open_data", lambda name, data_dir, classes=(): simulated.load(count=36))
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
    monkeypatch.setattr("equiradio.verbs.trained_data.open_data", lambda name, data_dir, classes=(): sources)
    effort = replace(SMALL, fractions=(1e-6, 0.05))  # a millionth of the pixels is none: the image as it is
    answer, folder = explain(run, tmp_path / "out", data="four", effort=effort), Folder(tmp_path / "out")
    p, given = folder.arrays("maps")["p"], folder.arrays("uncertainty")["p one network"].argmax(1)
    assert p.shape == (4, 4)
    np.testing.assert_allclose(p.sum(1), 1)
    whole = folder.arrays("faithfulness")["deletion_curves"][..., 0]
    assert whole.shape == (len(KINDS), 4)
    np.testing.assert_allclose(whole, np.broadcast_to(p.max(1), whole.shape), atol=1e-5)
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
    monkeypatch.setattr("equiradio.verbs.trained_data.open_data", lambda name, data_dir, classes=(): simulated.load(count=36))
    line = r"simulated has the classes FRI, FRII, but it was trained on round, double, bent tail, ring; expected the same classes"
    with pytest.raises(RunRefusal, match=line):
        explain(run, Path("never"), data="simulated", members=[])
