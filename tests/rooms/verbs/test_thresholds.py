"""Through every beam that a team was tested with, 95 of 100 answers about validation sources are right."""

import numpy as np
import pytest

from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.evaluation.calibration import is_right
from equiradio.evaluation.choosing import abstention
from equiradio.inference.team import load
from equiradio.verbs import promises_choice
from equiradio.verbs.promises_choice import with_expected, with_thresholds
from equiradio.verbs.resolution_choice import Views

BEAMS = {5.4: 0.0, 4.5: 0.05, 6.48: 0.2, 8.1: 0.35}  # share of answers that are wrong where p is below 0.9


@pytest.fixture
def asked(monkeypatch, untrained):
    """A card with tested beams, and answers through them: p uniform, all right above 0.9 but every tenth source, which is unusual."""
    draw = np.random.default_rng(0)
    p, labels = draw.uniform(0.5, 1, 400), draw.integers(0, 2, 400)
    usual = np.arange(400) % 10 > 0

    def views_of(card, asking, sources, condition):
        beam = condition.value if condition.kind else 5.4
        wrong = ((np.random.default_rng(int(10 * beam)).random(400) < BEAMS[beam]) & (p < 0.9)) | ~usual
        second = np.where((labels == 1) != wrong, p, 1 - p)
        return Views(labels, is_right(labels, second), np.full(400, 12.0), second, np.zeros((1, 400, 1)))

    monkeypatch.setattr(promises_choice, "views_of", views_of)
    monkeypatch.setattr(promises_choice, "usual_to", lambda folder, card, features: usual)
    tested = {"beams_arcsec": [5.4, 6.48, 8.1], "finer_arcsec": [4.5], "rows": []}
    return load(untrained("lenet"), "cpu").card.with_changes(threshold=0.6, by_beams=tested)


def test_each_beam_has_its_own(asked, tmp_path):
    validation = open_data("simulated").of_split("validation")
    card = with_thresholds(TeamFolder(tmp_path), asked, None, validation)
    assert card.thresholds.keys() == {4.5, 6.48, 8.1}
    assert card.thresholds[4.5] == pytest.approx(0.6, abs=0.05)
    assert 0.7 < card.thresholds[6.48] < card.thresholds[8.1] < 0.9
    rows = with_expected(TeamFolder(tmp_path), card, None, validation).expected["rows"]
    answered = {row["beam_arcsec"]: row["accuracy"] for row in rows if row["answered"] and row["low"] is None}
    assert answered.keys() == {*BEAMS}
    assert all(right >= 0.95 for right in answered.values())


def test_none_is_lower_than_that_of_the_images_own_beam(asked, tmp_path):
    card = with_thresholds(TeamFolder(tmp_path), asked.with_changes(threshold=0.95), None, open_data("simulated").of_split("validation"))
    assert set(card.thresholds.values()) == {0.95}


def test_above_the_least_it_is_still_right_in_95_of_100():
    """Right above 0.6, wrong at 0.8 once more: above 0.75 too few are right, until 0.85."""
    p = np.array([0.62] * 60 + [0.78] * 10 + [0.8] * 5 + [0.9] * 20)
    labels = np.array([1] * 70 + [0] * 4 + [1] * 21)
    assert abstention(labels, p) == pytest.approx(0.62)
    assert abstention(labels, p, 0.75) == pytest.approx(0.9)
    assert abstention(labels, p, 0.95) == 1.0
