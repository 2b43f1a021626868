"""In which order a person is asked: what the networks are least sure of, and what is most unlike the rest, first."""

import threading
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from equiradio.errors import Refusal
from equiradio.serve.networks import Network, Networks
from equiradio.serve.sets import ImageFolder

BATCH = 8  # images that are asked about at once, so that whoever looks at one waits for no more
ENOUGH = 20  # vectors from which on their own mean and spread say what is unlike them


class AskingOrder:
    """The images of a folder, ordered while a network is asked about them in the background, one pose each.

    Attributes
    ----------
    unreadable : key -> why, of images that cannot be shown.
    """

    def __init__(self, networks: Networks, network: Network | None, folder: ImageFolder) -> None:
        self.networks, self.network, self.folder = networks, network, folder
        self.unreadable: dict[str, str] = {}
        self._doubt: dict[str, float] = {}
        self._apart: dict[str, float] = {}
        self._features: dict[str, np.ndarray] = {}
        self._skipped: dict[str, None] = {}  # a set that keeps its order
        self._lock = threading.Lock()
        self._order: list[str] | None = None

    def start(self) -> None:
        """Begin to ask; nothing happens where no network is offered."""
        if self.network is not None:
            threading.Thread(target=self.ask_all, name="asking order", daemon=True).start()

    @property
    def asked(self) -> int:
        """About how many images the network was asked, or could not be."""
        with self._lock:
            return len(self._doubt) + len(self.unreadable)

    def ask_all(self) -> None:
        """Ask about every image."""
        keys = list(self.folder.keys)
        for start in range(0, len(keys), BATCH):
            self._ask(keys[start : start + BATCH])

    def _ask(self, keys: list[str]) -> None:
        sources = []
        for key in keys:
            try:
                sources.append(self.folder.get(key.partition("/")[2]))
            except Refusal as refusal:
                with self._lock:
                    self.unreadable[key] = str(refusal)
                    self._order = None
        if not sources or self.network is None:
            return
        images = np.stack([source.pixels for source in sources])
        try:
            p, features, distance = self.networks.turn.ask(lambda: _answers(self.network, images))
        except Refusal:  # so many others ask that it was not its turn: these stay at the end
            return
        with self._lock:
            for source, chances, vector, far in zip(sources, p, features, distance, strict=True):
                self._doubt[source.key] = doubt(chances)
                self._features[source.key], self._apart[source.key] = vector, float(far)
            self._order = None

    def first(self, done: Collection[str], count: int) -> list[str]:
        """Keys of the sources that should be looked at next, but for those that are done; those that were skipped come last."""
        with self._lock:
            if self._order is None:
                self._order = self._arranged()
            left = dict.fromkeys(key for key in self._order if key not in done)
            last = [key for key in self._skipped if key in left]
            return [*(key for key in left if key not in self._skipped), *last][:count]

    def skip(self, key: str) -> None:
        """Put a source behind all others, as long as this viewer runs."""
        with self._lock:
            self._skipped.pop(key, None)
            self._skipped[key] = None

    def _arranged(self) -> list[str]:
        keys = list(self._doubt)
        unlike = self._unlike(keys)
        ranked = ordered(np.array([self._doubt[key] for key in keys]), unlike)
        best = [keys[place] for place in ranked]
        rest = [key for key in self.folder.keys if key not in self._doubt and key not in self.unreadable]
        return best + rest

    def _unlike(self, keys: list[str]) -> np.ndarray:
        """How unlike others each is: from the sources of the team's calibration, or of a run from the images themselves."""
        from equiradio.evaluation.choosing import mean_and_precision, squared_distance

        apart = np.array([self._apart[key] for key in keys])
        if np.isfinite(apart).all() or len(keys) < ENOUGH:
            return np.nan_to_num(apart)
        vectors = np.array([self._features[key] for key in keys], float)
        return np.nan_to_num(squared_distance(vectors, *mean_and_precision(vectors)))


def _answers(network: Network | None, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (count, classes), features (count, n) and distances (count,) of images."""
    from equiradio.inference.answers import answer

    assert network is not None
    team = network.open()
    answers = answer(team.members, replace(team.calibration, poses=1), images)
    return answers.p, answers.features, answers.distance


def doubt(p: np.ndarray) -> float:
    """How little the most probable class is ahead of the next, 0 (sure) to 1 (no difference); 1 without an answer."""
    if not np.isfinite(p).all():
        return 1.0
    second, first = np.sort(p)[-2:]
    return float(1 - (first - second))


def ordered(doubts: np.ndarray, unlike: np.ndarray) -> list[int]:
    """Places by turns: the least sure, the most unlike, the second least sure, and so on. Equal ones stay as they were."""
    ranks = []
    for values in (doubts, unlike):
        rank = np.empty(len(values), int)
        rank[np.argsort(-values, kind="stable")] = np.arange(len(values))
        ranks.append(rank)
    return [int(place) for place in np.lexsort((ranks[0], np.minimum(*ranks)))]
