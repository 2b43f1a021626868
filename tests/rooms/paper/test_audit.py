"""Habits of the published code act on a finished run while they are measured, and no longer."""

import json

import numpy as np
import pytest
import torch

from equiradio.artefacts.run import Run
from equiradio.datasets.registry import open_data
from equiradio.inference.team import load
from equiradio.paper import audit as study
from equiradio.paper.audit import HABITS, RAW, audit_network, correlation
from equiradio.paper.table1_text import AUDIT, audit_rows


@pytest.fixture(scope="module")
def sources(sky):
    return open_data(str(sky)).of_split("test")


@pytest.fixture(scope="module")
def rows(trained, sources):
    (member,) = load(trained("attention")).members
    return audit_network(member, sources, "run", 0, 1)


def test_every_habit_has_a_row(rows):
    assert [row["habit"] for row in rows] == ["none", *HABITS, RAW]
    assert all(row["logit_change"] is not None for row in rows[:-1])
    assert all(row["map_correlation"] is not None for row in rows[1:])
    assert rows[-1]["accuracy"] is None  # raw pixels are fed where maps are drawn, not where classes are


def test_without_a_habit_nothing_changes(rows):
    assert (rows[0]["accuracy_change"], rows[0]["auc_change"], rows[0]["answers_changed"], rows[0]["logit_change"]) == (0, 0, 0, 0)


@pytest.fixture(scope="module")
def rounding(trained, sources):
    """What company alone does to float32 answers, as `logit_change` measures it: much, where a network hardly tells images apart."""
    (member,) = load(trained("attention")).members
    together = member.look(sources.images).logits.diff().flatten()
    alone = torch.cat([member.look(image[None]).logits for image in sources.images]).diff().flatten()
    return float((alone - together).abs().median() / together.std(correction=0))


def test_habits_move_the_answers(rows, rounding):
    moved = {row["habit"]: row["logit_change"] for row in rows[1:-1]}
    assert moved["batch-range, sorted batches"] > 1e-3
    assert moved["floor-150"] > 1e-4
    assert moved["batch-range, single images"] < max(1e-4, 10 * rounding) < moved["batch-range, sorted batches"]  # its own batch


def law_of_the_habit(member, sources, habit):
    before = member.look(sources.images).logits
    other = study.with_habit(member, habit).look(sources.images).logits
    assert not torch.allclose(other, before, atol=1e-5)
    torch.testing.assert_close(member.look(sources.images).logits, before)


@pytest.mark.parametrize("habit", ["batch-range", "floor-150"])
def test_a_habit_acts_in_another_network_of_the_same_weights(trained, sources, habit):
    law_of_the_habit(load(trained("attention")).members[0], sources, habit)


def test_the_law_catches_a_habit_that_does_nothing(trained, sources, monkeypatch):
    monkeypatch.setattr(study, "with_habit", lambda member, habit: member)
    with pytest.raises(AssertionError):
        law_of_the_habit(load(trained("attention")).members[0], sources, "floor-150")


def test_the_law_catches_a_habit_that_stays(trained, sources, monkeypatch):
    def switched(member, habit):
        member.network = with_habit(member, habit).network
        return member

    with_habit = study.with_habit
    monkeypatch.setattr(study, "with_habit", switched)
    with pytest.raises(AssertionError):
        law_of_the_habit(load(trained("attention")).members[0], sources, "floor-150")


def test_correlations_of_known_maps():
    plane = np.random.default_rng(0).random((3, 5, 5))
    assert correlation(plane, 2 * plane + 1) == pytest.approx(1)
    assert correlation(plane, -plane) == pytest.approx(-1)
    assert correlation(plane, np.ones((3, 5, 5))) is None


def test_an_audit_is_written_and_told(trained, tmp_path, tiny, monkeypatch, sources):
    from equiradio.paper.plan import Item
    from equiradio.settings import with_habits
    from equiradio.verbs.evaluate import evaluate

    monkeypatch.setattr(study, "maps", lambda member, images, **options: np.random.default_rng(len(images)).random((len(images), 9, 9)))
    run = Run(trained("lenet"))
    evaluate(run.folder, passes=1)
    items = [Item(run.settings(), run), Item(with_habits(run.settings(), ["sixteen-passes"]), Run(tmp_path / "not-run"))]
    found = study.audit_runs(items, tmp_path / "audit.json", passes=1)
    assert json.loads((tmp_path / "audit.json").read_text()) == found
    rows = audit_rows(found)  # a LeNet has no gates: only the training that is not there
    assert rows == [["not-run", "sixteen-passes", "not run", *["-"] * 7]]
    assert len(AUDIT) == len(rows[0])
    again = study.of_training(Item(with_habits(run.settings(), ["sixteen-passes"]), run), [Item(run.settings(), run)])
    assert (again["accuracy_change"], again["answers_changed"]) == (0.0, 0.0)
