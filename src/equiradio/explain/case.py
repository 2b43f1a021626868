"""What an explanation is about: the network, the sources it is asked about, and how much is measured."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from equiradio.datasets.sources import Sources
from equiradio.explain.equivariance import ANGLES
from equiradio.explain.faithfulness import FRACTIONS
from equiradio.inference.gate_maps import combined_map, gate_maps
from equiradio.inference.member import Member, chunks
from equiradio.labels import Labels

BATCH = 16

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Effort:
    """How much is measured; the defaults take a C4 network less than 15 minutes on two cores."""

    sample: int = 40  # sources whose maps are measured, 0 for all
    curves: int = 12  # of these, sources for deletion and insertion
    deep: int = 12  # of these, sources for Score-CAM, integrated gradients, occlusion and randomisation
    turned: int = 4  # of these, sources for exact quarter turns and mirrors
    angles: tuple[float, ...] = ANGLES
    fractions: tuple[float, ...] = FRACTIONS  # of the pixels, deleted and inserted
    gradient_steps: int = 8
    window: int = 12  # pixels, of occlusion: a square four beams wide, moved by half of itself
    checks: bool = True  # every kind of map of fresh weights, of turned sources and of other seeds too
    draws: int = 50  # of dropout
    whole_team: bool = False  # conformal sets of the ensemble too: every member looks at the validation split


QUICK = Effort(
    curves=8, deep=6, angles=tuple(range(0, 105, 15)), fractions=(0.005, 0.02, 0.08), window=24, checks=False
)  # about a quarter of the work
WHOLE = Effort(sample=0, curves=0, deep=40, whole_team=True)


@dataclass
class Case:
    """A network and its sources.

    Attributes
    ----------
    name : of the run, or of the team with the seed of the member that is explained.
    member : the network. members : others by name, for ensembles and agreement.
    sources : the sample. everyone, validation : the whole split and the validation split, for calibration.
    truth : uint8 masks of `simulated_shapes.Part` of the sample, or None.
    passes : images shown to a network so far, by part.
    """

    name: str
    member: Member
    members: dict[str, Member]
    sources: Sources
    everyone: Sources
    validation: Sources
    effort: Effort
    progress: Progress
    truth: np.ndarray | None = None
    passes: dict[str, int] = field(default_factory=dict)
    part: str = ""

    def look(self, member: Member, images: np.ndarray, what: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Gate maps and, last, the combined map (count, gates + 1, side, side); probabilities (count, classes). Counts the images."""
        planes, answers = [], []
        for start, stop in chunks(len(images), BATCH):
            output = member.look(images[start:stop])
            gates = gate_maps(output.attention, images.shape[-1]).float()
            planes.append(torch.cat([gates, combined_map(gates, member.network.anchored)[:, None]], 1).cpu().numpy())
            answers.append(output.logits.double().softmax(1).cpu().numpy())
            if what:
                self.progress(what, stop, len(images))
        self.count(len(images))
        return np.concatenate(planes), np.concatenate(answers)

    def count(self, images: int) -> None:
        """Add to the images shown by the part that is being measured."""
        self.passes[self.part] = self.passes.get(self.part, 0) + images

    @property
    def labels(self) -> Labels:
        """The classes that the network tells apart."""
        return self.member.labels

    @property
    def ensemble(self) -> dict[str, Member]:
        """The other members of the same model and classes."""
        own = (self.member.card.model, self.labels.names)
        return {name: each for name, each in self.members.items() if (each.card.model, each.labels.names) == own}

    @property
    def deep(self) -> np.ndarray:
        """Rows of the sample that the costly measures look at."""
        return evenly(self.sources.labels, self.effort.deep)

    @property
    def curved(self) -> np.ndarray:
        """Rows of the sample whose pixels are deleted and inserted: as many as asked for, and those of the costly maps."""
        return np.union1d(evenly(self.sources.labels, self.effort.curves), self.deep)


def scored(p: np.ndarray) -> np.ndarray:
    """Probabilities (..., classes) as scores take them: of two classes that of the second (...,), else all."""
    return p[..., 1] if p.shape[-1] == 2 else p


def evenly(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of ``count`` sources, of each class as many, evenly spaced, so that nobody picked them; all rows for 0 or too large a count."""
    if count == 0 or count >= len(labels):
        return np.arange(len(labels))
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    share = -(-count // len(classes))
    rows = [own[np.linspace(0, len(own) - 1, min(share, len(own))).round().astype(int)] for own in classes]
    return np.concatenate(rows)[: max(count, len(classes))]
