"""Finished runs in a folder of results, read without torch."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from equiradio.artefacts.card import Card
from equiradio.artefacts.map_archive import archived, holder_of, maps_in
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import read_predictions
from equiradio.artefacts.team import TeamFolder
from equiradio.errors import RunRefusal, refused_as
from equiradio.evaluation.scores import Arranged, arranged
from equiradio.settings import Settings, as_named, preset

SPLIT = "test"
UNTRAINED = "untrained"  # folder of the maps of networks that were never trained
NAMED = re.compile(r"(?P<model>.+)-(?P<data>[^/]+)-(?P<preset>paper|fast|quick)-seed(?P<seed>\d+)")  # of such maps without a card


@dataclass(frozen=True)
class Result:
    """One run and what it was trained by."""

    run: Run
    card: Card
    settings: Settings

    @property
    def model(self) -> str:
        return self.card.model

    @property
    def predictions_file(self) -> Path:
        return self.run.predictions_file(self.card.data, SPLIT)

    @property
    def equivariant(self) -> bool:
        """Do its filters respect a group?"""
        return self.card.group != "none"

    @property
    def as_preset(self) -> bool:
        """Trained as its preset says, whatever the model, data, seed and the machine's precision and layer forms."""
        usual = preset(self.settings.training.preset)
        named = as_named(replace(usual.model, name=self.settings.model.name))
        return _general(self.settings) == _general(replace(usual, model=named))

    @property
    def complete(self) -> bool:
        """Has it had all of its epochs, or run out of patience?"""
        return self.card.state == "finished"

    @property
    def per_source(self) -> np.ndarray:
        """Probability of FRII of every test source, float64 (sources,): the mean over passes."""
        return self.predictions.views.mean(axis=1)

    @cached_property
    def predictions(self) -> Arranged:
        return arranged(read_predictions(self.predictions_file), f"{self.predictions_file}")

    @cached_property
    def maps(self) -> dict[str, np.ndarray] | None:
        """The arrays of maps.npz; None for networks without gates. Those of other sources than the predictions' are refused.

        Hybrids have a map and no place in the arranged predictions.
        """
        if holder_of(self.run.maps_file) is None:
            return None
        maps = read_maps(self.run.maps_file)
        if set(maps["source_id"][maps["label"] >= 0].tolist()) != set(self.predictions.source_ids.tolist()):
            found = f"maps of {len(maps['source_id']):,} sources that are not those of the {SPLIT} split"
            do = "Run 'equiradio evaluate' on the run again; maps are those of the last evaluation."
            raise RunRefusal(self.run.maps_file, found, f"maps of {self.predictions_file.name}", do)
        return maps


@dataclass(frozen=True)
class Results:
    """Runs of one data set and preset (``runs``), runs that changed other settings (``variants``), maps of untrained networks by name."""

    folder: Path
    data: str
    preset: str
    runs: list[Result]
    variants: list[Result]
    untrained: dict[str, Path]

    def of(self, model: str) -> list[Result]:
        """The runs of a model by seed."""
        return sorted((result for result in self.runs if result.model == model), key=lambda result: result.card.seed)

    def equivariant(self) -> set[str]:
        """Models whose filters respect a group, as their cards say."""
        return {result.model for result in [*self.runs, *self.variants] if result.equivariant}

    def shown(self, model: str) -> Result:
        """The first seed of a model that has maps."""
        return next(result for result in self.of(model) if result.maps is not None)


def read_results(folder: Path, wanted: str | None = None, wanted_data: str | None = None) -> Results:
    """Every run in a folder, or in the folders in it.

    Parameters
    ----------
    folder : such as ``results`` or what ``equiradio reproduce --out`` named.
    wanted, wanted_data : preset and data set of Table 1; by default those with most runs that are evaluated.

    Raises
    ------
    RunRefusal : no such folder, or no evaluated run in it.
    """
    if not folder.is_dir():
        raise RunRefusal(folder, "no such folder", "a folder of finished runs", "Train and evaluate first, or correct the path.")
    cards = sorted({*folder.glob("*/card.json"), *folder.glob("*/*/card.json")} - {*folder.glob(f"{UNTRAINED}/*/card.json")})
    runs_here = [Run(card.parent) for card in cards if not TeamFolder(card.parent).is_team]
    every = [Result(run, run.card(), run.settings()) for run in runs_here]
    evaluated = [result for result in every if result.predictions_file.is_file()]
    usual = [result for result in evaluated if result.as_preset]
    kinds = Counter((result.card.data, result.settings.training.preset) for result in usual)
    kinds = Counter({kind: count for kind, count in kinds.items() if wanted in (None, kind[1]) and wanted_data in (None, kind[0])})
    if not kinds:
        what = f"{len(every)} runs, {len(evaluated)} of them with predictions on the {SPLIT} split, none by preset {wanted or 'alone'}"
        raise RunRefusal(folder, what, "at least one finished and evaluated run", "Run 'equiradio evaluate' on the runs first.")
    (data, name), _ = max(kinds.items(), key=lambda kind: (kind[1], kind[0]))
    runs = [result for result in usual if (result.card.data, result.settings.training.preset) == (data, name)]
    _refuse_other_sources(runs)
    variants = [result for result in every if not result.as_preset and result.card.data == data]
    return Results(folder, data, name, runs, variants, _untrained(folder, data))


def read_maps(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a maps.npz, which may lie in an archive of the results."""
    with refused_as(RunRefusal, path, "maps of an evaluation", "Run 'equiradio evaluate' on the run again."):
        arrays = maps_in(path)
        if lacking := [name for name in ("source_id", "label", "maps", "mean_maps", "mean_images") if name not in arrays]:
            raise ValueError(f"no {', '.join(lacking)}")
        return arrays


def _untrained(folder: Path, data: str) -> dict[str, Path]:
    """Maps of an untrained network of each model, as the card beside them says; those of before there were cards by their folder's name."""
    maps: dict[str, Path] = {}
    shelved = {path for path in archived(folder) if path.match(f"{UNTRAINED}/*/maps.npz")}
    for path in sorted({*folder.glob(f"{UNTRAINED}/*/maps.npz"), *shelved}):
        run = Run(path.parent)
        if run.card_file.is_file():
            card = run.card()
            if card.data == data:
                maps.setdefault(card.model, path)
        elif named := NAMED.fullmatch(path.parent.name):
            maps.setdefault(named["model"], path)
    return maps


def _general(settings: Settings) -> Settings:
    return replace(
        settings,
        model=replace(settings.model, name=""),
        data=replace(settings.data, name=""),
        training=replace(settings.training, seed=0, precision="auto", layer_form="auto"),
    )


def _refuse_other_sources(runs: list[Result]) -> None:
    first = runs[0]
    for other in runs[1:]:
        if not np.array_equal(first.predictions.source_ids, other.predictions.source_ids):
            found = f"{len(other.predictions.source_ids)} sources, not those of {first.run.folder}"
            raise RunRefusal(other.predictions_file, found, "the same test sources in every run", "Evaluate both on the same data.")
        if torn := int((first.predictions.labels != other.predictions.labels).sum()):
            found = f"{torn} sources of another label than in {first.run.folder}"
            raise RunRefusal(other.predictions_file, found, "the same labels in every run", "Evaluate both on the same data.")
