"""Frames of turning sources: attention, probabilities and evidence of each member of a team, and the team's mean."""

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from equiradio.compute.poses import turned
from equiradio.evaluation.choosing import probabilities
from equiradio.explain.attention import exact_quarter_turns
from equiradio.inference.answers import no_answer
from equiradio.inference.evidence import PixelEvidence, agreement_of, pixel_evidence, sums_over_pixels, taken_apart
from equiradio.inference.gate_maps import agreement, combined_map, gate_maps
from equiradio.inference.member import Member
from equiradio.serve.held import Held
from equiradio.serve.networks import Network, Networks

QUARTER = 90.0
ROOM = 128 * 2**20  # bytes of frames that are held


class Frame(NamedTuple):
    """What a team, or one member of it, gives of a source at an angle.

    maps : attention float32 (1 + gates, side, side), the one of all gates first, then shallow to deep; none without gates.
    p : float64 (classes,), calibrated.
    evidence : what each pixel says, one for each class that may be spoken of (of two the second alone); none where the answer is no sum.
    agreement : of its members, see `equiradio.inference.gate_maps.agreement`; None where there is none.
    """

    maps: torch.Tensor
    p: np.ndarray
    evidence: tuple[PixelEvidence, ...]
    agreement: float | None = None

    @property
    def bytes(self) -> int:
        return self.maps.nbytes + sum(each.plane.nbytes for each in self.evidence)

    @property
    def attention(self) -> np.ndarray:
        """The one map of all gates; nan without any."""
        return self.maps[0].numpy() if len(self.maps) else np.full(self.maps.shape[1:], np.nan, np.float32)

    def evidence_for(self, place: int) -> PixelEvidence | None:
        """The evidence for the class at a place of the labels."""
        return next((each for each in self.evidence if each.toward == place), None)

    def quarters_on(self, quarters: int) -> "Frame":
        """The frame a number of quarter turns on."""
        evidence = tuple(each._replace(plane=np.rot90(each.plane, quarters)) for each in self.evidence)
        return self._replace(maps=torch.rot90(self.maps, quarters, (-2, -1)), evidence=evidence)


class Turner:
    """Frames of turning sources; the latest are held, and quarter turns of an exact network are not asked again."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks
        self._frames: OrderedDict[tuple[str, int, str, float], Frame] = OrderedDict()
        self._lock = threading.Lock()

    def frame(self, network: Network, source: Held, rotation_deg: float, seed: int | None = None) -> Frame:
        """What a team says of the source turned by an angle: the mean over its members, or the member of a seed alone.

        Call it through `Turnstile.ask`.
        """
        members = [member for member in network.open().members if seed in (None, member.card.seed)]
        return mean_of([self._of_member(network, member, source, rotation_deg) for member in members])

    def _of_member(self, network: Network, member: Member, source: Held, rotation_deg: float) -> Frame:
        angle = round(rotation_deg % 360, 1) % 360
        quarters, rest = divmod(angle, QUARTER) if exact_quarter_turns(member) else (0.0, angle)
        key = (network.name, member.card.seed, source.digest, round(rest, 1))
        with self._lock:
            frame = self._frames.get(key)
        if frame is None:
            frame = ask(member, network.open().calibration.temperature, source, rest)
            with self._lock:
                self._frames[key] = frame
                while len(self._frames) > 1 and sum(each.bytes for each in self._frames.values()) > ROOM:
                    self._frames.popitem(last=False)
        return frame.quarters_on(int(quarters))


def ask(member: Member, temperature: float, source: Held, rotation_deg: float) -> Frame:
    """What one member says of a source turned by an angle."""
    output = member.look(source.pixels[None], turned([rotation_deg]) if rotation_deg else None)  # unturned as `classify` asks
    maps = torch.zeros(0, *source.pixels.shape)
    if output.attention:
        gates = gate_maps(output.attention, len(source.pixels))[0].float().cpu()
        maps = torch.cat([combined_map(gates, member.network.anchored)[None], gates])
    logits = output.logits.double().cpu().numpy()
    if not np.isfinite(logits).all():
        raise no_answer(source.name)
    p = probabilities(logits, temperature)[0]
    evidence: list[PixelEvidence] = []
    if sums_over_pixels(member.network):
        seen = [taken_apart(member.network, output)]
        places = [1] if member.labels.binary else range(len(member.labels))
        evidence = [pixel_evidence([member.network], seen, np.array([place]))[0] for place in places]
    return Frame(maps, p, tuple(evidence))


def mean_of(frames: Sequence[Frame]) -> Frame:
    """The frame of a team from those of its members."""
    if len(frames) == 1:
        return frames[0]
    maps = torch.stack([frame.maps for frame in frames])
    evidence = tuple(map(_mean_evidence, zip(*(frame.evidence for frame in frames), strict=True)))
    return Frame(maps.mean(0), np.mean([frame.p for frame in frames], 0), evidence, _agreement(maps))


def _agreement(maps: torch.Tensor) -> float | None:
    """That of the first maps of members (members, 1 + gates, 150, 150)."""
    agree = agreement(maps[:, 0].numpy()) if maps.shape[1] else math.nan
    return agree if math.isfinite(agree) else None


def _mean_evidence(each: Sequence[PixelEvidence]) -> PixelEvidence:
    plane, margin = np.mean([one.plane for one in each], 0), float(np.mean([one.margin for one in each]))
    alike = agreement_of(np.stack([one.plane for one in each]))
    return PixelEvidence(plane, margin - float(plane.sum(dtype=float)), margin, each[0].toward, alike)
