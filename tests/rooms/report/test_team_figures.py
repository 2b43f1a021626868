"""Figures of a team's answers: the numbers in their cells and the places of their dots."""

import numpy as np
import pytest

from equiradio.labels import Labels
from equiradio.report.team_figures import Judged, confusion_figure, coverage_figure, examples_figure, reliability_figure

CLASSES = Labels(("Ring", "Bar", "Cross"))


@pytest.fixture
def judged():
    """Five sources: two rings, one of them called a bar; two bars, one abstained from; a cross called a ring."""
    p = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.05, 0.85, 0.1], [0.3, 0.4, 0.3], [0.7, 0.2, 0.1]])
    images = np.zeros((5, 16, 16), np.uint8)
    images[:, 4:12, 4:12] = 255
    answered = np.array([True, True, True, False, True])
    return Judged("test", np.array([0, 0, 1, 1, 2]), p, answered, images, np.array([f"source-{k}" for k in range(5)]))


def test_rows_of_the_matrix_are_labels_and_its_columns_answers(judged):
    assert judged.confusion().tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    axes = confusion_figure([judged], CLASSES).axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "1", "0", "0", "2", "0", "1", "0", "0"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Ring", "Bar", "Cross"]
    assert np.allclose(axes.images[0].get_array(), [[0.5, 0.5, 0], [0, 1, 0], [1, 0, 0]])


def test_dots_lie_at_the_mean_probability_and_the_share_that_is_right(judged):
    dots = reliability_figure([judged]).axes[0].collections[-1].get_offsets()
    assert np.allclose(dots, [[0.4, 1], [0.7, 0], [0.875, 1]])


def test_the_ring_lies_where_the_team_stops_answering(judged):
    axes = coverage_figure([judged], 0.6).axes[0]
    curve, ring = axes.lines
    assert np.allclose(ring.get_xydata(), [[0.8, 0.5]])
    assert np.allclose(curve.get_xydata()[[0, -1]], [[0.2, 1], [1, 0.6]])


def test_wrong_answers_have_another_colour_and_empty_places_nothing(judged):
    panels = examples_figure(judged, np.array([1, 2]), CLASSES, columns=3).axes
    assert [panel.get_title() for panel in panels] == ["source-1\nRing, says\nBar 0.70", "source-2\nBar, says\nBar 0.85", ""]
    assert panels[0].title.get_color() != panels[1].title.get_color() == "black"
    assert [len(panel.images) for panel in panels] == [1, 1, 0]
