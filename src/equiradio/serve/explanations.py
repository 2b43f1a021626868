"""Attention and evidence of a turned source, turned back to the sky, and how far they drift from those unturned."""

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from equiradio.compute.poses import show, turned
from equiradio.explain.attention import exact_quarter_turns
from equiradio.inference.gate_maps import inscribed
from equiradio.labels import Labels
from equiradio.report.overlay import full_colour
from equiradio.serve.frames import QUARTER, Frame, Turner
from equiradio.serve.held import Held
from equiradio.serve.networks import Network
from equiradio.serve.shapes import as_base64
from equiradio.verbs.sky_maps import sides_of


def turn_back(maps: torch.Tensor, rotation_deg: float) -> torch.Tensor:
    """Maps (count, side, side) turned by minus an angle: exact for quarter turns, bilinear between."""
    quarters, rest = divmod(rotation_deg % 360, QUARTER)
    if rest:
        maps = show(maps, turned([-rest] * len(maps)).matrices())[:, 0] if len(maps) else maps
    return torch.rot90(maps, -int(quarters), (-2, -1))


def drift(still: torch.Tensor, back: torch.Tensor) -> float:
    """|R^-1 A(R x) - A(x)| / |A(x)| inside the inscribed circle, both (side, side): 0 for a map that turns with the sky.

    Root of the sum of squares. Zero for every quarter turn of an exact network.
    """
    inside = inscribed(len(still))
    return float((back - still)[inside].norm() / still[inside].norm().clamp_min(1e-12))


class View(NamedTuple):
    """A turned source beside the source as it is.

    back : what was seen of the turned one, turned back to the sky. toward : the place of the class spoken of.
    """

    still: Frame
    now: Frame
    back: Frame
    toward: int

    @property
    def attends(self) -> bool:
        return len(self.now.maps) > 0


def look(turner: Turner, network: Network, source: Held, rotation_deg: float, seed: int | None = None) -> View:
    """What a team, or its member of a seed, sees of a turned source; asked before all that is not urgent."""
    return turner.networks.turn.ask(partial(_look, turner, network, source, rotation_deg, seed), urgent=True)


def _look(turner: Turner, network: Network, source: Held, rotation_deg: float, seed: int | None) -> View:
    still, now = (turner.frame(network, source, angle, seed) for angle in (0.0, rotation_deg))
    planes = [turn_back(torch.from_numpy(each.plane.copy())[None], rotation_deg)[0].numpy() for each in now.evidence]
    evidence = tuple(each._replace(plane=plane) for each, plane in zip(now.evidence, planes, strict=True))
    return View(still, now, now._replace(maps=turn_back(now.maps, rotation_deg), evidence=evidence), spoken_of(network.card.labels, still))


def spoken_of(labels: Labels, still: Frame) -> int:
    """Place of the class spoken of: of two the second, else the most probable of the source as it is."""
    return 1 if labels.binary else int(still.p.argmax())


def explain(turner: Turner, network: Network, source: Held, rotation_deg: float, seed: int | None = None) -> dict[str, Any]:
    """Attention of a turned source, in the turning frame and turned back, and how far it drifted."""
    started = time.perf_counter()
    view = look(turner, network, source, rotation_deg, seed)
    still, now, back, toward = view
    labels = network.card.labels
    resampled = turn_back(show(still.maps[:1], turned([rotation_deg]).matrices())[:, 0], rotation_deg)[0] if view.attends else None
    p, unturned, column = float(now.p[toward]), float(still.p[toward]), labels.columns()[toward]
    return {
        "model": network.name,
        "member": seed,
        "toward": labels.names[toward],
        column: p,
        f"{column}_unturned": unturned,
        "p": p,
        "p_unturned": unturned,
        "gates": max(len(now.maps) - 1, 0),
        "maps": texts(now.maps),
        "maps_turned_back": texts(back.maps),
        "peaks": [peak(plane) for plane in now.maps],
        "peaks_turned_back": [peak(plane) for plane in back.maps],
        "member_agreement": now.agreement,
        "evidence": evidence_of(view, labels),
        "drift": drift(still.maps[0], back.maps[0]) if view.attends else None,
        "drift_of_resampling": drift(still.maps[0], resampled) if resampled is not None else None,
        "exact_quarter_turns": all(exact_quarter_turns(member) for member in network.open().members),
        "milliseconds": 1000 * (time.perf_counter() - started),
    }


def evidence_of(view: View, labels: Labels) -> dict[str, Any] | None:
    """Evidence of a turned source; its colours span what all but the strongest pixels of the source as it is say."""
    still, now, back = (frame.evidence_for(view.toward) for frame in (view.still, view.now, view.back))
    if still is None or now is None or back is None:
        return None
    below, above = sides_of(now, labels)
    return {
        "map": as_base64(now.plane.astype("<f4")),
        "map_turned_back": as_base64(back.plane.astype("<f4")),
        "full": full_colour(still.plane),
        "constant": now.constant,
        "margin": now.margin,
        "sum_below": now.sides[0],
        "sum_above": now.sides[1],
        "member_agreement": now.agreement,
        "below": f"for {below}" if labels.binary else f"against {above}",
        "above": f"for {above}",
    }


def peak(plane: torch.Tensor) -> tuple[int, int]:
    """Row and column of the largest value."""
    row, column = divmod(int(plane.argmax()), plane.shape[1])
    return row, column


def turned_pixels(source: Held, rotation_deg: float) -> np.ndarray:
    """The image as the network sees it, uint8 (side, side)."""
    shown = show(torch.from_numpy(source.pixels[None].copy()), turned([rotation_deg]).matrices())[0, 0]
    return shown.round().clamp(0, 255).byte().numpy()


def texts(maps: torch.Tensor) -> list[str]:
    """Maps 0..1 in 8 bits, as text."""
    return [as_base64(plane) for plane in (maps.clamp(0, 1) * 255).round().byte().numpy()]
