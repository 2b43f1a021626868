"""Make a team of runs: poses, temperature, threshold, reach and resolution chosen on validation, the test split looked at once."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from equiradio.artefacts.atomic import is_unused, write_json
from equiradio.artefacts.card import Card
from equiradio.artefacts.claim import claimed, is_claimed
from equiradio.artefacts.job import JOB, catalogue_hash, read_job, refuse_other, validation_hash
from equiradio.artefacts.run import Run
from equiradio.artefacts.team import TeamCard, TeamFolder, run_of, shared_settings
from equiradio.artefacts.weights import halve_weights
from equiradio.compute.device import choose_device
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal, RunRefusal, SettingRefusal
from equiradio.evaluation.choosing import POSES
from equiradio.inference.asking import Asking, Progress
from equiradio.inference.team import open_members
from equiradio.verbs.cascade_choice import Last, open_last, with_cascade
from equiradio.verbs.promises_choice import with_coverage, with_expected, with_sets, with_thresholds
from equiradio.verbs.resolution_choice import with_resolution
from equiradio.verbs.team_choices import choose, score
from equiradio.verbs.team_page import write_page
from equiradio.verbs.trained_data import trained_data


def calibrate(
    runs: Sequence[Path],
    out: Path,
    *,
    data: str | None = None,
    most_poses: int = POSES[-1],
    cascade: str | None = None,
    data_dir: Path | None = None,
    device: str = "cpu",
    progress: Progress = lambda what, done, total: None,
) -> TeamCard:
    """Make a team of finished runs that differ in nothing but their seed. Interrupted, the same call goes on where it stopped.

    Parameters
    ----------
    runs : their folders.
    out : the team's folder; new, or one that an interrupted call of the same runs and data left.
    data : a data set with a validation split, by default the one that the runs were trained on. Its test split is looked at once.
    most_poses : up to how many poses are tried: 1, 2, 4, 8; more are asked only while they lower the validation loss.
    cascade : a calibrated team, by name or folder, to be asked where this one is not sure; from where it is sure is chosen too.

    Returns
    -------
    The team's card, as written to ``out``/card.json.

    Raises
    ------
    RunRefusal : runs that are not finished, of other settings, or twice of one seed; a folder that holds something else.
    DataRefusal : other data, or without a validation split.
    """
    folder, (runs, cards) = TeamFolder(out), _checked(runs, most_poses)
    first = _first_card(runs, cards)
    last, sources = open_last(cascade, first, device), _data(runs[0], cards[0], data, data_dir)
    with claimed(out):
        parts = _begin(folder, _job(runs, sources, most_poses))
        first = _halved(folder, first.with_changes(chosen_on=_chosen_on(cards[0], sources)), runs)
        asking = Asking(open_members(folder, first, choose_device(device)), parts, progress)
        team = _measured(folder, first, asking, sources, most_poses, last)
        shutil.rmtree(parts)
    return team


def _job(runs: Sequence[Path], sources: Sources, most_poses: int) -> "Job":
    """What answers that are put aside are of."""
    return {
        "members": [Run(run).weights_digest() for run in runs],
        "data_md5": sources.md5,
        "catalogue": catalogue_hash(sources.of_split("validation"), sources.of_split("test")),
        "poses": most_poses,
    }


def _halved(folder: TeamFolder, first: TeamCard, runs: Sequence[Path]) -> TeamCard:
    """Write the members' weights and their card into the folder, without anything that is chosen or measured."""
    members = []
    for run, card in zip(runs, first.members, strict=True):
        halved = halve_weights(Run(run).weights_file, folder.weights_file(card.seed), model=card.model, group=card.group)
        members.append(card.with_changes(weights_hash=halved))
    first = first.with_changes(members=members)
    folder.write_card(first)
    return first


def _measured(folder: TeamFolder, first: TeamCard, asking: Asking, sources: Sources, most_poses: int, last: Last | None) -> TeamCard:
    """The card with what is chosen on validation and measured on test, as it is written, and the page."""
    chosen = choose(folder, first, asking, sources.of_split("validation"), most_poses)
    chosen = with_resolution(chosen, asking, sources.of_split("validation"))
    chosen = with_thresholds(folder, chosen, asking, sources.of_split("validation"))
    chosen = with_sets(chosen, asking, sources.of_split("validation"))
    team = with_expected(folder, chosen, asking, sources.of_split("validation"))
    test = sources.of_split("test")
    if (test.labels >= 0).any():
        team = with_coverage(team.with_changes(test=score(folder, team, asking, test)), asking, test)
    team = with_cascade(folder, team, asking, last, sources)
    write_page(folder, team, asking, sources)
    folder.write_card(team)
    return team


def _checked(runs: Sequence[Path], most_poses: int) -> tuple[list[Path], list[Card]]:
    """The runs in the order of their seeds, and their cards; they must be finished and go together."""
    if most_poses not in POSES:
        raise SettingRefusal("--poses", f"{most_poses}", f"one of {', '.join(map(str, POSES))}", "8 is the most.")
    cards = []
    for run in map(run_of, runs):
        card = run.card()
        if card.state != "finished" or is_claimed(run.folder):
            found = "somebody trains in it" if is_claimed(run.folder) else f"its training is {card.state}"
            raise RunRefusal(run.folder, found, "a finished training", "Finish it with 'equiradio train ... --resume'.")
        cards.append(card)
    for card, folder in zip(cards, runs, strict=True):
        if _kind(card) != _kind(cards[0]):
            found = f"{card.model} of {card.labels} on {card.data} beside {cards[0].model} of {cards[0].labels} on {cards[0].data}"
            raise RunRefusal(folder, found, "runs of one model, its classes and data", "Choose runs alike.")
    learned = {card.training_hash: folder for card, folder in zip(cards, runs, strict=True) if card.training_hash}
    if len(learned) > 1:
        one, other = list(learned.values())[:2]
        found = f"trained on other sources or labels of {cards[0].data} than {one}"
        raise RunRefusal(other, found, "runs of one model, its classes and data", "Choose runs of the same splits and labels.")
    pairs = sorted(zip(runs, cards, strict=True), key=lambda pair: pair[1].seed)
    return [run for run, _ in pairs], [card for _, card in pairs]


def _kind(card: Card) -> tuple[str, tuple[str, ...], str]:
    """What the runs of a team share: model, names of the classes, data."""
    return card.model, card.labels.names, card.data_md5


def _first_card(runs: Sequence[Path], cards: list[Card]) -> TeamCard:
    """The team's card before anything is chosen. Two runs of one seed answer alike; asked last, since of unlike runs seeds say nothing."""
    first = TeamCard(cards[0].model, cards, shared_settings([Run(run).settings() for run in runs]), cards[0].images.as_card())
    for number, (card, folder) in enumerate(zip(cards, runs, strict=True)):
        if card.seed in [other.seed for other in cards[:number]]:
            raise RunRefusal(folder, f"a second run of seed {card.seed}", "runs of different seeds", "Leave one of them out.")
    return first


def _data(run: Path, card: Card, named: str | None, data_dir: Path | None) -> Sources:
    """The data named, or those of the first run, which must have validation sources of every class."""
    sources = trained_data(run, card, Run(run).settings().data, named, data_dir)
    validation = sources.of_split("validation")
    for place, name in enumerate(sources.classes):
        if not (validation.labels == place).any():
            found = f"no {name} among {len(validation):,} validation sources"
            raise DataRefusal(sources.where, found, "some of every class", "Choose data with a validation split.")
    return sources


def _chosen_on(card: Card, sources: Sources) -> dict[str, str]:
    """The data set and its md5 where its validation sources are not those that the runs' epochs were chosen by.

    The name of a folder of one's own begins with "./", which no data set's does.
    """
    own = sources.md5 == card.data_md5 and card.validation_hash in ("", validation_hash(sources))
    return {} if own else {f"./{sources.name}" if sources.folder else sources.name: sources.md5}


class Job(TypedDict):
    """What the stored answers are answers of: hashes of the members' weights, MD5 of images, hash of their catalogue, the most poses."""

    members: list[str]
    data_md5: str
    catalogue: str
    poses: int


def _begin(folder: TeamFolder, job: Job) -> Path:
    """Where answers are kept until all are there; refuses a folder that is not this job's."""
    whole = folder.path.resolve()
    parts = whole.parent / f"{whole.name}.parts"
    before = read_job(parts / JOB)
    if before is not None:
        refuse_other(parts, before, job, "answers of a calibration", "Repeat that command, or delete the folder.")
    elif not is_unused(folder.path):
        raise RunRefusal(folder.path, "holds something already", "a new or an empty folder", "Choose another --out.")
    write_json(parts / JOB, job)
    return parts
