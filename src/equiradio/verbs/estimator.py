"""A classifier as scikit-learn has them: images and labels in memory, settings by name, nothing left on disk unless it is asked for."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from equiradio.datasets.folder import checksum, write_folder
from equiradio.datasets.imports.choices import SIDES
from equiradio.datasets.sources import Sources
from equiradio.errors import ImageRefusal, Refusal
from equiradio.labels import Labels, labels_of
from equiradio.sky.own import cutout_of
from equiradio.sky.pictures import nan_where_masked
from equiradio.sky.recipe import STRETCHES, Recipe

if TYPE_CHECKING:
    from equiradio.inference.team import Team

BATCH = 64  # images that are answered at once
FILES = ("settings.toml", "card.json", "weights.safetensors")  # of a run: all that answers depend on


class RadioGalaxyClassifier(ClassifierMixin, BaseEstimator):
    """Train or fine-tune a network on images in memory, with scikit-learn's methods.

    ``X`` is (count, side, side), or (count, side * side), the same row by row. uint8 images from 0, which is empty sky, to 255 are taken as
    they are; others are brought there, each by ``stretch``. Sides below 16 are filled up with empty sky, an odd one loses its last row and
    column. An image without anything in it is an empty sky. ``y`` are any labels.

    Parameters
    ----------
    model : the network that is trained, see ``equiradio models``; without meaning where there is a ``start``.
    start : a team by name, or the folder of a team or run, to begin with its weights; see `equiradio.fine_tune`. A LeNet's images must have
        its side.
    freeze : none, or blocks to train gates and heads alone.
    epochs : of training; by default the preset's.
    stretch : linear, from the faintest to the brightest pixel; or mirabest or asinh, which set to zero what is below 3 sigma first.
    validation_share : of each class, put aside to choose the epoch whose weights are kept, and the temperature of probabilities.
    random_state : of weights, order and augmentation, and of what is put aside.
    device : auto, cpu or cuda.
    settings : other settings of a training by name, such as ``{"batch_size": 16, "preset": "quick"}``.
    out : a folder for the run, new, which every verb can work with; None leaves nothing behind.

    Attributes
    ----------
    classes_ : the labels, sorted; columns of `predict_proba` in this order.
    n_features_in_ : pixels of an image.
    side_ : of the images as networks see them.
    temperature_ : logits are divided by it, so that probabilities hold on what was put aside.
    history_ : rows of the training's history.
    """

    def __init__(
        self,
        model: str = "c4-attention",
        *,
        start: str | Path | None = None,
        freeze: str = "none",
        epochs: int | None = None,
        stretch: str = "linear",
        validation_share: float = 0.2,
        random_state: Any = 0,
        device: str = "auto",
        settings: Mapping[str, Any] | None = None,
        out: str | Path | None = None,
    ) -> None:
        self.model, self.start, self.freeze, self.epochs, self.stretch = model, start, freeze, epochs, stretch
        self.validation_share, self.random_state, self.device, self.settings, self.out = (
            validation_share,
            random_state,
            device,
            settings,
            out,
        )

    def fit(self, X: Any, y: Any) -> "RadioGalaxyClassifier":  # scikit-learn's name
        """Train on images and their labels.

        Raises
        ------
        ValueError : images or labels that cannot be used. Refusal : a setting, start or folder that cannot.
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        if np.ma.is_masked(y):
            raise ValueError(f"y has {np.ma.count_masked(y):,} of {np.size(y):,} labels masked; expected a label of every image")
        X, y = validate_data(self, _flat(X), y, ensure_min_samples=2, ensure_min_features=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds 1 class ({self.classes_[0]}); expected at least 2 classes")
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31)) if not isinstance(self.random_state, int | np.integer) else int(self.random_state)
        split = _split(labels, self.validation_share, seed)
        images = self._images(X)
        sources = _sources(images, labels, split, self.classes_, self._recipe(images.shape[1]))
        with tempfile.TemporaryDirectory() as scratch:
            run = self._train(sources, Path(scratch), seed)
            self._files_ = {name: (run / name).read_bytes() for name in FILES}
        self._team_: Team | None = None
        return self._with_temperature(images[split == "validation"], labels[split == "validation"])

    def _train(self, sources: Sources, scratch: Path, seed: int) -> Path:
        """The folder of a run that was trained on these sources."""
        from equiradio.settings import beginning, change
        from equiradio.training.fit import train
        from equiradio.training.start import fitted, start_of

        others = dict(self.settings or {})
        named = {"data.name": str(write_folder(sources, scratch / "data")), "seed": seed, "training.freeze": self.freeze}
        named |= {"model.name": self.model} if self.start is None else {"training.start_from": str(self.start)}
        named |= {} if self.epochs is None else {"epochs": self.epochs}
        settings = change(beginning(others.pop("preset", "fast"), str(self.start or "")), named | others, where="RadioGalaxyClassifier")
        member = start_of(settings)
        settings = settings if member is None else fitted(settings, member)
        run = train(settings, self.out or scratch / "run", device=self.device)
        self.history_ = run.history()
        return run.folder

    def _with_temperature(self, images: np.ndarray, labels: np.ndarray) -> "RadioGalaxyClassifier":
        from equiradio.evaluation.choosing import best_temperature

        self.side_ = images.shape[1]
        self.temperature_ = best_temperature(self._logits(images)[None, None], labels)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, float64 (count, classes), in the order of ``classes_``."""
        from equiradio.evaluation.choosing import probabilities

        check_is_fitted(self)
        images = self._images(validate_data(self, _flat(X), reset=False))
        return probabilities(self._logits(images), self.temperature_)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each image (count,)."""
        check_is_fitted(self)
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    @property
    def team_(self) -> "Team":
        """The trained network as `equiradio.load` opens it: maps of attention, evidence and features."""
        check_is_fitted(self)
        if self._team_ is None:
            from equiradio.inference.team import load

            with tempfile.TemporaryDirectory() as scratch:
                for name, content in self._files_.items():
                    (Path(scratch) / name).write_bytes(content)
                self._team_ = load(scratch, self.device)
        return self._team_

    def _logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (count, classes) of images uint8 (count, side, side), some at a time."""
        member = self.team_.members[0]
        parts = [member.look(images[start : start + BATCH]).logits for start in range(0, len(images), BATCH)]
        return np.concatenate([part.double().cpu().numpy() for part in parts])

    def _recipe(self, side: int) -> Recipe:
        """By which images are made: of unknown scale and beam."""
        if self.stretch not in STRETCHES:
            raise ValueError(f"stretch is {self.stretch!r}; expected one of {', '.join(STRETCHES)}")
        return Recipe(side=side, scale_arcsec=0.0, beam_arcsec=0.0, noise_field=2 * side, stretch=self.stretch)

    def _images(self, flat: np.ndarray) -> np.ndarray:
        """Rows of pixels (count, side * side) as images uint8 (count, side, side) that networks take."""
        side = math.isqrt(flat.shape[1])
        if side * side != flat.shape[1]:
            raise ValueError(f"X has {flat.shape[1]} pixels a row, which is no square; expected images of side x side")
        if side > SIDES[1]:
            raise ValueError(f"X has images of {side} x {side} pixels; expected at most {SIDES[1]}")
        even = max(side - side % 2, 1)
        recipe = self._recipe(max(even, SIDES[0]))
        return np.stack([_image(plane, recipe) for plane in flat.reshape(len(flat), side, side)[:, :even, :even]])

    def __getstate__(self) -> dict[str, Any]:
        """Without the opened network, which is opened again from its files."""
        state: dict[str, Any] = super().__getstate__()
        return state | {"_team_": None} if "_team_" in state else state


def _image(plane: np.ndarray, recipe: Recipe) -> np.ndarray:
    """One image uint8 (side, side); an empty sky of a plane in which nothing stands out."""
    try:
        return cutout_of(plane, recipe).image
    except ImageRefusal as refusal:
        if refusal.flag != "blank":
            raise
        return np.zeros((recipe.side, recipe.side), np.uint8)


def _flat(images: Any) -> Any:
    """Images (count, side, side) as rows of pixels; everything else as it is. Masked pixels are nan, which scikit-learn refuses."""
    if np.ma.is_masked(images):
        images = nan_where_masked(images)
    if getattr(images, "ndim", 2) == 3:
        return np.asarray(images).reshape(len(images), -1)
    return images


def _split(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """ "train" or "validation" of each source: of each class its share, at least one where a class has two."""
    if not 0 < share < 1:
        raise ValueError(f"validation_share is {share}; expected more than 0 and less than 1")
    split = np.full(len(labels), "train", dtype="U10")
    for label in np.unique(labels):
        rows = np.random.default_rng([7, seed, int(label)]).permutation(np.flatnonzero(labels == label))
        split[rows[: min(max(round(share * len(rows)), 1), len(rows) - 1)]] = "validation"
    if not (split == "validation").any():
        raise ValueError(f"{len(labels)} samples, none of a class with another; expected 2 or more of a class, one to validate by")
    return split


def _sources(images: np.ndarray, labels: np.ndarray, split: np.ndarray, classes: np.ndarray, recipe: Recipe) -> Sources:
    count = len(labels)
    return Sources(
        name="images",
        images=images,
        labels=labels.astype(np.int64),
        source_ids=np.array([f"image-{number}" for number in range(count)]),
        confidence=np.full(count, "confident"),
        split=split,
        size_arcsec=np.full(count, np.nan),
        md5=checksum(images),
        classes=_names(classes),
        recipe=recipe,
    )


def _names(classes: np.ndarray) -> Labels:
    """The labels as names of classes, where they are words that do for it; else numbered."""
    try:
        return labels_of([str(each) for each in classes] if classes.dtype.kind in "UO" else ())
    except Refusal:
        return labels_of([f"class {number}" for number in range(len(classes))])
