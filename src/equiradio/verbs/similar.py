"""The sources of a catalogue that look most like one, by features that do not change when the sky turns."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiradio.artefacts.features import Features, read_features
from equiradio.artefacts.shelf import list_models, names_here
from equiradio.errors import ImageRefusal, RunRefusal, SettingRefusal, nearest
from equiradio.inference.team import Team, load
from equiradio.printable import some_of
from equiradio.sky.advice import without_options

ROUNDING = 1e-3  # of a feature's size: what varies by less may be rounding of float32


class Similar(NamedTuple):
    """A source and how unlike the one asked about it is: distance in standard deviations of a feature, root mean square over features."""

    source_id: str
    file: str
    label: str
    distance: float


def similar(source: str, among: Path, count: int = 10, *, model: str | None = None, device: str = "auto") -> list[Similar]:
    """The nearest sources, nearest first; the source itself is left out where it is one of them.

    Parameters
    ----------
    source : an image file, or the ``source_id`` of one among them.
    among : features that ``equiradio classify --features`` wrote.
    count : how many at most.
    model : the team that made the features, where ``source`` is a file and the team is not one by name.

    Raises
    ------
    SettingRefusal : no such source. RunRefusal : no features, or another team's. ImageRefusal : a file that cannot be used.
    """
    features = read_features(among)
    there = np.isfinite(features.vectors).all(1)
    if source in features.source_ids and not Path(source).is_file():
        place = features.source_ids.index(source)
        if not there[place]:
            raise SettingRefusal("SOURCE", f"{source} has no answer, and so no features", "a source with an answer", "Choose another.")
        vector, there[place] = features.vectors[place], False
    elif Path(source).is_file():
        vector = _vector(Path(source), features, among, model, device)
        there &= np.array([Path(file).resolve() != Path(source).resolve() for file in features.files])
    else:
        found = f"'{source}' is no file, and none of {len(features.source_ids):,} sources"
        raise SettingRefusal(
            "SOURCE", found, f"a file, or one of {some_of(features.source_ids)}", nearest(source, features.source_ids[:10_000])
        )
    return _nearest(vector, features, there, count)


def _vector(file: Path, features: Features, among: Path, model: str | None, device: str) -> np.ndarray:
    """The features of a file by the team that made the others."""
    team = _team(features.model, among, model, device)
    try:
        vector = team.features(file)[0]
    except ImageRefusal as refusal:
        raise without_options(refusal) from None
    if not np.isfinite(vector).all():
        raise ImageRefusal("not_finite_answer", file, "no finite features", "a source with an answer", "Choose another.")
    return vector


def _team(made_by: str, among: Path, model: str | None, device: str) -> Team:
    """The team that made features: the one named, or one by name of the same model."""
    here = [name for name, card in list_models().items() if card.model == made_by.split(" ")[0] and name in names_here()]
    teams = [load(name, device) for name in ([model] if model else here)]
    for team in teams:
        if team.name == made_by:
            return team
    others = f", not of {' or '.join(team.name for team in teams)}" if teams else ""
    do = "Name the team that made them by --model, or make features anew."
    raise RunRefusal(among, f"features of {made_by or 'a team that is not named'}{others}", "features of a team that is here", do)


def _nearest(vector: np.ndarray, features: Features, there: np.ndarray, count: int) -> list[Similar]:
    """By Euclidean distance, every feature in units of its spread over the catalogue; one that never varies says nothing."""
    places = np.flatnonzero(there)
    if not len(places):
        return []
    vectors = features.vectors[places].astype(float)
    spread = vectors.std(0)
    varies = spread > ROUNDING * abs(vectors).max(0)
    apart = ((vectors - vector)[:, varies] / spread[varies]) ** 2
    distances = np.sqrt(apart.mean(1)) if varies.any() else np.zeros(len(places))
    best = np.argsort(distances, kind="stable")[:count]
    return [
        Similar(features.source_ids[place], features.files[place], features.labels[place], float(distance))
        for place, distance in zip(places[best], distances[best], strict=True)
    ]
