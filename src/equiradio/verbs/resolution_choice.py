"""From how many beams across on a team can tell classes apart: chosen on validation, as it is and through larger beams."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from equiradio.artefacts.team import TeamCard
from equiradio.datasets.sources import Sources
from equiradio.evaluation.calibration import is_right
from equiradio.evaluation.choosing import mean_probabilities
from equiradio.evaluation.resolution import as_good_through, balanced, by_beams, resolved_from
from equiradio.inference.asking import Asking
from equiradio.sky.conditions import OWN, Condition, all_seen
from equiradio.sky.recipe import MIRABEST
from equiradio.verbs.team_choices import binary

FACTORS = (1.2, 1.5, 2.0, 3.0, 4.5)  # of the beam of the images
FINER = (1.2, 1.5)  # times finer; beams below two pixels are not sampled by the images
DIGITS = 2  # of beams across, in a card


class Views(NamedTuple):
    """Sources under one condition, as far as something of them stands out, and answers about them.

    labels, right, beams (across, nan where unknown) : (count,). p : as scores take it. features : (members, count, features).
    """

    labels: np.ndarray
    right: np.ndarray
    beams: np.ndarray
    p: np.ndarray
    features: np.ndarray


def with_resolution(card: TeamCard, asking: Asking, validation: Sources) -> TeamCard:
    """The card with ``resolved_from`` and what it was chosen by.

    Larger and finer beams are asked one after the other, as long as sources that are well resolved are told apart through them nearly as
    well as through the images' own. Of images by another recipe than MiraBest's nothing is known of their noise, and nothing is chosen.
    """
    if validation.recipe != MIRABEST:
        return card
    validation = validation.choose(validation.labels >= 0)
    plain = views_of(card, asking, validation, Condition())
    own = balanced(plain.labels, plain.right) or 0.0

    def as_good(widths: Iterable[float]) -> Iterator[tuple[float, Views]]:
        """Widths in arcsec and what is seen through them, up to the first that is of no use."""
        for width in (round(width, DIGITS) for width in widths):
            seen = views_of(card, asking, validation, Condition("beam", width))
            if not as_good_through(seen.labels, seen.right, seen.beams, own):
                return
            yield width, seen

    wider = dict(as_good(factor * OWN.major for factor in FACTORS))
    finer = dict(as_good(OWN.major / factor for factor in FINER))
    beams, views = [OWN.major, *wider], [plain, *wider.values()]
    labels, right, across = (np.concatenate([getattr(seen, name) for seen in views]) for name in ("labels", "right", "beams"))
    least = resolved_from(labels, right, across, len(card.labels))
    return card.with_changes(
        resolved_from=None if least is None else round(least, DIGITS),
        by_beams={"beams_arcsec": beams, "finer_arcsec": sorted(finer), "rows": by_beams(labels, right, across)},
    )


def views_of(card: TeamCard, asking: Asking, sources: Sources, condition: Condition, split: str = "validation") -> Views:
    """Answers about sources of a split under a condition, and how many beams across these are."""
    assert card.poses is not None
    assert card.temperature is not None
    rows, cutouts = all_seen(sources.source_ids, sources.images, condition)
    split += f"-{condition.kind}{condition.value:g}" if condition.kind else ""
    logits, features = asking.ask(np.stack([cutout.image for cutout in cutouts]), split, card.poses)
    labels = sources.labels[rows]
    across = [cutout.shape.beams_across for cutout in cutouts]
    p = binary(mean_probabilities(logits, card.temperature))
    return Views(labels, is_right(labels, p), np.array([np.nan if beams is None else beams for beams in across]), p, features)
