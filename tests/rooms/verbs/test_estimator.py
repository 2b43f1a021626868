"""The scikit-learn estimator: scikit-learn's own checks, what it learns, which images it takes, and what it leaves on disk."""

import contextlib
import math
import pickle
import unittest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from equiradio.errors import SettingRefusal
from equiradio.inference.team import load
from equiradio.labels import FANAROFF_RILEY
from equiradio.verbs.estimator import RadioGalaxyClassifier

SLOW = {"check_classifiers_train": "passes, but fits for seconds; what is learned is tested below"}
QUICK = {"preset": "quick", "batch_size": 16, "precision": "float32"}


class OfTables(RadioGalaxyClassifier):
    """Takes tables of any number of columns, as scikit-learn's checks draw them: laid out in a square, filled up with zeros."""

    def _images(self, flat):
        side = math.ceil(math.sqrt(flat.shape[1]))
        return super()._images(np.pad(flat, ((0, 0), (0, side**2 - flat.shape[1]))))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # an epoch of a LeNet on 16 pixels
        return tags


def test_it_keeps_scikit_learns_rules():
    passed = 0
    for estimator, check in estimator_checks_generator(
        OfTables("lenet", epochs=1, settings=QUICK, device="cpu"), expected_failed_checks=SLOW, mark="skip"
    ):
        with contextlib.suppress(unittest.SkipTest):
            check(estimator)
            passed += 1
    assert passed >= 50


def shapes(count, side=32, seed=0):
    """Bars and dots, which stand anywhere and lie in any direction."""
    rng, images, labels = np.random.default_rng(seed), np.zeros((count, side, side)), np.array(["dot", "bar"] * (count // 2))
    for image, word in zip(images, labels, strict=True):
        row, column = rng.integers(8, side - 12, 2)
        long = 12 if word == "bar" else 3
        image[row : row + 3, column - long // 2 : column + long - long // 2] = rng.uniform(1, 5)
        image[:] = np.rot90(image, rng.integers(4)) - 2
    return images, labels


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """An estimator that learned bars and dots, and left a run."""
    out = tmp_path_factory.mktemp("estimator") / "run"
    settings = QUICK | {"batch_size": 8, "learning_rate": 3e-3}
    return RadioGalaxyClassifier("c4-lenet", epochs=8, random_state=3, device="cpu", settings=settings, out=out).fit(*shapes(64))


def test_it_learns(fitted):
    images, labels = shapes(40, seed=1)
    assert fitted.classes_.tolist() == ["bar", "dot"]
    assert fitted.score(images, labels) >= 0.9
    p = fitted.predict_proba(images)
    assert np.allclose(p.sum(1), 1)
    assert np.array_equal(fitted.classes_[p.argmax(1)], fitted.predict(images))
    assert len(fitted.history_) == 8


def test_images_may_be_flat_and_their_scale_does_not_count(fitted):
    images = shapes(6, seed=2)[0]
    p = fitted.predict_proba(images)
    assert np.array_equal(p, fitted.predict_proba(images.reshape(6, -1)))
    assert np.allclose(p, fitted.predict_proba(1e-5 * images - 3))
    assert fitted.n_features_in_ == 32 * 32
    lit = ((images - images.min()) / np.ptp(images, (1, 2), keepdims=True) * 255).astype(np.uint8)
    assert np.allclose(p, fitted.predict_proba(lit), atol=1e-6)


def test_its_run_is_one_for_the_other_verbs(fitted):
    images = shapes(4, seed=4)[0]
    lit = (255 * (images > -2)).astype(np.uint8)
    team = load(fitted.out, "cpu")
    assert team.labels.names == ("bar", "dot")
    assert team.recipe.side == fitted.side_ == 32
    logits = team.look(lit)[0].logits.double().numpy() / fitted.temperature_
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose(p, fitted.predict_proba(lit), atol=1e-6)
    assert fitted.team_.attention(lit).shape == (4, 32, 32)


def test_a_copy_answers_the_same_and_a_clone_has_learned_nothing(fitted):
    images = shapes(4, seed=5)[0]
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(images), fitted.predict_proba(images))
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "classes_")


def test_words_are_names_of_classes_and_numbers_are_not():
    from equiradio.verbs.estimator import _names

    assert _names(np.array(["FRI", "FRII"])) == FANAROFF_RILEY
    assert _names(np.array([-1, 1])).names == ("class 0", "class 1")
    assert _names(np.array(["a", "A"])).names == ("class 0", "class 1"), "they would share a column"


def test_a_share_of_each_class_is_put_aside():
    from equiradio.verbs.estimator import _split

    labels = np.repeat([0, 1, 2], [20, 5, 1])
    split = _split(labels, 0.2, 0)
    assert [(split[labels == label] == "validation").sum() for label in range(3)] == [4, 1, 0]
    assert not np.array_equal(split, _split(labels, 0.2, 1))


@pytest.mark.parametrize(
    ("images", "changes", "line"),
    [
        (np.zeros((6, 20)), {}, "X has 20 pixels a row, which is no square"),
        (np.zeros((6, 1100, 1100), np.uint8), {}, "X has images of 1100 x 1100 pixels; expected at most 1024"),
        (np.ma.array(np.zeros((6, 32, 32)), mask=np.eye(32, dtype=bool)[None].repeat(6, 0)), {}, "Input X contains NaN"),
        (np.zeros((6, 32, 32)), {"stretch": "log"}, "stretch is 'log'; expected one of mirabest, asinh, linear"),
        (np.zeros((6, 32, 32)), {"validation_share": 1.5}, "validation_share is 1.5; expected more than 0"),
    ],
)
def test_images_of_no_use_are_refused(images, changes, line):
    with pytest.raises(ValueError, match=line):
        RadioGalaxyClassifier("lenet", **changes).fit(images, [0, 1] * 3)


def test_masked_labels_are_refused():
    labels = np.ma.array([0, 1, 0, 1], mask=[False, False, False, True])
    with pytest.raises(ValueError, match="y has 1 of 4 labels masked; expected a label of every image"):
        RadioGalaxyClassifier().fit(np.ones((4, 32, 32)), labels)


def test_a_start_of_another_side_is_refused_and_one_of_its_side_begun_with(trained):
    images, labels = shapes(12, side=150)
    begun = RadioGalaxyClassifier(start=trained("lenet"), freeze="blocks", epochs=1, settings=QUICK, device="cpu")
    with pytest.raises(SettingRefusal, match=r"lenet seed 0 .* has weights for images of 150 x 150 pixels, and these have 32 x 32"):
        begun.fit(*shapes(12))
    begun.fit(images, labels)
    member, before = begun.team_.members[0], load(trained("lenet"), "cpu").members[0]
    assert member.card.model == "lenet"
    now, then = member.network.state_dict(), before.network.state_dict()
    same = {name for name in now if np.array_equal(now[name], then[name])}
    body = {name for name in now if name.split(".")[0] in member.network.body}
    assert body
    assert same == body
