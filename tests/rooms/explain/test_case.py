"""What an explanation is about, and the arithmetic of its parts: samples, truth, answers with other maps."""

import numpy as np
import pytest

from equiradio.explain.case import evenly
from equiradio.explain.faithfulness import departure
from equiradio.explain.folder import plain
from equiradio.explain.parts.evidence import replaced, toward
from equiradio.explain.parts.faithfulness import winners
from equiradio.labels import FANAROFF_RILEY, Labels


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


def test_a_sample_is_even():
    labels = np.repeat([0, 1], [30, 20])
    rows = evenly(labels, 10)
    assert np.bincount(labels[rows]).tolist() == [5, 5]
    assert np.array_equal(evenly(labels, 0), np.arange(50))


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
