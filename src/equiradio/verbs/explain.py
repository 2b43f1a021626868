"""Explain a trained network: every part in turn, measured once and kept on disk, and a page of all of them."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.claim import Claim, claimed
from equiradio.artefacts.job import catalogue_hash
from equiradio.artefacts.run import Run
from equiradio.datasets.registry import chosen_split
from equiradio.datasets.sources import Sources
from equiradio.errors import Refusal, RunRefusal
from equiradio.explain.case import Case, Effort, Progress, evenly
from equiradio.explain.folder import Folder, plain
from equiradio.explain.page import write_page
from equiradio.explain.part import parts
from equiradio.inference.member import Member
from equiradio.inference.team import Team, load, member_of
from equiradio.settings import Settings, change
from equiradio.verbs.trained_data import is_run, open_sources

VERSION = 4  # of the measures and arrays: a folder made by another version is not gone on with
DIGITS = 16  # of the hash of a network's weights


class Networks(NamedTuple):
    """The network that is explained, what it is called, and the others by name."""

    name: str
    member: Member
    members: dict[str, Member]


def explain(
    run: str | Path,
    out: Path,
    *,
    seed: int | None = None,
    members: Sequence[str | Path] | None = None,
    against: Path | None = None,
    data: str | None = None,
    split: str = "test",
    data_dir: Path | None = None,
    effort: Effort | None = None,
    device: str = "cpu",
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Measure a trained network's explanations and write them to a folder.

    Parameters
    ----------
    run : a run folder, or a team by folder or name, of which one member is explained.
    seed : of that member; by default the team's first.
    members : other runs or teams, for ensemble and agreement; by default the team's other members, or the run's `siblings`.
    against : an explanation of another network on the same sample, for comparison.
    data : a data set, by default the one the network was trained on.

    Returns
    -------
    The summary, as written to ``OUT/explanation.json``.
    """
    folder, other = Folder(out), Folder(against) if against else None
    if other and not other.summary("symmetry"):
        raise RunRefusal(against, "no finished symmetry part in it", "a folder that 'equiradio explain' wrote", "Explain that run first.")
    networks = open_networks(run, seed, members, device)
    case = case_of(networks, open_sources(run, networks.member, data, data_dir), split, effort or Effort(), progress)
    with claimed(out) as claim:
        return _explained(case, folder, other, claim)


def _explained(case: Case, folder: Folder, other: Folder | None, claim: Claim) -> dict[str, Any]:
    """Measure and write under a claim."""
    about = about_case(case)
    folder.check(about)
    answer: dict[str, Any] = {"about": about}
    for name in parts():
        answer[name] = measured(name, case, folder)
        claim.check()
    write_page(case, folder, answer, other)
    answer = plain(answer)
    write_json(folder.path / "explanation.json", answer)
    return answer


def measured(name: str, case: Case, folder: Folder) -> dict[str, Any]:
    """The summary of a part, measured now where it is not on disk."""
    summary = folder.summary(name)
    if summary is None:
        case.part, started = name, time.perf_counter()
        summary, arrays = parts()[name].measure(case, folder)
        timing = {"seconds": round(time.perf_counter() - started, 1), "passes": case.passes.get(name, 0)}
        folder.write_part(name, summary | timing, arrays)
        summary = plain(summary | timing)
    return summary


def open_networks(run: str | Path, seed: int | None = None, members: Sequence[str | Path] | None = None, device: str = "cpu") -> Networks:
    """The network to explain and the others, all with attention gates."""
    team = load(run, device)
    names = _names(run, team)
    member = team.members[0] if seed is None else member_of(team, seed)
    _check_gates(run, [member])
    if members is None and not is_run(run):
        others = {f"seed {each.card.seed}": each for each in team.members if each is not member}
        return Networks(names[member.card.seed], member, others)
    paths = siblings(Path(run)) if members is None else members
    return Networks(names[member.card.seed], member, _opened(paths, device, names[member.card.seed]))


def _names(what: str | Path, team: Team) -> dict[int, str]:
    """What each member is called, by its seed: a run as its folder, a team's member also by its seed among all."""
    name, seeds = Path(what).name, team.card.seeds
    if is_run(what):
        return {seeds[0]: name}
    of_all = f" of seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else ""
    return {seed: f"{name}, seed {seed}{of_all}" for seed in seeds}


def _opened(paths: Sequence[str | Path], device: str, taken: str) -> dict[str, Member]:
    """All members of runs and teams by name; by path where two have the same name."""
    often = Counter([taken, *(Path(path).name for path in paths)])
    others: dict[str, Member] = {}
    for path in paths:
        team = load(path, device)
        _check_gates(path, team.members)
        name = Path(path).name if often[Path(path).name] == 1 else str(path)
        others |= {name if is_run(path) else f"{name}, seed {each.card.seed}": each for each in team.members}
    return others


def siblings(folder: Path) -> list[Path]:
    """Finished runs beside a run whose cards and settings differ in nothing but the seed; one of each seed, in their order."""
    own, settings = Run(folder).card(), Run(folder).settings()
    beside: dict[int, Path] = {}
    for path in sorted(folder.parent.iterdir()):
        run = Run(path)
        try:
            card, theirs = run.card(), run.settings()
        except (Refusal, OSError):  # no run, or a damaged one
            continue
        same = (card.model, card.data_md5, card.training_hash, card.state) == (own.model, own.data_md5, own.training_hash, "finished")
        alike = same and _same_but_seed(theirs, settings)
        if alike and card.seed != own.seed and run.weights_file.is_file():
            beside.setdefault(card.seed, path)
    return [beside[seed] for seed in sorted(beside)]


def _same_but_seed(settings: Settings, others: Settings) -> bool:
    """The path of the data may differ too: cards name them by their checksum."""
    return change(settings, {"training.seed": others.training.seed, "data.name": others.data.name}) == others


def _check_gates(run: str | Path, members: Sequence[Member]) -> None:
    for member in members:
        if not member.network.gate_count:
            what = f"{member.card.model} has no attention gates"
            raise RunRefusal(run, what, "a network with attention", "Explain an attention model.")


def case_of(networks: Networks, data: Sources, split: str, effort: Effort, progress: Progress) -> Case:
    """The networks with the sources of a split, the sample of them, and the validation split."""
    everyone, validation = chosen_split(data, split), chosen_split(data, "validation")
    sample = everyone.choose(evenly(everyone.labels, effort.sample))
    return Case(*networks, sample, everyone, validation, effort, progress, sample.masks)


def about_case(case: Case) -> dict[str, Any]:
    """What `about.json` holds; a folder that is about anything else is refused."""
    card = case.member.card
    return {
        "version": VERSION,
        "run": case.name,
        "model": card.model,
        "group": card.group,
        "order": card.order,
        "seed": card.seed,
        "classes": list(case.labels),
        "weights": case.member.weights_hash[:DIGITS],
        "data": case.everyone.name,
        "data_md5": case.everyone.md5,
        "split": str(case.everyone.split[0]),
        "sources": len(case.sources),
        "catalogue": catalogue_hash(case.everyone, case.validation),
        "members": {name: member.weights_hash[:DIGITS] for name, member in case.members.items()},
        "effort": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(case.effort).items()},
    }
