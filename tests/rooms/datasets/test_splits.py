"""Splits: neighbours stay together, counts are exact, the frozen list is the one that would be drawn today."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equiradio.datasets import splits
from equiradio.datasets.mirabest import load, read_mirabest, sky_positions
from equiradio.datasets.splits import angular_separation_arcsec, draw_split, friends_of_friends, frozen_split, grouped_validation
from equiradio.errors import DataRefusal
from equiradio.labels import UNKNOWN

seeds = st.integers(0, 2**32 - 1)
declinations = st.sampled_from([-90.0, -45.0, 0.0, 60.0, 89.95])


@pytest.mark.parametrize(
    ("first", "second", "arcsec"),
    [
        ((0, 0), (0, 0), 0),
        ((10, 20), (10, 21), 3600),
        ((359.5, 0), (0.5, 0), 3600),  # across the origin of right ascension
        ((0, 60), (1, 60), 1799.98287),  # 2 asin(cos(dec) sin(0.5 deg))
        ((0, 0), (180, 0), 180 * 3600),
        ((0, 90), (123, 90), 0),
        ((0, 90), (0, -90), 180 * 3600),
        ((0, 0), (0, 1e-6), 3.6e-3),  # an arc cosine of the dot product gives 0 here
    ],
)
def test_separation_known_answers(first, second, arcsec):
    assert angular_separation_arcsec(*first, *second) == pytest.approx(arcsec, rel=2e-7, abs=1e-9)


@settings(deadline=None)
@given(seeds)
def test_separation_is_the_angle_between_directions(seed):
    ra, dec = a_sky(seed, 20, spread_deg=60, around=0)
    found = angular_separation_arcsec(ra[:, None], dec[:, None], ra, dec)
    towards = np.stack(
        [np.cos(np.radians(dec)) * np.cos(np.radians(ra)), np.cos(np.radians(dec)) * np.sin(np.radians(ra)), np.sin(np.radians(dec))]
    )
    chord = np.linalg.norm(towards[:, :, None] - towards[:, None, :], axis=0)
    np.testing.assert_allclose(found, np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1))) * 3600, rtol=1e-7, atol=1e-7)


@settings(deadline=None)  # the first example imports scipy
@given(seeds, declinations, st.floats(100, 2000))
def test_friends_of_friends_agrees_with_brute_force(seed, around, linking):
    ra, dec = a_sky(seed, 40, spread_deg=1, around=around)
    groups = friends_of_friends(ra, dec, linking)
    np.testing.assert_array_equal(
        groups[:, None] == groups, chains(angular_separation_arcsec(ra[:, None], dec[:, None], ra, dec) <= linking)
    )


def test_brute_force_catches_a_flat_sky(monkeypatch):
    def flat(ra, dec, linking):
        near = np.hypot(ra[:, None] - ra, dec[:, None] - dec) * 3600 <= linking
        return np.unique(chains(near), axis=0, return_inverse=True)[1].ravel()

    monkeypatch.setitem(globals(), "friends_of_friends", flat)
    with pytest.raises(AssertionError):
        test_friends_of_friends_agrees_with_brute_force.hypothesis.inner_test(seed=0, around=60.0, linking=600.0)


def test_friends_need_not_know_each_other():
    ra, dec = np.array([10.0, 10.0, 10.0, 11.0]), np.array([0.0, 0.1, 0.2, 0.0])
    assert friends_of_friends(ra, dec, 400).tolist() == [0, 0, 0, 1]
    assert friends_of_friends(np.array([]), np.array([])).tolist() == []


@settings(deadline=None)
@given(seeds, st.integers(20, 60))
def test_a_validation_split_keeps_its_three_promises(seed, validation):
    labels, confidence, groups = some_groups(seed)
    chosen = grouped_validation(labels, confidence, groups, validation, seed)
    assert chosen.sum() == validation
    assert not set(groups[chosen]) & set(groups[~chosen])
    for label in (0, 1):
        for sure in ("confident", "uncertain"):
            stratum = (labels == label) & (confidence == sure)
            assert abs(chosen[stratum].sum() - stratum.sum() * validation / len(labels)) < 1
    np.testing.assert_array_equal(chosen, grouped_validation(labels, confidence, groups, validation, seed))


@pytest.mark.parametrize(
    "mutant",
    [
        lambda labels, confidence, groups, *rest: splits.grouped_validation(labels, confidence, np.arange(len(labels)), *rest),
        lambda labels, *rest: splits.grouped_validation(0 * labels, *rest),
        lambda labels, confidence, groups, validation, seed: splits.grouped_validation(labels, confidence, groups, validation + 1, seed),
    ],
    ids=["groups are torn", "classes are not stratified", "count is off"],
)
def test_the_promises_catch(mutant, monkeypatch):
    monkeypatch.setitem(globals(), "grouped_validation", mutant)
    with pytest.raises(AssertionError):
        test_a_validation_split_keeps_its_three_promises.hypothesis.inner_test(seed=0, validation=40)


def test_another_seed_draws_another_split():
    labels, confidence, groups = some_groups(0)
    assert (grouped_validation(labels, confidence, groups, 40, 0) != grouped_validation(labels, confidence, groups, 40, 1)).any()


def test_groups_too_large_are_refused():
    with pytest.raises(DataRefusal, match=r"validation split: groups of neighbours let only 0 of 10 sources be chosen; expected 3\. "):
        grouped_validation(np.zeros(10, int), np.full(10, "confident"), np.zeros(10, int), validation=3)


def test_the_frozen_list_has_856_and_213():
    assert sorted(frozen_split().values()) == ["train"] * 856 + ["validation"] * 213


def test_the_frozen_list_tears_no_group():
    assert torn_groups(frozen_split()) == 0


def test_torn_groups_are_seen():
    frozen = frozen_split()
    ids = np.array(list(frozen))
    groups = friends_of_friends(*sky_positions(ids))
    pair = ids[groups == np.flatnonzero(np.bincount(groups) > 1)[0]]
    assert torn_groups(frozen | {pair[0]: "train", pair[1]: "validation"}) == 1


def test_drawing_again_gives_the_frozen_list(mirabest_folder):
    everything = read_mirabest(mirabest_folder, download=False)
    training = everything.choose((everything.split == "train") & (everything.labels != UNKNOWN))
    drawn = draw_split(training.source_ids, training.labels, training.confidence, *sky_positions(training.source_ids))
    assert list(drawn.items()) == list(frozen_split().items())


def test_the_frozen_list_is_stratified(mirabest_folder):
    sources = load("mirabest", mirabest_folder, download=False)
    training = sources.choose(sources.split != "test")
    for label in (0, 1):
        for sure in ("confident", "uncertain"):
            held = training.choose((training.labels == label) & (training.confidence == sure)).split == "validation"
            assert abs(held.sum() - len(held) * splits.VALIDATION / len(training)) < 1


def test_no_training_source_is_near_a_test_source(mirabest_folder):
    sources = load("mirabest", mirabest_folder, download=False)
    ra, dec = sky_positions(sources.source_ids)
    test = sources.split == "test"
    apart = angular_separation_arcsec(ra[~test, None], dec[~test, None], ra[test], dec[test])
    assert apart.shape == (1069, 153)
    assert apart.min() > 480


def torn_groups(split):
    ids, sides = np.array(list(split)), np.array(list(split.values()))
    groups = friends_of_friends(*sky_positions(ids))
    return len(set(groups[sides == "validation"]) & set(groups[sides == "train"]))


def a_sky(seed, count, spread_deg, around):
    """Positions about right ascension 0 and the given declination, in a patch about spread_deg across or a strip round the pole."""
    rng = np.random.default_rng(seed)
    dec = np.clip(around + rng.uniform(-spread_deg / 2, spread_deg / 2, count), -90, 90)
    width = min(180, spread_deg / 2 / max(np.cos(np.radians(around)), 1e-3))
    return rng.uniform(-width, width, count) % 360, dec


def chains(near):
    """Which pairs are joined by a chain of neighbours: the transitive closure, by squaring until nothing changes."""
    while (longer := near @ near).sum() > near.sum():
        near = longer
    return near


def some_groups(seed):
    """200 sources in 4 uneven strata, a quarter of them in groups of 2 or 3, the others alone."""
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.repeat(np.arange(10), 2), 10 + np.repeat(np.arange(10), 3), np.arange(20, 170)])
    labels = np.concatenate([rng.permutation(50) % 2, np.arange(150) % 2])
    return labels, np.where(rng.random(200) < 0.7, "confident", "uncertain"), groups
