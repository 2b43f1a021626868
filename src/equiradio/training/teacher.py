"""Distillation: what a trained team says of the training sources, and of simulated skies that have no label.

Source: Hinton, Vinyals & Dean 2015. A network learns from probabilities more than which class is right: how sure one may be.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiradio.datasets.simulated import simulate
from equiradio.datasets.sources import Sources
from equiradio.errors import SettingRefusal
from equiradio.evaluation.choosing import mean_probabilities
from equiradio.inference.asking import Asking
from equiradio.inference.team import Team, load
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.settings import TrainingSettings
from equiradio.sky.recipe import MIRABEST, Recipe, apart

SKIES_SEED = 2021  # of the simulated sources: others than those of the data set `simulated`, whose seed is 0


class Lesson(NamedTuple):
    """What a network learns from.

    Attributes
    ----------
    teacher : name of the team, and the beginning of the hash of its weights.
    targets : float32 (sources + skies, classes), probabilities.
    skies : uint8 (skies, 150, 150), images without a label.
    notes : in a line each, what of the teacher is doubtful.
    """

    teacher: str
    targets: np.ndarray
    skies: np.ndarray
    notes: tuple[str, ...] = ()


def open_teacher(training: TrainingSettings, classes: Labels, recipe: Recipe, device: str) -> Team | None:
    """The team to learn from, about images of these classes and by this recipe; None where the settings name none.

    Raises
    ------
    SettingRefusal : it distinguishes other classes or reads images by another recipe; there are skies without a teacher, or beside images
        of classes that cannot be simulated or by another recipe.
    """
    if not training.teacher:
        if training.skies:
            do = "Name a team, for example --set training.teacher=c8-attention."
            raise SettingRefusal("training.skies", f"{training.skies:,}, and no training.teacher", "a teacher, who labels them", do)
        return None
    team = load(training.teacher, device)
    if team.labels.names != classes.names:
        do = "Choose a team of these classes."
        raise SettingRefusal("training.teacher", f"{training.teacher} tells {team.labels} apart", f"a team of {classes}", do)
    if odd := apart(recipe, team.recipe):
        found = f"the data's images are made by another recipe than those of {training.teacher}: {odd}"
        raise SettingRefusal("training.teacher", found, "a team of the same recipe", "Choose another.")
    if training.skies and classes.names != FANAROFF_RILEY.names:
        raise SettingRefusal("training.skies", f"{training.skies:,} for {classes}", "0: skies are FRI and FRII", "Leave it out.")
    if training.skies and (odd := apart(recipe, MIRABEST)):
        found = f"{training.skies:,} beside images by another recipe than MiraBest's: {odd}"
        raise SettingRefusal("training.skies", found, "0: skies are made as MiraBest's images are", "Leave it out.")
    return team


def ask_teacher(
    team: Team, training: TrainingSettings, train: Sources, folder: Path, progress: Callable[[str, int, int], object]
) -> Lesson:
    """Ask a team about the training sources and the skies; its answers are kept in ``folder``, so that an interrupted asking goes on."""
    skies = simulate(training.skies, SKIES_SEED, progress).images if training.skies else train.images[:0]
    asking, poses, temperature = Asking(team.members, folder, progress), team.calibration.poses, team.calibration.temperature
    answers = lambda images, what: mean_probabilities(asking.ask(images, what, poses).logits, temperature)
    share, certain = training.teacher_share, train.shares
    targets = [(1 - share) * certain + share * answers(train.images, "train")]
    if training.skies:
        targets.append(answers(skies, "skies"))
    doubt = f"training.teacher: {team.name} is not calibrated: what is learned are its probabilities at temperature 1, in {poses} poses"
    notes = () if team.calibration.calibrated else (doubt,)
    return Lesson(team.name, np.concatenate(targets).astype(np.float32), skies, notes)
