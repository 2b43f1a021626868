"""Overlap of maps with their sources, and the size-only baseline: known answers."""

from dataclasses import replace

import numpy as np
import pytest

from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal
from equiradio.evaluation import bootstrap
from equiradio.evaluation.baseline import size_only
from equiradio.evaluation.overlap import centred_gaussian, overlap, with_interval


def an_image(places, side=6):
    image = np.zeros((1, side, side))
    for row, column in places:
        image[0, row, column] = 9
    return image


def law_of_overlap():
    image = an_image([(0, 0), (0, 1), (3, 3), (5, 5)])
    assert overlap(image, image) == [1.0]
    assert overlap(-image, image) == [0.0]
    half = an_image([(0, 0), (3, 3), (4, 0), (4, 1)])
    assert overlap(half, image) == [0.5]
    assert overlap(np.exp(half / 3) - 7, image) == [0.5]  # scale and offset do not matter
    assert overlap(np.ones((1, 6, 6)), image) == pytest.approx([4 / 36])  # a flat map shares its ties out
    assert np.isnan(overlap(image, 0 * image)).all()


def test_overlaps_of_known_maps():
    law_of_overlap()


def test_the_law_of_overlap_catches_a_fixed_threshold(monkeypatch):
    monkeypatch.setitem(globals(), "overlap", lambda maps, images: ((maps > 0.5) & (images > 0)).sum((1, 2)) / (images > 0).sum((1, 2)))
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError):
        law_of_overlap()


def test_the_hill_is_round_and_in_the_middle():
    hill = centred_gaussian(6)
    assert np.array_equal(hill, np.rot90(hill))
    assert overlap(hill[None], an_image([(2, 2), (2, 3), (3, 2), (3, 3)])) == [1.0]


def test_the_mean_and_its_interval_leave_out_what_has_no_value():
    values = np.array([0.0, 1.0] * 50 + [np.nan])
    found = with_interval(values, bootstrap.draw(101, 4000, 0))
    assert found["mean"] == 0.5
    assert found["interval95"] == pytest.approx([0.4, 0.6], abs=0.02)


def sources_of(sizes, labels):
    count = len(sizes)
    names = np.array([f"s{k}" for k in range(count)])
    return Sources("s", np.zeros((count, 2, 2), np.uint8), np.array(labels), names, names, names, np.array(sizes, float), "")


def law_of_the_size_cut():
    training = sources_of([10, 20, 30, 40, 50, 60], [1, 1, 1, 0, 0, 1])  # best: larger than 35 is FRI, 5 of 6
    found = size_only(training, sources_of([5, 34, 36, 70], [1, 0, 0, 0]))
    assert (found["cut_arcsec"], found["larger_is"]) == (35.0, "FRI")
    assert (found["training_accuracy"], found["accuracy"]) == (5 / 6, 0.75)


def test_the_size_cut_is_chosen_on_training_sources():
    law_of_the_size_cut()


def test_the_law_of_the_size_cut_catches_one_direction(monkeypatch):
    monkeypatch.setattr("equiradio.evaluation.baseline.np.maximum", lambda one, other: one)
    with pytest.raises(AssertionError):
        law_of_the_size_cut()


def test_hybrids_are_neither_class_for_the_size_cut():
    """With them among the training sources as FRI the cut would lie at 15 arcsec, and one among the test sources would be right."""
    training = sources_of([10, 20, 30, 40, 50, 60, *[25] * 9], [1, 1, 1, 0, 0, 1, *[-1] * 9])
    found = size_only(training, sources_of([5, 34, 36, 70, 99], [1, 0, 0, 0, -1]))
    assert (found["cut_arcsec"], found["larger_is"], found["training_sources"], found["sources"]) == (35.0, "FRI", 6, 4)
    assert (found["training_accuracy"], found["accuracy"]) == (5 / 6, 0.75)


def test_sources_without_a_size_are_refused():
    known = sources_of([1, 2], [0, 1])
    with pytest.raises(DataRefusal, match="sources without an angular size"):
        size_only(replace(known, size_arcsec=np.array([1, np.nan])), known)


def test_the_size_only_baseline_of_mirabest(mirabest_folder):
    from equiradio.datasets.registry import open_data

    sources = open_data("mirabest", mirabest_folder)
    found = size_only(sources.of_split("train"), sources.of_split("test"))
    assert found["accuracy"] == pytest.approx(102 / 153)


def test_of_no_source_there_is_neither_mean_nor_interval():
    nothing = with_interval(np.full(3, np.nan), bootstrap.draw(3, 10, 0))
    assert np.isnan(nothing["mean"])
    assert nothing["interval95"] is None
