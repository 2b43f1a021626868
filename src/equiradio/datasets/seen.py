"""Held-back sources that a network has learned from before: those at the places of training sources of its start's data.

Whether weights that were trained on one data set tell sources of another apart cannot be measured on sources that the first one had.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from equiradio.datasets.registry import is_data, module_of, open_data, parts_of
from equiradio.datasets.sources import Sources
from equiradio.datasets.union import SAME_ARCSEC, column_of, partners, without_position
from equiradio.errors import DataRefusal, Refusal


def without_seen(sources: Sources, start_data: Mapping[str, str], data_dir: Path | None = None, who: str = "the start") -> Sources:
    """Sources without those of validation and test that lie at training sources of other data sets, or have the pixels of one, or nearly.

    Parameters
    ----------
    start_data : data sets that a network learned from before, and their md5. None is fetched; one that cannot be opened here is a line of
        ``left_out``, as is how many sources are left out.
    who : learned from them, in words.
    """
    for name, md5 in start_data.items():
        try:
            _check_here(name, data_dir)
            theirs = open_data(name, data_dir)
        except Refusal as refusal:
            reason = f"{refusal.where}: {refusal.found}"
            lines = [f"{sources.name}: not compared with {name}, which {who} learned from ({reason}); test sources may be among its own"]
        else:
            lines = [] if theirs.md5 == md5 else [f"{sources.name}: compared with {name} as it is now, not as {who} learned from it"]
            sources, further = _without(sources, theirs.of_split("train"), who)
            lines += further
        sources = replace(sources, left_out=tuple(dict.fromkeys([*sources.left_out, *lines])))
    return sources


def _check_here(name: str, data_dir: Path | None) -> None:
    """Refuse a data set that would have to be fetched, or that is none."""
    if not is_data(name):
        raise DataRefusal(name, "no data set and no folder here", "one of these", "Put it back.")
    for module in filter(None, map(module_of, parts_of(name))):
        if hasattr(module, "verify"):
            module.verify(data_dir)


def _without(sources: Sources, learned: Sources, who: str) -> tuple[Sources, list[str]]:
    """The sources that may be held back, and in lines what is left out."""
    seen = _at_those_of(sources, learned) & (sources.split != "train")
    counts = [f"{count:,} {split}" for split in ("validation", "test") if (count := int((seen & (sources.split == split)).sum()))]
    lines = without_position([sources, learned])
    if counts:
        how = "with the pixels, or nearly these," if sources.ra_deg is None or learned.ra_deg is None else f"within {SAME_ARCSEC:g} arcsec"
        why = f"{how} of training sources of {learned.name}, which {who} learned from"
        lines.append(f"{sources.name}: {' and '.join(counts)} sources left out, {why}")
    return sources.choose(~seen), lines


def _at_those_of(sources: Sources, learned: Sources) -> np.ndarray:
    """Which sources have a partner among others: bool (count,)."""
    both = (sources, learned)
    owner = np.repeat([0, 1], [len(part) for part in both])
    images, made_up = [*sources.images, *learned.images], np.concatenate([part.made_up for part in both])
    near = partners(column_of(both, "ra_deg"), column_of(both, "dec_deg"), images, owner, made_up)
    return np.array([row in near for row in range(len(sources))], bool)
