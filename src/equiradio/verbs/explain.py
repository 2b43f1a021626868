"""Explain a trained network: measured faithfulness, symmetry and residue, part by part; what is done is not done again."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.run import Run
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.errors import RunRefusal
from equiradio.explain.case import VERSION, Case, Folder, Plan, Progress, digest, evenly, plain, truth_masks
from equiradio.explain.page import write_page
from equiradio.explain.parts.astronomy import astronomy
from equiradio.explain.parts.evidence import taken_apart
from equiradio.explain.parts.faithfulness import faithfulness
from equiradio.explain.parts.maps import layers, maps, symmetry
from equiradio.explain.parts.uncertainty import uncertainty
from equiradio.inference.member import Member
from equiradio.inference.team import load

PARTS: dict[str, Callable[[Case, Folder], Any]] = {
    "maps": lambda case, folder: maps(case),
    "symmetry": lambda case, folder: symmetry(case),
    "layers": lambda case, folder: layers(case),
    "faithfulness": lambda case, folder: faithfulness(case, folder.arrays("maps")),
    "evidence": lambda case, folder: taken_apart(case),
    "astronomy": lambda case, folder: astronomy(case, folder.arrays("maps")),
    "uncertainty": lambda case, folder: uncertainty(case, folder.arrays("symmetry")["p_turned"]),
}


def explain(
    run: str | Path,
    out: Path,
    *,
    data: str | None = None,
    split: str = "test",
    members: list[Path] | None = None,
    against: Path | None = None,
    plan: Plan | None = None,
    data_dir: Path | None = None,
    device: str = "cpu",
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Measure a trained network's explanations and write them to a folder.

    Parameters
    ----------
    run : a run folder, or whatever else `load` opens.
    data : a data set, by default the one the network was trained on.
    members : other runs, for the ensemble and for agreement; by default the run's siblings that differ in nothing but their seed.
    against : an explanation of another network on the same sample, for comparison.

    Returns
    -------
    The summary, as written to ``OUT/explanation.json``.
    """
    plan, folder = plan or Plan(), Folder(out)
    other = Folder(against) if against else None
    if other and not other.done("symmetry"):
        raise RunRefusal(against, "no finished symmetry part in it", "a folder that 'equiradio explain' wrote", "Explain that run first.")
    case = open_case(run, data, split, siblings(Path(run)) if members is None else members, plan, data_dir, device, progress)
    folder.check(_about(case))
    summaries = {}
    for name, measure in PARTS.items():
        found = folder.done(name)
        if found is None:
            case.part, started = name, time.perf_counter()
            summary, arrays = measure(case, folder)
            timing = {"seconds": round(time.perf_counter() - started, 1), "passes": case.passes.get(name, 0)}
            folder.keep(name, summary | timing, arrays)
            found = folder.done(name)
        summaries[name] = found
    answer = {"about": _about(case), **summaries}
    write_page(case, folder, answer, other)
    answer = plain(answer)
    write_json(folder.path / "explanation.json", answer)
    return answer


def open_case(
    run: str | Path, data: str | None, split: str, members: list[Path], plan: Plan, data_dir: Path | None, device: str, progress: Progress
) -> Case:
    """Everything an explanation needs, opened and checked."""
    classifier = load(run, device)
    _with_gates(run, classifier)
    trained_on = Run(Path(run)).settings().data.name if Path(run).is_dir() else classifier.card.data
    everything = open_data(data or trained_on, data_dir)
    if data is None and everything.md5 != classifier.card.data_md5:
        found = f"{everything.name} has md5 {everything.md5}, but the network was trained on {classifier.card.data_md5}"
        raise RunRefusal(run, found, "the same data", f"Say --data {trained_on} if that is meant.")
    everyone, validation = chosen_split(everything, split), chosen_split(everything, "validation")
    sample = everyone.choose(evenly(everyone.labels, plan.sample))
    often = Counter(path.name for path in members)
    others = {path.name if often[path.name] == 1 else str(path): load(path, device) for path in members}
    for path, member in others.items():
        _with_gates(path, member)
    name = Path(run).name
    return Case(name, classifier, sample, everyone, validation, others, plan, progress, truth_masks(sample))


def siblings(run: Path) -> list[Path]:
    """Run folders beside this one whose names differ in nothing but the seed, and that hold weights."""
    stem, mark, _ = run.name.rpartition("-seed")
    found = sorted(run.parent.glob(f"{stem}-seed*")) if mark else []
    seeds = [folder for folder in found if folder.name.rpartition("-seed")[2].isdecimal() and folder.name != run.name]
    return [folder for folder in seeds if Run(folder).weights_file.is_file()]


def _with_gates(run: str | Path, classifier: Member) -> None:
    if not len(getattr(classifier.network, "gates", ())):
        raise RunRefusal(run, f"{classifier.card.model} has no attention gates", "a network with attention", "Explain an attention model.")


def _about(case: Case) -> dict[str, Any]:
    card = case.classifier.card
    return {
        "version": VERSION,
        "run": case.name,
        "model": card.model,
        "group": card.group,
        "order": card.order,
        "seed": card.seed,
        "weights": digest(case.classifier),
        "data": case.everyone.name,
        "data_md5": case.everyone.md5,
        "split": str(case.everyone.split[0]),
        "sources": len(case.sources),
        "members": {name: digest(member) for name, member in case.members.items()},
        "plan": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(case.plan).items()},
    }
