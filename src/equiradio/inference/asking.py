"""Members asked about a split pose by pose, every answer kept on disk, so that an interrupted asking goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiradio.artefacts.atomic import write_atomically
from equiradio.errors import RunRefusal, refused_as
from equiradio.inference.member import Member
from equiradio.inference.posed import in_pose

Progress = Callable[[str, int, int], object]


class SplitAnswers(NamedTuple):
    """Logits (members, poses, sources, classes), and features of the image as it is (members, sources, features); float64."""

    logits: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Asking:
    """Members and the folder of their answers; a file is named by the weights that gave it, so that no other's are taken for these."""

    members: tuple[Member, ...]
    folder: Path
    progress: Progress

    def ask(self, images: np.ndarray, split: str, poses: int) -> SplitAnswers:
        """Every member in every pose about raw images uint8 (count, 150, 150); what is there is not asked again."""
        logits, features = [], []
        total = len(self.members) * poses
        for number, member in enumerate(self.members):
            answers = []
            for pose in range(poses):
                answers.append(self._one(member, images, split, pose))
                self.progress(f"{split}, {poses} pose{'s' * (poses > 1)}", number * poses + pose + 1, total)
            logits.append([answer[0] for answer in answers])
            features.append(answers[0][1])
        asked = SplitAnswers(np.array(logits), np.array(features))
        if not all(np.isfinite(part).all() for part in asked):
            raise RunRefusal(self.folder, f"answers about the {split} split are not finite", "finite logits", "Train the runs anew.")
        return asked

    def _one(self, member: Member, images: np.ndarray, split: str, pose: int) -> tuple[np.ndarray, np.ndarray]:
        file = self.folder / f"{split}-{member.weights_hash[:12]}-pose{pose}.npz"
        if not file.is_file():
            posed = in_pose(member, images, pose, outputs=False)
            write_atomically(file, lambda part: np.savez(part, logits=posed.logits, features=posed.features))
        refused = refused_as(RunRefusal, file, "answers of a member", "Delete it to ask again.")
        with refused, file.open("rb") as content, np.load(content, allow_pickle=False) as stored:
            logits, features = stored["logits"], stored["features"]
            if {len(logits), len(features)} != {len(images)} or logits.dtype.kind + features.dtype.kind != "ff":
                raise ValueError(f"{len(logits)} x {logits.dtype} and {len(features)} x {features.dtype} about {len(images)} sources")
            return logits, features
