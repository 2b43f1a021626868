"""Labels in question: by networks that did not learn from a source, sure by the measure of each class."""

import numpy as np
import pytest

from equiradio.evaluation.questions import judged


def answers(*p_second):
    """One network of two classes."""
    p = np.array(p_second, float)
    return np.stack([1 - p, p], -1)[None]


def test_a_label_is_in_question_where_another_class_is_as_probable_as_it_usually_is():
    labels = np.array([0, 0, 0, 1, 1, 1])
    verdict = judged(labels, {"one": answers(0.1, 0.2, 0.85, 0.9, 0.8, 0.4)})
    # the mean probability of the second class among those labelled so is 0.7; of the first, 0.617
    assert verdict.other.tolist() == [-1, -1, 1, -1, -1, -1]  # the last: 0.6 for the first class is less than 0.617
    assert verdict.in_question.tolist() == [False, False, True, False, False, False]
    assert verdict.against.tolist() == [0, 0, 1, 0, 0, 1]
    assert verdict.networks.tolist() == [1] * 6


@pytest.mark.parametrize("usual", np.linspace(0.6, 0.99, 40).tolist())
def test_a_mean_of_equal_probabilities_is_none_above_them(usual):
    verdict = judged(np.array([0, 0, 0, 1, 1, 1]), {"one": answers(usual, 0.05, 0.05, usual, usual, usual)})
    assert verdict.other.tolist() == [1, -1, -1, -1, -1, -1]


def test_a_network_that_is_sure_of_little_need_not_be_sure():
    labels = np.array([0, 0, 0, 1, 1, 1])
    timid = judged(labels, {"one": answers(0.45, 0.46, 0.56, 0.55, 0.54, 0.53)})
    assert timid.other.tolist() == [-1, -1, 1, -1, -1, -1]


def test_models_weigh_alike_whatever_the_number_of_their_networks():
    labels = np.array([0, 1])
    many = np.concatenate([answers(0.9, 0.9)] * 3)
    verdict = judged(labels, {"one": answers(0.1, 0.9), "other": many})
    assert verdict.p[0].tolist() == pytest.approx([0.5, 0.5])
    assert verdict.against.tolist() == [0.5, 0]
    assert verdict.networks.tolist() == [4, 4]


def test_networks_say_nothing_of_what_they_learned_from():
    labels = np.array([0, 0, 1, 1])
    first, second = answers(0.2, np.nan, 0.9, np.nan), answers(np.nan, 0.95, np.nan, 0.7)
    verdict = judged(labels, {"one": np.concatenate([first, second])})
    assert verdict.networks.tolist() == [1, 1, 1, 1]
    assert verdict.p[:, 1].tolist() == [0.2, 0.95, 0.9, 0.7]
    assert verdict.in_question.tolist() == [False, True, False, False]


def test_sources_of_no_network_and_of_no_class_are_not_in_question():
    labels = np.array([0, 1, 0, -1])
    verdict = judged(labels, {"one": answers(0.1, 0.8, np.nan, 0.99)})
    assert verdict.networks.tolist() == [1, 1, 0, 1]
    assert not verdict.in_question.any()
    assert np.isnan(verdict.p[2]).all()
    assert np.isnan(verdict.against).tolist() == [False, False, True, True]


def test_of_many_classes_the_most_probable_that_they_are_sure_of_counts():
    p = np.array([[0.8, 0.1, 0.1], [0.1, 0.5, 0.4], [0.1, 0.3, 0.6], [0.2, 0.45, 0.35], [0.05, 0.9, 0.05], [0.1, 0.2, 0.7]])
    verdict = judged(np.array([0, 1, 2, 0, 2, 2]), {"one": p[None]})
    # usual are 0.5, 0.5 and 0.45: they are sure of no class of the fourth source, and of the second class of the fifth
    assert verdict.other.tolist() == [-1, -1, -1, -1, 1, -1]
    assert verdict.against.tolist() == [0, 0, 0, 1, 1, 0]
