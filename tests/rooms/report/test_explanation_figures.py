"""Figures of an explanation draw the arrays they are given, and its words say who won."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from equiradio.report.explanation_figures import gallery, layers_figure, mean_band, randomisation_figure, residue_figure, symmetry_figure
from equiradio.report.explanation_measures import faithfulness_figure, lifts_figure, uncertainty_figure
from equiradio.report.explanation_text import KINDS, lift_rows, number, p_text
from equiradio.report.figures import COLOURS

RNG = np.random.default_rng(0)


def line(axes, label):
    return next(one for one in axes.lines if one.get_label() == label)


def test_a_band_is_the_interval_of_students_t():
    values = RNG.random((3, 6))
    exact = ttest_1samp(values, 0, axis=1).confidence_interval(0.95)
    np.testing.assert_allclose(mean_band(values), [exact.low, exact.high])


def test_of_one_source_no_band_is_drawn():
    one = RNG.random((3, 1, 4))
    left, right = symmetry_figure(np.array([0, 45, 90]), one, one, one[..., 0]).axes
    assert not left.collections
    assert not right.collections


def test_symmetry_draws_means_of_gates_and_of_the_combined_map():
    angles, errors, floor, shifts = np.array([0, 45, 90]), RNG.random((3, 5, 4)), RNG.random((3, 5, 4)), RNG.random((3, 5))
    left, right = symmetry_figure(angles, errors, floor, shifts, ("other", angles[1:], errors[1:], shifts[1:])).axes
    np.testing.assert_allclose(line(left, "combined map").get_ydata(), errors[..., -1].mean(1))
    np.testing.assert_allclose(line(left, "gate 2").get_ydata(), errors[..., 1].mean(1))
    np.testing.assert_allclose(line(left, "interpolation alone (there and back)").get_ydata(), floor[..., -1].mean(1))
    assert line(right, "other").get_xdata().tolist() == [45, 90]
    assert "degrees" in left.get_xlabel()


def test_layers_draw_medians_and_tell_gates_apart():
    errors = RNG.random((3, 5))
    axes = layers_figure(["block 1, layer 1", "block 1, layer 2", "gate 1"], errors).axes[0]
    np.testing.assert_allclose(line(axes, "features (pooled over the group), median").get_ydata(), np.median(errors[:2], 1))
    np.testing.assert_allclose(line(axes, "attention, median").get_ydata(), np.median(errors[2:], 1))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1.1", "1.2", "gate 1"]


def test_the_residue_marks_multiples_of_the_order():
    power, centred = RNG.random((6, 32)), RNG.random((3, 32))
    left, right = residue_figure(power, centred, (3, 10, 30), 8).axes
    np.testing.assert_allclose(line(left, "this network").get_ydata(), power.mean(0))
    np.testing.assert_allclose(right.lines[0].get_ydata(), centred.mean(0))
    assert [one.get_xdata()[0] for one in left.lines[1:]] == [8, 16, 24, 32]


def test_randomisation_starts_at_one():
    values = RNG.random((2, 4))
    axes = randomisation_figure(["gates", "blocks.3"], values).axes[0]
    np.testing.assert_allclose(line(axes, "mean").get_ydata(), [1, *values.mean(1)])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["trained", "gates", "+ block 4"]


def test_the_gallery_shows_best_and_worst():
    images, maps, agreement = RNG.random((5, 8, 8)), {"a": RNG.random((5, 8, 8))}, np.array([0.1, 0.9, 0.5, -0.2, 0.3])
    figure = gallery(images, maps, agreement, list("vwxyz"))
    best, worst = figure.subfigs
    assert [axes.get_ylabel() for axes in best.axes[::2]] == ["w\n0.90", "x\n0.50"]
    assert [axes.get_ylabel() for axes in worst.axes[::2]] == ["y\n-0.20", "v\n0.10"]
    np.testing.assert_allclose(best.axes[1].images[0].get_array(), maps["a"][1])


def test_curves_are_drawn_for_every_kind():
    deletion, insertion = RNG.random((len(KINDS), 3, 2)), RNG.random((len(KINDS), 3, 2))
    left, right = faithfulness_figure((0.01, 0.02), deletion, insertion).axes
    np.testing.assert_allclose(line(left, "attention").get_ydata(), deletion[0].mean(0))
    np.testing.assert_allclose(line(right, "Grad-CAM").get_ydata(), insertion[list(KINDS).index("grad_cam")].mean(0))


@pytest.fixture
def faithful():
    lift = lambda middle: {"lift": middle, "low": middle - 0.1, "high": middle + 0.1, "p_value": 0.01}
    controls = {"image": lift(-0.5), "gaussian": lift(0.4), "untrained": lift(0.0), "grad_cam": dict.fromkeys(lift(0))}
    means = dict.fromkeys(KINDS, 0.5)
    return {"lifts": {"energy": controls}, "departure_lifts": {"energy": controls}, "means": {"energy": means}}


def test_the_table_says_who_is_better(faithful):
    rows = lift_rows(faithful)
    assert [row[-1] for row in rows] == ["the image itself", "attention", "-", "the image itself", "departure of attention", "-"]
    assert rows[0][5] == "-0.500 [-0.600, -0.400]"


def test_lifts_are_coloured_by_who_is_better(faithful):
    axes = lifts_figure(faithful["lifts"], faithful["departure_lifts"]).axes[0]
    spans = [one.get_color() for one in axes.lines if len(one.get_xdata()) == 2 and one.get_ydata()[0] < 2.5][:3]
    assert spans[:2] == [COLOURS[1], COLOURS[0]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["the image itself", "centred Gaussian", "untrained network", "Grad-CAM"]


@pytest.mark.parametrize(("classes", "least", "bits"), [(2, 0.5, 1), (4, 0.25, 2)])
def test_uncertainty_has_room_for_all_classes(classes, least, bits):
    curve = np.array([0.5, 1.0])
    method = {"sources": np.array([3, 0, 5]), "probability": np.array([0.6, np.nan, 0.9]), "accuracy": np.array([0.7, np.nan, 0.8])}
    method |= {"coverage": curve, "selective": curve, "entropy": np.array([0.1, 0.9 * bits, 0.4])}
    coverage = {"coverage": 0.9, "interval95": [0.8, 0.95], "mean_size": 1.25}
    figure = uncertainty_figure(np.array([False, True, False]), {"one": method}, {"one": {"level": 0.9, "all": coverage}}, classes)
    reliability, selective, doubt, sets = figure.axes
    assert line(reliability, "one").get_xdata().tolist() == [0.6, 0.9]
    assert reliability.lines[0].get_xdata().tolist() == [least, 1]
    assert line(selective, "one").get_ydata().tolist() == [0.5, 1]
    assert doubt.get_ylim()[1] == pytest.approx(1.02 * bits)
    assert [text.get_text() for text in doubt.get_xticklabels()] == ["one\nConfident", "one\nUncertain"]
    assert [text.get_text() for text in sets.get_xticklabels()] == ["one\nall\nsize 1.25"]


def test_numbers_and_p_values_as_text():
    assert (number(None), number(0.12345)) == ("-", "0.123")
    assert (p_text(None), p_text(0.00001), p_text(0.0312)) == ("-", "< 0.0001", "0.0312")


def test_a_lift_of_too_few_sources_is_written_without_an_interval():
    few = {"lift": 0.25, "low": None, "high": None, "p_value": None}
    means = dict.fromkeys(KINDS, 0.5)
    (row,) = lift_rows({"lifts": {"energy": {"image": few}}, "departure_lifts": {}, "means": {"energy": means}})
    assert row[-3:] == ["+0.250", "-", "-"]
