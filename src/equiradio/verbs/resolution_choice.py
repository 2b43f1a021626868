"""From how many beams across on a team can tell classes apart: chosen on validation, as it is and through larger beams."""

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
DIGITS = 2  # of beams across, in a card


class _Views(NamedTuple):
    """Sources under one condition, as far as something of them stands out."""

    labels: np.ndarray
    right: np.ndarray
    beams: np.ndarray


def with_resolution(card: TeamCard, asking: Asking, validation: Sources) -> TeamCard:
    """The card with ``resolved_from`` and what it was chosen by.

    Larger beams are asked one after the other, as long as sources that are well resolved are told apart through them nearly as well as
    through the images' own. Of images by another recipe than MiraBest's nothing is known of their noise, and nothing is chosen.
    """
    if validation.recipe != MIRABEST:
        return card
    validation = validation.choose(validation.labels >= 0)
    views, beams = [_views(card, asking, validation, Condition())], [OWN.major]
    own = balanced(views[0].labels, views[0].right) or 0.0
    for factor in FACTORS:
        wider = _views(card, asking, validation, Condition("beam", round(factor * OWN.major, DIGITS)))
        if not as_good_through(*wider, own):
            break
        views.append(wider)
        beams.append(round(factor * OWN.major, DIGITS))
    labels, right, across = (np.concatenate(parts) for parts in zip(*views, strict=True))
    least = resolved_from(labels, right, across, len(card.labels))
    return card.with_changes(
        resolved_from=None if least is None else round(least, DIGITS),
        by_beams={"beams_arcsec": beams, "rows": by_beams(labels, right, across)},
    )


def _views(card: TeamCard, asking: Asking, sources: Sources, condition: Condition) -> _Views:
    """Answers about sources under a condition, and how many beams across these are."""
    assert card.poses is not None
    assert card.temperature is not None
    rows, cutouts = all_seen(sources.source_ids, sources.images, condition)
    split = f"validation-{condition.kind}{condition.value:g}" if condition.kind else "validation"
    logits = asking.ask(np.stack([cutout.image for cutout in cutouts]), split, card.poses).logits
    labels = sources.labels[rows]
    across = [cutout.shape.beams_across for cutout in cutouts]
    right = is_right(labels, binary(mean_probabilities(logits, card.temperature)))
    return _Views(labels, right, np.array([np.nan if beams is None else beams for beams in across]))
