"""Folds: every training and validation source is held back once, neighbours together, whatever the order; others are refused."""

from dataclasses import replace

import numpy as np
import pytest

from equiradio.datasets.folds import Fold, fold_of, in_fold
from equiradio.datasets.registry import check_name, is_data, open_data, parts_of
from equiradio.datasets.sources import Sources
from equiradio.datasets.union import balanced
from equiradio.errors import DataRefusal
from equiradio.labels import labels_of

CLASSES = labels_of(("A", "B", "C"))


def a_sky(count=90, seed=0, **columns) -> Sources:
    """Sources of three classes, of which every sixth lies 60 arcsec from the one before; a third is of the test split."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, count), rng.uniform(-60, 60, count)
    ra[5::6], dec[5::6] = ra[4:-1:6], dec[4:-1:6] + 60 / 3600
    usual = {
        "name": "sky",
        "images": rng.integers(0, 256, (count, 8, 8), dtype=np.uint8),
        "labels": np.arange(count) // 2 % 3,
        "source_ids": np.array([f"s{number:03d}" for number in rng.permutation(count)]),
        "confidence": np.where(rng.random(count) < 0.7, "confident", "uncertain"),
        "split": np.array(["train", "validation", "test"])[np.arange(count) // 6 % 3],
        "size_arcsec": np.full(count, np.nan),
        "md5": "0" * 32,
        "classes": CLASSES,
        "ra_deg": ra,
        "dec_deg": dec,
    }
    return Sources(**usual | columns)


def held(sources: Sources, folds: int) -> list[set[str]]:
    """The validation sources of each fold."""
    parts = [in_fold(sources, Fold(number, folds)) for number in range(1, folds + 1)]
    return [set(part.source_ids[part.split == "validation"].tolist()) for part in parts]


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_every_source_is_held_back_in_one_fold_and_test_sources_in_none(folds):
    sky = a_sky()
    sets = held(sky, folds)
    assert sum(map(len, sets)) == len(set.union(*sets)) == 60
    assert set.union(*sets) == set(sky.source_ids[sky.split != "test"].tolist())
    for number in range(1, folds + 1):
        part = in_fold(sky, Fold(number, folds))
        assert part.name == f"sky@{number}of{folds}"
        assert (part.split == "test").tolist() == (sky.split == "test").tolist()
        assert (part.source_ids == sky.source_ids).all()


def test_neighbours_are_held_back_together():
    sky, folds = a_sky(), held(a_sky(), 5)
    pairs = [(sky.source_ids[row - 1], sky.source_ids[row]) for row in range(5, 90, 6) if sky.split[row] != "test"]
    assert len(pairs) == 10
    assert all(any({one, other} <= fold for fold in folds) for one, other in pairs)


def test_classes_are_alike_in_every_fold():
    sky = a_sky()
    label = dict(zip(sky.source_ids.tolist(), sky.labels.tolist(), strict=True))
    for fold in held(sky, 5):
        counts = np.bincount([label[name] for name in fold], minlength=3)
        assert counts.min() >= 3, counts
        assert counts.max() <= 5, counts


def test_the_order_of_sources_moves_none():
    sky = a_sky()
    assert held(sky.choose(np.random.default_rng(1).permutation(len(sky))), 5) == held(sky, 5)


def test_sources_without_positions_are_dealt_one_by_one():
    bare = a_sky(ra_deg=None, dec_deg=None)
    assert sorted(map(len, held(bare, 5))) == [12] * 5
    some = a_sky()
    some.ra_deg[::2] = np.nan
    assert sum(map(len, held(some, 5))) == 60


def test_images_that_are_nearly_the_same_are_held_back_together_where_they_have_no_position():
    rng = np.random.default_rng(0)
    images = np.where(rng.random((90, 48, 48)) < 0.05, rng.integers(20, 120, (90, 48, 48)), 0).astype(np.uint8)
    images[:, 21:27, 21:27] = 255
    images[5::6] = images[4:-1:6]
    images[5::6, 0, 0] ^= 60  # not the same pixels
    sky = a_sky(images=images, ra_deg=None, dec_deg=None)
    folds = held(sky, 5)
    pairs = [(sky.source_ids[row - 1], sky.source_ids[row]) for row in range(5, 90, 6) if sky.split[row] != "test"]
    assert len(pairs) == 10
    assert all(any({one, other} <= fold for fold in folds) for one, other in pairs)


def test_weights_are_those_of_the_sources_that_train_now():
    sky = a_sky(catalogue=np.array(["one", "other"])[np.arange(90) % 5 // 3])
    sky = replace(sky, weights=balanced(sky.labels, sky.catalogues, sky.split == "train"))
    part = in_fold(sky, Fold(2, 5))
    assert part.weights == pytest.approx(balanced(sky.labels, sky.catalogues, part.split == "train"))
    assert part.weights[part.split == "train"].mean() == pytest.approx(1)
    assert (part.weights[part.split != "train"] == 1).all()


def test_a_class_of_fewer_groups_than_folds_is_refused():
    with pytest.raises(DataRefusal) as refusal:
        in_fold(a_sky(labels=np.where(np.arange(90) < 3, 2, np.arange(90) % 2)), Fold(1, 5))
    assert str(refusal.value) == (
        "sky: too few sources, or groups of neighbours, to train and validate: C 3; expected 5 of each class for 5 folds. "
        "Choose fewer folds, or other classes."
    )


def test_a_name_is_a_fold_by_its_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fold_of("mirabest@2of5") == ("mirabest", Fold(2, 5))
    assert fold_of("mirabest+first-fr@1of3") == ("mirabest+first-fr", Fold(1, 3))
    assert fold_of("mirabest") == ("mirabest", None)
    assert fold_of("me@home") == ("me@home", None)
    (tmp_path / "mine@1of2").mkdir()
    assert fold_of("mine@1of2") == ("mine@1of2", None)  # a folder of that name
    assert parts_of("mirabest+first-fr@1of3") == ["mirabest", "first-fr"]
    assert is_data("simulated@1of5")
    assert not is_data("nothing@1of5")


@pytest.mark.parametrize("name", ["mirabest@0of5", "mirabest@6of5", "mirabest@1of1"])
def test_folds_that_there_are_not_are_refused(name):
    with pytest.raises(DataRefusal, match=r"names fold \d of \d; expected @1ofN to @NofN, N of 2 or more\. For example mirabest@1of5\."):
        check_name(name)


def test_folds_of_a_folder_and_of_chosen_classes_are_opened_by_name(sky):
    part = open_data(f"{sky}@1of3")
    assert part.name == "simulated@1of3"
    assert [int((part.split == name).sum()) for name in ("train", "validation", "test")] == [20, 10, 6]
    assert open_data(f"{sky}@1of3", classes=("FRII", "FRI")).classes.names == ("FRII", "FRI")


def test_folds_of_mirabest_are_as_large_and_as_sure_as_its_validation_split(mirabest_folder):
    for number in range(1, 6):
        part = open_data(f"mirabest@{number}of5", mirabest_folder)
        assert int((part.split == "validation").sum()) in (213, 214)
        assert int(((part.split == "validation") & (part.confidence == "confident")).sum()) in (145, 146)
        assert int((part.split == "test").sum()) == 153
