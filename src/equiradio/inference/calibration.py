"""What was chosen for a team on validation, as it is used: poses, temperature, threshold, and how far known sources reach."""

from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file

from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.errors import RunRefusal, refused_as

RUN_POSES = 4  # of a run, which has no card that says how many


@dataclass(frozen=True)
class Calibration:
    """Chosen on the validation split, by ``equiradio calibrate``.

    Attributes
    ----------
    poses : how many each member is asked in.
    temperature : logits are divided by it.
    threshold : abstain where the top probability is lower; None where it was never chosen.
    centre, precision, reach : mean (members, features) and inverse covariance (members, features, features) of the features of validation
        sources, and the distance beyond which an image is unusual; None likewise.
    """

    poses: int = RUN_POSES
    temperature: float = 1.0
    threshold: float | None = None
    centre: np.ndarray | None = None
    precision: np.ndarray | None = None
    reach: float | None = None

    @property
    def calibrated(self) -> bool:
        return self.threshold is not None


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
    return Calibration(card.poses or RUN_POSES, card.temperature, card.threshold, centre, precision, card.out_of_distribution["reach"])


def count_of(count: int, noun: str) -> str:
    """Such as ``1 pose`` and ``2 poses``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
