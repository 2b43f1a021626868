"""What networks say of a source: the class that ``equiradio classify`` gives, and attention while the source turns."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from equiradio.artefacts.flags import FLAGS
from equiradio.compute.poses import show, turned
from equiradio.compute.preprocess import circle
from equiradio.evaluation.choosing import probabilities
from equiradio.explain.attention import exact_quarter_turns
from equiradio.inference.answers import answer_in_pieces
from equiradio.inference.evidence import PixelEvidence, pixel_evidence, sums_over_pixels, taken_apart
from equiradio.inference.gate_maps import gate_maps
from equiradio.inference.rows import answered_rows
from equiradio.inference.team import Team
from equiradio.report.overlay import full_colour
from equiradio.serve.held import Held
from equiradio.serve.networks import Network, Networks
from equiradio.serve.shapes import as_base64
from equiradio.sky.cutout import Cutout
from equiradio.sky.recipe import MIRABEST

QUARTER = 90.0
FRAMES = 96  # kept, less than half a megabyte each


class Frame(NamedTuple):
    """Attention float32 (1 + gates, 150, 150), the mean first, then shallow to deep; p_frii; what each pixel adds to it, if known."""

    maps: torch.Tensor
    p_frii: float
    evidence: PixelEvidence | None


def classify(networks: Networks, network: Network, source: Held) -> Iterator[dict[str, Any] | None]:
    """The row that ``equiradio classify`` writes of the source, and in words what it means.

    Yields nothing after each piece of the work, so that whoever asked may leave, and at last the answer.
    """
    started = time.perf_counter()
    team: Team = networks.turn.ask(network.open)
    calibration = team.calibration
    asking = answer_in_pieces(team.members, calibration, source.pixels[None])
    while (answers := networks.turn.ask(partial(next, asking))) is None:
        yield None
    cutout = Cutout(source.name, 0, source.pixels, wcs=source.wcs, flags=frozenset(source.flags))
    row = answered_rows([cutout], answers, team.name, team.labels, calibrated=calibration.calibrated)[0]
    said = {name: row[name] for name in ("label", "p_fri", "p_frii", "p_frii_low", "p_frii_high", "uncertain")}
    yield {
        "source": source.key,
        "model": network.name,
        **said,
        "calibrated": calibration.calibrated,
        "answers": len(team.members) * calibration.poses,
        "members": len(team.members),
        "in_words": in_words(said, calibration.threshold, unusual=bool(answers.unusual[0])),
        "flags": {flag.name: flag.meaning for flag in FLAGS if row["flags"] & flag.bit},
        "seconds": time.perf_counter() - started,
    }


def in_words(said: dict[str, Any], threshold: float | None, *, unusual: bool) -> str:
    """The answer as one would say it. ``threshold`` : the probability below which it abstains; None where the network is not calibrated."""
    label = said["label"]
    low, high = (said["p_frii_low"], said["p_frii_high"]) if label == "FRII" else (1 - said["p_frii_high"], 1 - said["p_frii_low"])
    sure = f"{100 * max(said['p_fri'], said['p_frii']):.0f} %"
    spread = f"nine in ten answers lie between {100 * low:.0f} % and {100 * high:.0f} %"
    if unusual:
        return f"Abstains: the image is unlike the sources that the network was checked on. It would say {label} with {sure}."
    if threshold is None:
        return f"{'Abstains: ' if said['uncertain'] else 'Says '}{label} with {sure}, not calibrated; {spread}."
    if said["uncertain"]:
        return f"Abstains: {label} with {sure}, less than the {100 * threshold:.1f} % it needs; {spread}."
    return f"Says {label} with {sure}; {spread}."


class Turner:
    """Frames of turning sources; the latest are kept, and an exact network's quarter turns are turned instead of asked again."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks
        self._frames: OrderedDict[tuple[str, str, float], Frame] = OrderedDict()
        self._lock = threading.Lock()

    def frame(self, network: Network, source: Held, rotation_deg: float) -> Frame:
        """What the team says of the source turned by an angle, mean over its members. Call it through `Turnstile.ask`."""
        team: Team = network.open()
        exact = all(exact_quarter_turns(member) for member in team.members)
        angle = round(rotation_deg % 360, 1) % 360
        quarters, rest = divmod(angle, QUARTER) if exact else (0.0, angle)
        key = (network.name, source.digest, round(rest, 1))
        with self._lock:
            kept = self._frames.get(key)
        if kept is None:
            kept = _ask(team, source, rest)
            with self._lock:
                self._frames[key] = kept
                while len(self._frames) > FRAMES:
                    self._frames.popitem(last=False)
        evidence = kept.evidence and kept.evidence._replace(plane=np.rot90(kept.evidence.plane, int(quarters)))
        return Frame(torch.rot90(kept.maps, int(quarters), (-2, -1)), kept.p_frii, evidence)


def _ask(team: Team, source: Held, angle: float) -> Frame:
    outputs = [member.look(source.pixels[None], turned([angle])) for member in team.members]
    gates = [gate_maps(output.attention)[0].float() for output in outputs if output.attention]
    mean = torch.stack(gates).mean(0) if gates else torch.zeros(0, MIRABEST.side, MIRABEST.side)
    maps = torch.cat([mean.mean(0, keepdim=True), mean]) if len(mean) else mean
    logits = np.stack([output.logits.double().cpu().numpy() for output in outputs])
    p = probabilities(logits, team.calibration.temperature).mean(0)
    evidence: PixelEvidence | None = None
    networks = [member.network for member in team.members]
    if all(map(sums_over_pixels, networks)):
        sums = [taken_apart(network, output) for network, output in zip(networks, outputs, strict=True)]
        evidence = pixel_evidence(networks, sums, np.ones(1, int))[0]
    return Frame(maps, float(p[0, 1]), evidence)


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
    inside = circle(MIRABEST.side, MIRABEST.side / 2 - 1)
    return float((back - still)[inside].norm() / still[inside].norm().clamp_min(1e-12))


class View(NamedTuple):
    """A turned source beside the source as it is, and what was seen of it turned back to the sky."""

    still: Frame
    now: Frame
    back: Frame

    @property
    def attends(self) -> bool:
        return len(self.now.maps) > 0


def look(turner: Turner, network: Network, source: Held, rotation_deg: float) -> View:
    """What a network sees of a turned source; asked in its turn and before all that is not urgent."""
    return turner.networks.turn.ask(partial(_look, turner, network, source, rotation_deg), urgent=True)


def _look(turner: Turner, network: Network, source: Held, rotation_deg: float) -> View:
    still, now = turner.frame(network, source, 0.0), turner.frame(network, source, rotation_deg)
    back = now._replace(maps=turn_back(now.maps, rotation_deg))
    if now.evidence:
        plane = turn_back(torch.from_numpy(now.evidence.plane.copy())[None], rotation_deg)[0].numpy()
        back = back._replace(evidence=now.evidence._replace(plane=plane))
    return View(still, now, back)


def explain(turner: Turner, network: Network, source: Held, rotation_deg: float) -> dict[str, Any]:
    """Attention of a turned source, in the turning frame and turned back, and how far it drifted from that of the source as it is."""
    started = time.perf_counter()
    view = look(turner, network, source, rotation_deg)
    still, now, back = view
    resampled = turn_back(show(still.maps[:1], turned([rotation_deg]).matrices())[:, 0], rotation_deg)[0] if view.attends else None
    return {
        "model": network.name,
        "p_frii": now.p_frii,
        "p_frii_unturned": still.p_frii,
        "gates": max(len(now.maps) - 1, 0),
        "maps": texts(now.maps),
        "maps_turned_back": texts(back.maps),
        "peaks": [peak(plane) for plane in now.maps],
        "peaks_turned_back": [peak(plane) for plane in back.maps],
        "evidence": evidence_of(view),
        "drift": drift(still.maps[0], back.maps[0]) if view.attends else None,
        "drift_of_resampling": drift(still.maps[0], resampled) if resampled is not None else None,
        "exact_quarter_turns": all(exact_quarter_turns(member) for member in network.team.members),
        "milliseconds": 1000 * (time.perf_counter() - started),
    }


def evidence_of(view: View) -> dict[str, Any] | None:
    """Evidence of a turned source; its colours span what all but the strongest pixels of the source as it is say."""
    still, now, back = (frame.evidence for frame in view)
    if still is None or now is None or back is None:
        return None
    planes = {"map": as_base64(now.plane.astype("<f4")), "map_turned_back": as_base64(back.plane.astype("<f4"))}
    return {**planes, "full": full_colour(still.plane), "constant": now.constant, "margin": now.margin}


def peak(plane: torch.Tensor) -> tuple[int, int]:
    """Row and column of the largest value."""
    row, column = divmod(int(plane.argmax()), plane.shape[1])
    return row, column


def turned_pixels(source: Held, rotation_deg: float) -> np.ndarray:
    """The image as the network sees it, uint8 (150, 150)."""
    shown = show(torch.from_numpy(source.pixels[None].copy()), turned([rotation_deg]).matrices())[0, 0]
    return shown.round().clamp(0, 255).byte().numpy()


def texts(maps: torch.Tensor) -> list[str]:
    """Maps 0..1 in 8 bits, as text."""
    return [as_base64(plane) for plane in (maps.clamp(0, 1) * 255).round().byte().numpy()]
