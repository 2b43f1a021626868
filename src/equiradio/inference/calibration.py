"""What was chosen for a team on validation, as it is used: poses, temperature, threshold, and how far known sources reach."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from equiradio.artefacts.promises import AccuracyRow
from equiradio.artefacts.team import MOST_POSES, TeamCard, TeamFolder
from equiradio.errors import RunRefusal, SettingRefusal, refused_as
from equiradio.evaluation.conformal import sets
from equiradio.evaluation.expected import expected_row
from equiradio.evaluation.prior import OPTION, prior_weights
from equiradio.labels import Labels
from equiradio.sky.beams import Beam
from equiradio.sky.recipe import MIRABEST

RUN_POSES = 4  # of a run, which has no card that says how many
ROUNDING = 0.01  # of a beam's width: headers round, and so do cards


@dataclass(frozen=True)
class Calibration:
    """Chosen on the validation split, by ``equiradio calibrate``.

    Attributes
    ----------
    poses : how many each member is asked in.
    temperature : logits are divided by it.
    threshold : abstain where the top probability is lower; None where it was never chosen. See `threshold_of`.
    centre, precision, reach : mean (members, features) and inverse covariance (members, features, features) of the features of validation
        sources, and the distance beyond which an image is unusual; None likewise.
    resolved_from : beams across below which a source is unresolved; None likewise.
    beams : full widths in arcsec of the finest and the widest beam through which classes are told apart; None likewise.
    thresholds : by tested beam in arcsec, where they were chosen: what ``threshold`` is through it.
    limits : by class, of its set: see `equiradio.artefacts.promises.ClassSets`; None likewise.
    expected : how right answers of one kind were, the finest kinds first; none likewise.
    prior, weights : share of each class in the mix that answers are for, and by what their probabilities are multiplied; None for the mix
        that was learned from.
    of_poses : were temperature and threshold chosen for this number of poses? Else for another, the nearest that was tried.
    of_card : is it the card's number, which ``thresholds`` were chosen with?
    """

    poses: int = RUN_POSES
    temperature: float = 1.0
    threshold: float | None = None
    centre: np.ndarray | None = None
    precision: np.ndarray | None = None
    reach: float | None = None
    resolved_from: float | None = None
    beams: tuple[float, float] | None = None
    thresholds: Mapping[float, float] = field(default_factory=dict)
    limits: tuple[float, ...] | None = None
    expected: tuple[AccuracyRow, ...] = ()
    prior: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None
    of_poses: bool = True
    of_card: bool = True

    @property
    def calibrated(self) -> bool:
        """Were temperature and threshold chosen for answers such as these?"""
        return self.threshold is not None and self.of_poses

    def calibrated_for(self, beam: Beam | None) -> bool:
        """The same of a source seen through a beam; None where it is not known."""
        return self.calibrated and (self.of_card or self.of_own_beam(beam))

    def of_own_beam(self, beam: Beam | None) -> bool:
        """Whether a beam is that of the images that all but ``thresholds`` was chosen on, FIRST's; so are unknown ones.

        Of a team whose beams are not known every beam counts as its own.
        """
        if beam is None or self.beams is None or beam.of_first_south:
            return True
        return all(abs(size / MIRABEST.beam_arcsec - 1) <= ROUNDING for size in beam.axes)

    def unresolved(self, beams_across: float | None) -> bool:
        """Whether a source has too few beams across to be told; not where either number is unknown."""
        return self.resolved_from is not None and beams_across is not None and beams_across < self.resolved_from

    def of_beam(self, beam: Beam | None, file_pixel_arcsec: float | None = None) -> frozenset[str]:
        """The flags that a beam earns: ``beam_untested``, ``no_beam``, both, or none. Nothing is flagged where no beams were chosen.

        Beams were tested round, so both axes must lie in the range. FIRST's southern beams are FIRST's. A file that states no beam is
        of none that was tested where its pixels are wider than half of the widest (Nyquist).
        """
        if self.beams is None:
            return frozenset()
        low, high = self.beams
        if beam is None:
            coarse = file_pixel_arcsec is not None and file_pixel_arcsec > high / 2
            return frozenset({"no_beam", "beam_untested"} if coarse else {"no_beam"})
        inside = all(low * (1 - ROUNDING) <= size <= high * (1 + ROUNDING) for size in beam.axes)
        first = beam.of_first_south and low <= MIRABEST.beam_arcsec <= high
        return frozenset() if inside or first else frozenset({"beam_untested"})

    def threshold_of(self, beam: Beam | None) -> float | None:
        """The top probability below which a source seen through a beam is abstained from.

        Between two beams that were tested it is the higher of theirs, and never lower than through the images' own, which is that of
        sources of unknown beams too.
        """
        if self.threshold is None or beam is None:
            return self.threshold
        width = width_of(beam)
        levels = {MIRABEST.beam_arcsec: self.threshold, **self.thresholds}
        finer = [tested for tested in levels if tested <= width * (1 + ROUNDING)]
        wider = [tested for tested in levels if tested >= width * (1 - ROUNDING)]
        around = {*([max(finer)] if finer else []), *([min(wider)] if wider else [])}
        return max(self.threshold, *(levels[tested] for tested in around))

    def set_of(self, p: np.ndarray, labels: Labels, beam: Beam | None) -> str | None:
        """Names of the classes in a source's set, with | between; ``p`` (classes,) for the mix learned from.

        None where none was chosen, and through another beam than the images' own, where coverage was not measured.
        """
        if self.limits is None or not self.of_own_beam(beam):
            return None
        return "|".join(name for name, inside in zip(labels, sets(p[None], np.array(self.limits))[0], strict=True) if inside)

    def expected_accuracy(self, beam: Beam | None, beams_across: float | None, *, answered: bool) -> float | None:
        """How right answers like this one were where they were measured; None where they were not, and for another mix of classes."""
        if beam is None or self.beams is None or self.of_beam(beam) or self.weights is not None:
            return None
        row = expected_row(self.expected, width_of(beam), beams_across, answered)
        return None if row is None else row["accuracy"]

    def for_prior(self, prior: tuple[float, ...], card: TeamCard) -> "Calibration":
        """For sources of another mix of classes, by what the card says that the members learned from.

        Raises
        ------
        SettingRefusal : the card does not say.
        """
        learned = card.members[0].of_class
        if not learned:
            found, do = f"{card.model}, whose card does not say of which mix it learned", "Train anew, or take a packaged team."
            raise SettingRefusal(OPTION, found, "a card with of_class", do)
        return replace(self, prior=prior, weights=prior_weights(prior, learned, card.labels))

    def in_poses(self, poses: int, card: TeamCard) -> "Calibration":
        """With another number of poses, and the temperature and threshold that the team's card has for it, or for the nearest number.

        Thresholds by beam stay those of the card's number: see `calibrated_for`. Asked again, it is as if it had not been asked before.

        Raises
        ------
        SettingRefusal : fewer than one, or more than anybody needs.
        """
        if isinstance(poses, bool) or not isinstance(poses, Integral) or not 1 <= poses <= MOST_POSES:
            raise SettingRefusal("--poses", f"{poses}", f"1 to {MOST_POSES}", "Leave it out for the number chosen on validation.")
        if self.threshold is None or poses == self.poses:
            return replace(self, poses=poses)
        if not self.of_card:
            return replace(self, **_of_card(card)).in_poses(poses, card)
        chosen = {int(count): (choice["temperature"], choice["threshold"]) for count, choice in card.by_poses.items()}
        chosen[self.poses] = self.temperature, self.threshold
        nearest = min(chosen, key=lambda count: (abs(count - poses), count))
        temperature, threshold = chosen[nearest]
        promises: dict[str, Any] = {"limits": None, "expected": (), "of_card": False}  # of the poses that they were chosen with
        return replace(self, poses=poses, temperature=temperature, threshold=threshold, of_poses=nearest == poses, **promises)


def _of_card(card: TeamCard) -> dict[str, Any]:
    """What a calibrated team's card says for the number of poses that was chosen, and for no other."""
    limits = tuple(card.sets["limits"][name] for name in card.labels) if card.sets else None
    own = {"poses": card.poses or RUN_POSES, "temperature": card.temperature, "threshold": card.threshold}
    return {**own, "limits": limits, "expected": tuple(card.expected.get("rows", ())), "of_poses": True, "of_card": True}


def width_of(beam: Beam) -> float:
    """Full width in arcsec of the tested, round beam that a beam counts as: FIRST's for its southern ones, else that of its area."""
    return MIRABEST.beam_arcsec if beam.of_first_south else float(np.sqrt(np.prod(beam.axes)))


def read_calibration(folder: TeamFolder, card: TeamCard) -> Calibration:
    """That of a team's folder; of a team that was never calibrated, only its poses."""
    if card.temperature is None:
        return Calibration(poses=card.poses or RUN_POSES)
    file = folder.path / card.out_of_distribution["file"]
    if not file.is_file():
        raise RunRefusal(
            file, "no such file", "centre and precision of the features, as the card says", "Fetch or calibrate the team anew."
        )
    with refused_as(RunRefusal, file, "centre and precision of the members' features", "Fetch or calibrate the team anew."):
        stored = load_file(file)
        centre, precision = stored["centre"], stored["precision"]
        members, features = len(card.members), centre.shape[-1]
        for name, array, shape in (("centre", centre, (members, features)), ("precision", precision, (members, features, features))):
            if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ValueError(f"{name} is {array.dtype} {array.shape}, or not all finite")
    of_images = centre, precision, card.out_of_distribution["reach"]
    chosen = Calibration(1, 1.0, None, *of_images, card.resolved_from, card.tested_beams, card.thresholds)
    return replace(chosen, **_of_card(card))
