"""Probabilities re-weighed to another mix of classes are those that Bayes' rule gives; what is no mix is refused in a line."""

import numpy as np
import pytest

from equiradio.errors import SettingRefusal
from equiradio.evaluation.choosing import probabilities
from equiradio.evaluation.prior import parse_prior, prior_in_words, prior_weights, reweighed, whole_prior
from equiradio.labels import FANAROFF_RILEY as FR
from equiradio.labels import Labels

THREE = Labels(("A", "B", "C"))


def test_bayes_rule_of_two_gaussians():
    """Where both classes are Gaussians the posterior of any mix is exact, and re-weighing goes from one to the other."""
    x = np.linspace(-3, 3, 50)
    likelihood = np.stack([np.exp(-0.5 * (x + 1) ** 2), np.exp(-0.5 * (x - 1) ** 2)], 1)
    posterior = lambda mix: likelihood * mix / (likelihood * mix).sum(1, keepdims=True)
    weights = prior_weights((0.7, 0.3), {"FRI": 397, "FRII": 459}, FR)
    learned = posterior(np.array([397, 459]) / 856)
    np.testing.assert_allclose(reweighed(learned, weights), posterior(np.array([0.7, 0.3])), rtol=1e-12)
    np.testing.assert_allclose(reweighed(np.stack([learned, learned]), weights)[1], reweighed(learned, weights))


@pytest.mark.parametrize("prior", [(397 / 856, 459 / 856), (397 / 856 + 1e-12, 459 / 856 - 1e-12)])
def test_the_mix_learned_from_changes_no_bit(prior):
    p = probabilities(np.random.default_rng(0).normal(size=(100, 2)), 1.19)
    weights = prior_weights(prior, {"FRI": 397, "FRII": 459}, FR)
    assert weights is None
    assert reweighed(p, weights) is p


def test_certainty_stays_certain():
    assert reweighed(np.array([[1.0, 0.0], [0.0, 1.0]]), (0.01, 5.0)).tolist() == [[1, 0], [0, 1]]


def test_a_class_that_is_left_out_has_the_rest():
    assert whole_prior({"FRI": 0.75}, FR) == (0.75, 0.25)
    assert whole_prior({"FRII": 0.25, "FRI": 0.75}, FR) == (0.75, 0.25)
    assert whole_prior({"C": 0.5, "A": 0.25}, THREE) == (0.25, 0.25, 0.5)
    assert prior_in_words((0.75, 0.25), FR) == "FRI=0.75,FRII=0.25"
    assert parse_prior(" FRI = 0.7, FRII=0.3", FR) == {"FRI": 0.7, "FRII": 0.3}


BAD = {
    "": "''; expected CLASS=SHARE",
    "FRI": "'FRI'; expected CLASS=SHARE",
    "FRI=much,FRII=0.3": "'FRI=much'; expected CLASS=SHARE",
    "FRI=nan": "'FRI=nan'; expected CLASS=SHARE",
    "FRI=inf": "FRI=inf; expected a share above 0 and below 1",
    "FRI=0,FRII=1": "FRI=0; expected a share above 0 and below 1",
    "FRI=-0.2,FRII=1.2": "FRI=-0.2; expected a share above 0 and below 1",
    "FRI=70,FRII=30": "FRI=70; expected a share above 0 and below 1",
    "FRI=0.7,FRII=0.4": "shares of 1.1 together; expected 1",
    "FR1=0.7,FRII=0.3": "'FR1'; expected one of FRI, FRII",
    "FRI=0.7,FRI=0.3": "FRI twice; expected each class once",
    "FRI=0.7,,FRII=0.3": "''; expected CLASS=SHARE",
    "0.7,0.3": "'0.7'; expected CLASS=SHARE",
}


@pytest.mark.parametrize(("text", "words"), BAD.items())
def test_what_is_no_mix_is_refused_in_a_line(text, words):
    with pytest.raises(SettingRefusal) as caught:
        whole_prior(parse_prior(text, FR), FR)
    assert str(caught.value).startswith(f"--prior: {words}")
    assert str(caught.value).endswith("For example --prior FRI=0.7,FRII=0.3.")
    assert "\n" not in str(caught.value)


def test_of_three_classes_one_alone_may_be_left_out():
    with pytest.raises(SettingRefusal, match="nothing of B, C; expected a share of every class but one"):
        whole_prior({"A": 0.5}, THREE)
    with pytest.raises(SettingRefusal, match=r"shares of 1\.2 together, and nothing left for C; expected less than 1"):
        whole_prior({"A": 0.6, "B": 0.6}, THREE)
