"""What a team or a run is worth under other conditions than its images': through larger beams, with more noise, in smaller fields."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.claim import claimed
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal
from equiradio.evaluation.prior import parse_prior
from equiradio.evaluation.transfer import Answered, ConditionScores, scored
from equiradio.inference.reading import BATCH
from equiradio.inference.team import Team, load
from equiradio.sky.conditions import Condition, all_seen
from equiradio.sky.recipe import MIRABEST
from equiradio.verbs.trained_data import labelled_split, not_held_back

Progress = Callable[[str, int, int], object]


class Transfer(TypedDict):
    """What ``TEAM/transfer/<data>-<split>.json`` holds: see docs/reference/files.md."""

    model: str
    data: str
    data_md5: str
    split: str
    conditions: list[ConditionScores]
    prior: NotRequired[str]
    unfinished: NotRequired[str]
    not_held_back: NotRequired[str]
    left_out: NotRequired[list[str]]


def transfer(
    what: str | Path,
    conditions: Sequence[Condition],
    *,
    data: str | None = None,
    split: str = "test",
    data_dir: Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    prior: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[Transfer, Path | None]:
    """Ask about every source of a split under every condition, and score the answers as a catalogue would hold them.

    Parameters
    ----------
    what : a run or a team, by folder or name.
    prior : mix of classes that answers are for, such as ``FRI=0.7,FRII=0.3``; scores are of the split's own mix all the same.
    conditions : as `equiradio.sky.conditions.conditions` reads them.

    Returns
    -------
    The scores, and the file in the folder that they were written to; None for a team by name, whose folder is not the user's.
    """
    team = load(what, device, precision)
    team = team if prior is None else team.for_prior(parse_prior(prior, team.labels))
    sources = _of_known_noise(labelled_split(what, team, data, data_dir, split))
    rows = [_under(team, sources, condition, progress) for condition in conditions]
    result: Transfer = {"model": team.name, "data": sources.name, "data_md5": sources.md5, "split": split, "conditions": rows}
    first = team.members[0]
    if unfinished := first.card.unfinished(first.settings.training.epochs):
        result["unfinished"] = unfinished
    if seen := not_held_back(first.card, team.card.chosen_on, sources.md5, split):
        result["not_held_back"] = seen
    if sources.left_out:
        result["left_out"] = list(sources.left_out)
    if prior is not None:
        result["prior"] = str(team.about["prior"])
    return result, _written(Path(what), result)


def _of_known_noise(sources: Sources) -> Sources:
    """Sources whose levels say what the noise was; others are refused."""
    if sources.recipe != MIRABEST:
        expected = "images by MiraBest's recipe, whose levels say what the noise was"
        raise DataRefusal(sources.where, "images by a recipe of their own", expected, "Evaluate without --through.")
    return sources


def _written(folder: Path, result: Transfer) -> Path | None:
    """The file in the folder of a run or team that the scores are written to; None where there is no such folder."""
    if not folder.is_dir():
        return None
    file = folder / "transfer" / f"{result['data']}-{result['split']}{'-prior' if 'prior' in result else ''}.json"
    with claimed(folder):
        write_json(file, result)
    return file


def _under(team: Team, sources: Sources, condition: Condition, progress: Progress) -> ConditionScores:
    """Answers about all sources under one condition, scored."""
    there, cutouts = all_seen(sources.source_ids, sources.images, condition)
    p, rows = [], []
    for first in range(0, len(there), BATCH):
        asked, answers = team.ask(cutouts[first : first + BATCH], why=False)
        rows += asked
        p.append(answers.p)
        progress(str(condition), min(first + BATCH, len(there)), len(there))
    answered: Answered = {
        "labels": sources.labels[there],
        "p": np.concatenate(p) if p else np.empty((0, len(team.labels))),
        "answered": np.array([not row["uncertain"] for row in rows], bool),
        "beams": np.array([np.nan if row["beams_across"] is None else row["beams_across"] for row in rows], float),
        "flags": [set(row["flag_names"].split()) for row in rows],
    }
    return scored(str(condition), answered, len(sources) - len(there))
