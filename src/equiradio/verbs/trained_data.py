"""The data of a finished training: those that the user names, or those that it was trained on, looked for where they were."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equiradio.artefacts.card import Card
from equiradio.artefacts.job import training_hash, validation_hash
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.folds import fold_of, in_fold
from equiradio.datasets.registry import chosen_split, is_data, open_data
from equiradio.datasets.seen import CHOSEN, SCORED, without_seen
from equiradio.datasets.sources import SPLITS, Sources
from equiradio.errors import DataRefusal, RunRefusal
from equiradio.inference.member import Member
from equiradio.inference.team import Team
from equiradio.printable import in_one_line
from equiradio.settings import DataSettings
from equiradio.sky.recipe import in_place_of

ALL, HELD_BACK = "all", "test"  # every source of data that a network was not trained on; as what they count then


class Purpose(NamedTuple):
    """What sources are wanted for.

    Attributes
    ----------
    scored : answers about them are scored and nothing is chosen on them: of other data than the network's own no split holds what it
        learned from, or was chosen by. Else such sources are not in the test split alone, and training ones not in that of validation.
    every : all sources are held back, whatever split the data have; refused of the data that it was trained on.
    chosen_on : further data by whose validation sources a team's temperature and threshold were chosen, and their md5.
    """

    scored: bool = False
    every: bool = False
    chosen_on: Mapping[str, str] = {}


CHOICE = Purpose()


def is_run(what: str | Path) -> bool:
    """The folder of a run, and not that of a team or a team's name?"""
    return Path(what).is_dir() and not TeamFolder(Path(what)).is_team


def open_sources(what: str | Path, member: Member, data: str | None, data_dir: Path | None, purpose: Purpose = CHOICE) -> Sources:
    """The data named, or those that a run or a team's member was trained on, of which a team's settings do not hold the name."""
    trained_on = member.settings.data if is_run(what) else replace(member.settings.data, name=member.card.opened_as)
    return trained_data(what, member.card, trained_on, data, data_dir, purpose)


def labelled_split(what: str | Path, team: Team, data: str | None, data_dir: Path | None, split: str) -> Sources:
    """The sources of a class in one split of the data named, or in ``all`` of data that the network was not trained on.

    Raises
    ------
    RunRefusal : as `trained_data`. DataRefusal : none.
    """
    every = split == ALL
    sources = open_sources(what, team.members[0], data, data_dir, Purpose(scored=True, every=every, chosen_on=team.card.chosen_on))
    if every and not len(sources):
        found = f"none is left ({sources.left_out[-1] if sources.left_out else 'none was there'})"
        raise DataRefusal(sources.where, found, "sources that the network has not learned from", "Choose other data.")
    sources = chosen_split(sources, HELD_BACK if every else split)
    if not (sources.labels >= 0).any():
        raise DataRefusal(sources.where, f"no source of split '{split}' has a class", "some", "Choose another split.")
    return sources.choose(sources.labels >= 0)


def not_held_back(card: Card, chosen_on: Mapping[str, str], data_md5: str, split: str) -> str:
    """What scores of a split are no test of, in words; "" of sources that are held back."""
    own, calibrated = data_md5 == card.data_md5, data_md5 in chosen_on.values()
    if own and split == "train":
        return "it has learned from these sources"
    if split == "validation" and (own or calibrated):
        return "it was chosen by these sources (epochs, and of a team temperature and threshold)"
    return ""


def trained_data(
    run: object, card: Card, trained_on: DataSettings, named: str | None, data_dir: Path | None, purpose: Purpose = CHOICE
) -> Sources:
    """The data named, or else those that a run was trained on, without held-back sources that its start learned from or was chosen by.

    How many these are is logged. The same data by another name are dealt into folds as it was trained on them.

    Parameters
    ----------
    run : as the user named it.
    card : of the run or of a team's member.
    trained_on : its settings.
    purpose : what the sources are wanted for.

    Raises
    ------
    RunRefusal : the data that it was trained on are not there any more, or are others now; or the data have other classes.
    """
    if named is None and not is_data(trained_on.name):
        found = (
            f"was trained on '{trained_on.name}', which is no data set and no folder here (looked for {Path(trained_on.name).absolute()})"
        )
        raise RunRefusal(run, found, "the data that it was trained on", "Name the folder by --data, wherever it is now.")
    sources = open_data(named or trained_on.name, data_dir, trained_on.classes)
    if named and sources.md5 == card.data_md5 and fold_of(named)[1] is None and (fold := fold_of(trained_on.name)[1]):
        sources = in_fold(sources, fold)
    if named is None and sources.md5 != card.data_md5:
        found = f"{sources.where} has md5 {sources.md5}, but it was trained on {card.data_md5}"
        raise RunRefusal(run, found, "the same data", f"Say --data {trained_on.name} if that is meant.")
    _refuse_unlike(run, card, sources)
    opened = sources.left_out
    if purpose.every:
        if named in (None, trained_on.name) or sources.md5 == card.data_md5:
            found = f"--split {ALL}, but it has learned from the training sources of {sources.where}"
            raise RunRefusal(run, found, f"one split, or {ALL} of other data", "Say --split test, or name other data by --data.")
        sources = _all_held_back(sources, purpose.chosen_on)
    new = _without_learned(run, card, trained_on, named, sources, data_dir, purpose)
    for line in (*_other_recipe(run, card, sources), *new.left_out[len(opened) :]):
        logging.getLogger("equiradio").warning("%s", in_one_line(line))
    return new


def _refuse_unlike(run: object, card: Card, sources: Sources) -> None:
    """Refuse sources of other classes, or of images of another side."""
    if sources.classes.names != card.labels.names:
        found = f"{sources.where} has the classes {sources.classes}, but it was trained on {card.labels}"
        there = set(card.labels.names) <= set(sources.classes.names)
        do = f"Import them with --classes {','.join(card.labels.names)}." if there else "Choose data of its own classes, named so."
        raise RunRefusal(run, found, "the same classes in the same order", do)
    if (side := sources.recipe.side) != card.images.side:
        found = f"images of {sources.where} have {side} x {side} pixels, but it was trained on {card.images.side} x {card.images.side}"
        raise RunRefusal(run, found, "images of the same side", f"Import them with --side {card.images.side}.")


def _other_recipe(run: object, card: Card, sources: Sources) -> list[str]:
    """A line where images are made otherwise than those that a run learned from; none where they are made alike."""
    ways = in_place_of(sources.recipe, card.images.as_card())
    return [f"{sources.where}: images made otherwise than those that {run} learned from ({ways})"] if ways else []


def _all_held_back(sources: Sources, chosen_on: Mapping[str, str]) -> Sources:
    """All sources as test ones, but for those of validation that a team was chosen by."""
    validation = sources.split == "validation"
    if sources.md5 in chosen_on.values() and validation.any():
        line = f"{sources.name}: {validation.sum():,} validation sources left out, by which the team was chosen"
        sources = replace(sources, left_out=(*sources.left_out, line)).choose(~validation)
    return replace(sources, split=np.full(len(sources), HELD_BACK))


def _without_learned(
    run: object, card: Card, trained_on: DataSettings, named: str | None, sources: Sources, data_dir: Path | None, purpose: Purpose
) -> Sources:
    """Sources without those that the run, or its start, learned from or was chosen by, as far as the purpose asks for it.

    Raises
    ------
    RunRefusal : the data that it was trained on have other training sources or labels now.
    """
    own = sources.md5 == card.data_md5 and card.training_hash in ("", training_hash(sources))
    apart = SCORED if purpose.scored else CHOSEN
    started = without_seen(sources, card.start_data, data_dir, apart=CHOSEN if own else apart)
    further = {name: md5 for name, md5 in purpose.chosen_on.items() if md5 != sources.md5}
    new = without_seen(started, further, data_dir, "the team", {"validation": SPLITS})
    if own:
        if card.validation_hash in ("", validation_hash(sources), validation_hash(started)):
            return new
        other = f"{sources.where} has other validation sources or labels now than the run's best epoch was chosen by"
        return replace(new, left_out=(*new.left_out, f"{run}: {other}; those that it is scored on may be among them"))
    if named not in (None, trained_on.name):
        return without_seen(new, {trained_on.name: card.data_md5}, data_dir, "the network", apart)
    other = f"{sources.where} has other training sources, labels or images now than it was trained on"
    if named is None:
        raise RunRefusal(run, other, "the same data", f"Put them back, or say --data {trained_on.name} if that is meant.")
    return replace(new, left_out=(*new.left_out, f"{run}: {other}; it may have learned from some that are held back now"))
