"""What networks say of a source: a class with its interval, and attention while the source turns."""

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from equiradio.data.augment import Poses, show, turned
from equiradio.data.preprocess import SIDE, circle
from equiradio.data.sources import CLASSES
from equiradio.explain.attention import exact_quarter_turns, gate_maps
from equiradio.inference.classifier import Classifier
from equiradio.serve.held import Held
from equiradio.serve.networks import Network, Networks

ROTATIONS = 8  # of the full answer
TOGETHER = 2  # poses in a batch: more would be a little quicker, but a turning source would have to wait for them
QUARTER = 90.0
INTERVAL = (0.05, 0.95)
FRAMES = 96  # kept, a third of a megabyte each


class Frame(NamedTuple):
    """Attention float32 (1 + gates, 150, 150), the mean first, then shallow to deep; p_frii."""

    maps: torch.Tensor
    p_frii: float


def poses_of(classifier: Classifier) -> Poses:
    """Rotations of the full answer, and mirrors where the network is not invariant under them; an exact network needs no quarter turns."""
    group = classifier.group
    exact = exact_quarter_turns(classifier)
    angles = np.arange(ROTATIONS // 2) * QUARTER / (ROTATIONS // 2) if exact else np.arange(ROTATIONS) * 360 / ROTATIONS
    hands = [False] if group is not None and group.order > group.rotations else [False, True]
    return Poses(np.tile(angles, len(hands)), np.repeat(hands, len(angles)), np.ones(len(angles) * len(hands)))


def classify(networks: Networks, network: Network, source: Held) -> Iterator[dict[str, Any] | None]:
    """Mean probability over members and poses, and the 90 % interval of what they say.

    Yields nothing after each piece of the work, so that whoever asked may leave, and at last the answer.
    """
    said: list[float] = []
    started = time.perf_counter()
    for member in networks.turn.ask(network.open):
        poses = poses_of(member)
        for start in range(0, len(poses.scale), TOGETHER):
            piece = slice(start, start + TOGETHER)
            pose = Poses(poses.rotation_deg[piece], poses.mirrored[piece], poses.scale[piece])
            said += networks.turn.ask(partial(probabilities, member, source.pixels, pose))
            yield None
    p_frii, (low, high) = float(np.mean(said)), np.quantile(said, INTERVAL)
    uncertain = bool(low < 0.5 <= high)
    label = CLASSES[int(p_frii >= 0.5)]
    yield {
        "source": source.key,
        "model": network.name,
        "label": label,
        "p_fri": 1 - p_frii,
        "p_frii": p_frii,
        "p_frii_low": float(low),
        "p_frii_high": float(high),
        "uncertain": uncertain,
        "answers": len(said),
        "members": len(network.members),
        "in_words": in_words(label, p_frii, float(low), float(high), uncertain),
        "flags": dict(source.flags),
        "seconds": time.perf_counter() - started,
    }


def probabilities(member: Classifier, pixels: np.ndarray, poses: Poses) -> list[float]:
    """p_frii of one image in some poses."""
    images = np.repeat(pixels[None], len(poses.scale), 0)
    return member.look(images, poses).logits.double().softmax(-1)[:, 1].tolist()


def in_words(label: str, p_frii: float, low: float, high: float, uncertain: bool) -> str:
    """The answer as one would say it."""
    sure = max(p_frii, 1 - p_frii)
    if uncertain:
        return f"Abstains: the answers spread from {100 * low:.0f} % to {100 * high:.0f} % for FRII, on both sides of even odds."
    return f"Says {label} with {100 * sure:.0f} %; nine in ten answers lie on that side."


class Turner:
    """Frames of turning sources; the latest are kept, and an exact network's quarter turns are turned instead of asked again."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks
        self._frames: OrderedDict[tuple[str, str, float], Frame] = OrderedDict()
        self._lock = threading.Lock()

    def frame(self, network: Network, source: Held, rotation_deg: float) -> Frame:
        """What the first member says of the source turned by an angle. Call it through `Turnstile.ask`."""
        member = network.open()[0]
        exact = exact_quarter_turns(member)
        angle = round(rotation_deg % 360, 1) % 360
        quarters, rest = divmod(angle, QUARTER) if exact else (0.0, angle)
        key = (network.name, source.key, round(rest, 1))
        with self._lock:
            kept = self._frames.get(key)
        if kept is None:
            kept = self._ask(member, source, rest)
            with self._lock:
                self._frames[key] = kept
                while len(self._frames) > FRAMES:
                    self._frames.popitem(last=False)
        return Frame(torch.rot90(kept.maps, int(quarters), (-2, -1)), kept.p_frii)

    def _ask(self, member: Classifier, source: Held, angle: float) -> Frame:
        output = member.look(source.pixels[None], turned([angle]))
        gates = gate_maps(output.attention)[0].float() if output.attention else torch.zeros(0, SIDE, SIDE)
        maps = torch.cat([gates.mean(0, keepdim=True), gates]) if len(gates) else gates
        return Frame(maps, float(output.logits.double().softmax(-1)[0, 1]))


def turn_back(maps: torch.Tensor, rotation_deg: float) -> torch.Tensor:
    """Maps (count, 150, 150) turned by minus an angle: exact for quarter turns, bilinear between."""
    quarters, rest = divmod(rotation_deg % 360, QUARTER)
    if rest:
        maps = show(maps, turned([-rest] * len(maps)).matrices())[:, 0] if len(maps) else maps
    return torch.rot90(maps, -int(quarters), (-2, -1))


def drift(still: torch.Tensor, back: torch.Tensor) -> float:
    """|R^-1 A(R x) - A(x)| / |A(x)| inside the inscribed circle, both (150, 150): 0 for a map that turns with the sky.

    Root of the sum of squares. Zero for every quarter turn of an exact network.
    """
    inside = circle(SIDE, SIDE / 2 - 1)
    return float((back - still)[inside].norm() / still[inside].norm().clamp_min(1e-12))


def explain(turner: Turner, network: Network, source: Held, rotation_deg: float) -> dict[str, Any]:
    """`explained`, in its turn and before all that is not urgent."""
    return turner.networks.turn.ask(partial(explained, turner, network, source, rotation_deg), urgent=True)


def explained(turner: Turner, network: Network, source: Held, rotation_deg: float) -> dict[str, Any]:
    """Attention of a turned source, in the turning frame and turned back, and how far it drifted from that of the source as it is."""
    started = time.perf_counter()
    still, now = turner.frame(network, source, 0.0), turner.frame(network, source, rotation_deg)
    back = turn_back(now.maps, rotation_deg)
    attends = len(now.maps) > 0
    resampled = turn_back(show(still.maps[:1], turned([rotation_deg]).matrices())[:, 0], rotation_deg)[0] if attends else None
    member = network.members[0]
    return {
        "model": network.name,
        "p_frii": now.p_frii,
        "p_frii_unturned": still.p_frii,
        "gates": max(len(now.maps) - 1, 0),
        "maps": [as_text(plane) for plane in now.maps],
        "maps_turned_back": [as_text(plane) for plane in back],
        "peaks": [peak(plane) for plane in now.maps],
        "peaks_turned_back": [peak(plane) for plane in back],
        "drift": drift(still.maps[0], back[0]) if attends else None,
        "drift_of_resampling": drift(still.maps[0], resampled) if resampled is not None else None,
        "exact_quarter_turns": exact_quarter_turns(member),
        "milliseconds": 1000 * (time.perf_counter() - started),
    }


def peak(plane: torch.Tensor) -> tuple[int, int]:
    """Row and column of the largest value."""
    row, column = divmod(int(plane.argmax()), plane.shape[1])
    return row, column


def turned_pixels(source: Held, rotation_deg: float) -> np.ndarray:
    """The image as the network sees it, uint8 (150, 150)."""
    shown = show(torch.from_numpy(source.pixels[None].copy()), turned([rotation_deg]).matrices())[0, 0]
    return shown.round().clamp(0, 255).byte().numpy()


def as_text(plane: torch.Tensor) -> str:
    """A map 0..1 as base64 of its rows, uint8."""
    return base64.b64encode((plane.clamp(0, 1) * 255).round().byte().numpy().tobytes()).decode()
