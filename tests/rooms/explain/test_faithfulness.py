"""Deletion and insertion: the mask that matters does both, noise does neither; lifts are paired and signed."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from equiradio.evaluation.compare import mcnemar_exact
from equiradio.explain import faithfulness as room
from equiradio.explain.faithfulness import curves, deleted, inserted, paired_lift, ranking, signed_rank, similarity, sky_values

SIDE = 20
FRACTIONS = (0.05, 0.1, 0.5)


@pytest.fixture
def scene():
    """An image whose answer is the share of light left on 20 pixels (5 %), and the mask of these."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[4:8, 5:10] = True
    image = np.where(mask, 200, 0).astype(np.uint8)
    image[15, 2:12] = 90
    return image, mask, lambda images: images[:, mask].mean(1) / 200


def check_the_mask(scene):
    image, mask, probability = scene
    sky = np.zeros_like(image)
    deletion, insertion = curves(probability, image, mask.astype(float), sky, 0, FRACTIONS)
    assert np.all(deletion == 0)
    assert np.all(insertion == 1)


def test_the_mask_that_matters_deletes_and_inserts_the_answer(scene):
    check_the_mask(scene)


def test_the_mask_law_catches_the_least_marked_first(scene, monkeypatch):
    monkeypatch.setattr(room, "ranking", lambda plane, rng: ranking(-plane, rng))
    with pytest.raises(AssertionError):
        check_the_mask(scene)


def test_noise_deletes_and_inserts_in_proportion(scene):
    image, _, probability = scene
    rng = np.random.default_rng(0)
    pairs = [curves(probability, image, rng.random(image.shape), np.zeros_like(image), k, FRACTIONS) for k in range(60)]
    deletion, insertion = np.mean(pairs, 0)
    assert deletion == pytest.approx(1 - np.array(FRACTIONS), abs=0.04)
    assert insertion == pytest.approx(np.array(FRACTIONS), abs=0.04)


def test_a_flat_map_is_a_random_order():
    order = ranking(np.ones((SIDE, SIDE)), np.random.default_rng(0))
    assert sorted(order) == list(range(SIDE**2))
    assert abs(np.corrcoef(order, np.arange(SIDE**2))[0, 1]) < 0.15


def test_deleted_and_inserted_make_the_image_together(scene):
    image, *_ = scene
    sky, order = np.full_like(image, 7), np.random.default_rng(1).permutation(image.size)
    gone, put = deleted(image, order, 100, sky), inserted(image, order, 100, sky)
    assert (gone == 7).sum() >= 100
    assert np.array_equal(gone.astype(int) + put, image.astype(int) + 7)
    assert np.array_equal(deleted(image, order, 0, sky), image)


def test_the_sky_comes_from_outside_the_islands(scene):
    image, mask, _ = scene
    sky = sky_values(image, mask, np.random.default_rng(0))
    assert set(np.unique(sky)) <= {0, 90}
    assert (sky == 90).mean() == pytest.approx(10 / 380, abs=0.03)
    assert not sky_values(image, np.ones_like(mask), np.random.default_rng(0)).any()


def test_lifts_have_a_sign_and_an_interval():
    rng = np.random.default_rng(0)
    control = rng.random(40)
    better = paired_lift(control + 0.2 + 0.05 * rng.random(40), control)
    assert better["low"] > 0.15
    assert better["p_value"] < 1e-6
    assert paired_lift(control, control + 0.3)["high"] < -0.29
    same = paired_lift(control, control)
    assert (same["lift"], same["p_value"]) == (0, 1)
    assert paired_lift(np.full(3, np.nan), np.zeros(3))["lift"] is None


@pytest.mark.parametrize("sources", [1, 2, 5])
def test_too_few_sources_have_a_lift_and_neither_interval_nor_p_value(sources):
    assert paired_lift(np.full(sources, 0.7), np.full(sources, 0.2)) == {
        "lift": pytest.approx(0.5),
        "low": None,
        "high": None,
        "p_value": None,
    }


def test_the_interval_of_a_lift_holds_the_truth_for_a_dozen_sources():
    rng = np.random.default_rng(0)
    inside = [lift["low"] <= 0 <= lift["high"] for lift in (paired_lift(rng.normal(size=12), np.zeros(12)) for _ in range(400))]
    assert np.mean(inside) > 0.93


@pytest.mark.parametrize(("up", "down"), [(4, 0), (6, 0), (8, 1), (20, 8)])
def test_equal_differences_are_tested_as_by_mcnemar(up, down):
    difference = np.zeros(153)
    difference[:up], difference[up : up + down] = 1, -1
    exact = mcnemar_exact(difference > 0, difference < 0)["p"]
    assert signed_rank(difference) == pytest.approx(exact, abs=1e-9 if up + down <= 13 else 0.01)


def test_differences_without_ties_are_tested_as_scipy_does():
    difference = np.random.default_rng(0).normal(0.3, 1, 20)
    assert signed_rank(difference) == wilcoxon(difference).pvalue


def test_similarity_of_known_maps():
    plane, where = np.random.default_rng(0).random((SIDE, SIDE)), np.ones((SIDE, SIDE), bool)
    assert similarity(plane, plane**3, where) == pytest.approx(1)
    assert similarity(plane, -plane, where) == pytest.approx(-1)
    assert similarity(plane, np.ones_like(plane), where) == 0
    assert abs(similarity(plane, np.random.default_rng(1).random((SIDE, SIDE)), where)) < 0.15
