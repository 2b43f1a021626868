"""Sources that a network has learned from before, or was chosen by: those at the places of other data's training and validation sources.

Whether weights that were trained on one data set tell sources of another apart cannot be measured on sources that the first one had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from equiradio.datasets.registry import is_data, module_of, open_data, parts_of
from equiradio.datasets.sources import SPLITS, Sources
from equiradio.datasets.union import SAME_ARCSEC, column_of, partners, without_position
from equiradio.errors import DataRefusal, Refusal

Apart = Mapping[str, Sequence[str]]  # by split of the other data, the splits from which sources at its places are left out
LEARNED: Apart = {"train": ("validation", "test")}  # in training: what validates and tests was not learned from
CHOSEN: Apart = {**LEARNED, "validation": ("test",)}  # in calibration: what tests was not chosen by either
SCORED: Apart = {"train": SPLITS, "validation": SPLITS}  # in scores on data that a network was not trained on, all of which test it
WHY = {"train": ("training", "which {} learned from"), "validation": ("validation", "by which {} was chosen")}


def without_seen(
    sources: Sources, start_data: Mapping[str, str], data_dir: Path | None = None, who: str = "the start", apart: Apart = LEARNED
) -> Sources:
    """Sources without those that lie at sources of other data sets which were learned from, or have the pixels of one, or nearly.

    Parameters
    ----------
    start_data : data sets that a network learned from before, and their md5. None is fetched; one that cannot be opened here is a line of
        ``left_out``, as is how many sources are left out.
    who : learned from them, in words.
    apart : by split of these data sets, of which splits such sources are left out; by default of training sources those of validation
        and test.
    """
    for name, md5 in start_data.items():
        try:
            _check_here(name, data_dir)
            theirs = open_data(name, data_dir)
        except Refusal as refusal:
            why = f"{WHY[next(iter(apart))][1].format(who)} ({refusal.where}: {refusal.found})"
            sources = _noted(sources, f"{sources.name}: not compared with {name}, {why}; test sources may be among its own")
        else:
            if theirs.md5 != md5:
                sources = _noted(sources, f"{sources.name}: compared with {name} as it is now, not as {who} learned from it")
            sources = _without(sources, theirs, who, apart)
    return sources


def _without(sources: Sources, theirs: Sources, who: str, apart: Apart) -> Sources:
    """Sources without those at the places of another data set's, with lines of what is left out."""
    theirs = theirs.choose(np.isin(theirs.split, [*apart]))
    lines, near = without_position([sources, theirs]), _at_those_of(sources, theirs)
    gone = np.zeros(len(sources), bool)
    for split, ours in apart.items():
        seen = np.array([split in splits for splits in near], bool) & np.isin(sources.split, ours) & ~gone
        if counts := [f"{count:,} {own}" for own in ours if (count := int((seen & (sources.split == own)).sum()))]:
            placed = sources.ra_deg is not None and theirs.ra_deg is not None
            how = f"within {SAME_ARCSEC:g} arcsec" if placed else "with the pixels, or nearly these,"
            kind, why = WHY[split]
            line = f"{' and '.join(counts)} sources left out, {how} of {kind} sources of {theirs.name}, {why.format(who)}"
            lines.append(f"{sources.name}: {line}")
        gone |= seen
    return _noted(sources.choose(~gone), *lines)


def _at_those_of(sources: Sources, others: Sources) -> list[set[str]]:
    """Of each source the splits in which it has a partner among others."""
    both = (sources, others)
    owner = np.repeat([0, 1], [len(part) for part in both])
    images, made_up = [*sources.images, *others.images], np.concatenate([part.made_up for part in both])
    near = partners(column_of(both, "ra_deg"), column_of(both, "dec_deg"), images, owner, made_up)
    split = [*sources.split, *others.split]
    return [{split[other] for other in near.get(row, ())} for row in range(len(sources))]


def _noted(sources: Sources, *lines: str) -> Sources:
    return replace(sources, left_out=tuple(dict.fromkeys([*sources.left_out, *lines])))


def _check_here(name: str, data_dir: Path | None) -> None:
    """Refuse a data set that would have to be fetched, or that is none."""
    if not is_data(name):
        raise DataRefusal(name, "no data set and no folder here", "one of these", "Put it back.")
    for module in filter(None, map(module_of, parts_of(name))):
        if hasattr(module, "verify"):
            module.verify(data_dir)
