"""The speed of this machine: training and inference of each model in turn, every measurement in a process of its own."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from equiradio.bench.record import Record, run_job
from equiradio.bench.summary import TASKS, TIME, share_of_peak, spread_text, summarise, times_faster
from equiradio.errors import SettingRefusal, nearest
from equiradio.version import version

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {"precision": "auto", "form": None, "keep_blocks": True},
    "float32-dense": {"precision": "float32", "form": "dense", "keep_blocks": True},
    "default-dense": {"precision": "auto", "form": "dense", "keep_blocks": True},
    "default-plain-malloc": {"precision": "auto", "form": None, "keep_blocks": False},
}
USUAL = ("default", "float32-dense")
BATCHES = {16: 8, 32: 4}  # images at a time for groups of this order: what fits into 8 GB; 16 for all others
MEASURES = {"steps": 3, "seconds": 0.0}
COLUMNS = (
    "model",
    "variant",
    "training, ms/image",
    "inference, ms/image",
    "peak MiB",
    "build s",
    "of peak, training",
    "of peak, inference",
)
Report = Callable[[str], object]


class Cell(NamedTuple):
    """One measurement of one round."""

    turn: int
    model: str
    task: str
    variant: str

    @property
    def name(self) -> str:
        return f"{self.model}/{self.variant}/{self.task}"


def bench(
    models: Sequence[str] | None = None,
    variants: Sequence[str] = USUAL,
    *,
    rounds: int = 3,
    steps: int = 3,
    threads: int | None = None,
    out: Path | None = None,
    report: Report = lambda line: None,
) -> dict[str, Any]:
    """Measure models on this machine's processor.

    Parameters
    ----------
    models : names, by default the eight of Table 1.
    variants : names of `VARIANTS`.
    rounds : how often each measurement is made; they take turns, so that slow drifts of the machine fall on all alike.
    steps : calls counted in each measurement.
    threads : of each process; by default all processors that this one may use.
    out : JSON file that is written after every measurement; where it exists with the same options, what it holds is not measured again.
    report : called with a line for every measurement.

    Returns
    -------
    Options, machine, measurements and their summary: see docs/reference/files.md.

    Raises
    ------
    Refusal : an option that cannot be used, a file of another bench, or a measurement that failed.
    """
    threads = processors() if threads is None else threads
    options = checked_options(models, variants, rounds=rounds, steps=steps, threads=threads)
    models, variants = options["models"], options["variants"]
    record = Record(out, {"options": options, "machine": machine()})
    if "peaks" not in record.once:
        record.add_once("peaks", run_job({"task": "peaks"}, threads))
    counted = MEASURES | {"steps": steps}
    for cell in cells(models, variants, rounds):
        if not record.has(cell.name, cell.turn):
            measured = measure_ours(record, cell, counted, threads)
            record.add(cell.name, measured)
            report(f"round {cell.turn + 1} of {rounds}   {cell.name:45} {measured[TIME]:10.2f} ms per image")
    return record.finish(summary(record, models, variants))


def checked_options(models: Sequence[str] | None, variants: Sequence[str], **numbers: int) -> dict[str, Any]:
    """Options of a bench as its record has them; refuses what is no model or variant, and numbers below 1."""
    for option, number in numbers.items():
        at_least_one(f"--{option}", number)
    names = model_names(models)
    for variant in variants:
        if variant not in VARIANTS:
            raise SettingRefusal("--variants", f"'{variant}'", ", ".join(VARIANTS), nearest(variant, list(VARIANTS)))
    return {"models": names, "variants": list(dict.fromkeys(variants)), **numbers}


def cells(models: Sequence[str], variants: Sequence[str], rounds: int) -> Iterator[Cell]:
    """Everything that is measured, in order: the variants of a model stand next to each other."""
    for turn in range(rounds):
        for model in models:
            for task in TASKS:
                for variant in variants:
                    yield Cell(turn, model, task, variant)


def measure_ours(record: Record, cell: Cell, counted: dict[str, Any], threads: int) -> dict[str, Any]:
    """One measurement of ours; the layer forms of the model are chosen before, once for all rounds."""
    job = VARIANTS[cell.variant] | {"model": cell.model, "batch": batch_of(cell.model)} | counted
    name = f"{cell.model}/{cell.variant}/forms"
    if name not in record.once:
        record.add_once(name, run_job(job | {"task": "forms"}, threads))
    return run_job(job | {"task": cell.task, "forms": record.once[name]["forms"][cell.task]}, threads)


def summary(record: Record, models: Sequence[str], variants: Sequence[str]) -> dict[str, Any]:
    """Per model: batch, multiply-adds, every variant's times, memory and share of peak, and how many times faster than float32-dense."""
    answer: dict[str, Any] = {}
    for model in models:
        macs = multiply_adds(model)
        row: dict[str, Any] = {"batch": batch_of(model), "multiply_adds_per_image": macs, "variants": {}, "times_faster": {}}
        for variant in variants:
            of_variant = {}
            for task in TASKS:
                task_row = summarise(record.measurements[f"{model}/{variant}/{task}"])
                gmacs = record.once["peaks"][f"{task_row['precision']}_gmacs"]
                share = share_of_peak(macs[task_row["precision"]][task], task_row[TIME]["median"], gmacs)
                of_variant[task] = task_row | {"share_of_peak": share}
            row["variants"][variant] = of_variant
            if "float32-dense" in variants and variant != "float32-dense":
                names = {task: (f"{model}/float32-dense/{task}", f"{model}/{variant}/{task}") for task in TASKS}
                row["times_faster"][variant] = {
                    task: times_faster(*(record.measurements[name] for name in pair)) for task, pair in names.items()
                }
        answer[model] = row
    return answer


def rows(result: dict[str, Any]) -> list[list[str]]:
    """The summary as text, one row per model and variant: `COLUMNS`."""
    lines = []
    for model, row in result["summary"].items():
        for variant, tasks in row["variants"].items():
            training = tasks["training"]
            memory = "-" if training["peak_mib"] is None else f"{training['peak_mib']:,}"
            shares = [f"{100 * tasks[task]['share_of_peak']:.0f} %" for task in TASKS]
            times = [spread_text(tasks[task][TIME]) for task in TASKS]
            lines.append([model, f"{variant} ({training['precision']})", *times, memory, f"{training['build_seconds']:.2f}", *shares])
    return lines


def multiply_adds(model: str) -> dict[str, dict[str, int]]:
    """Of one image, every layer in the cheapest form of a precision, for a training step and for inference: precision -> task -> count."""
    from equiradio.bench.counting import count_layers, total
    from equiradio.models.registry import build

    counts = count_layers(build(model))
    return {precision: {task: total(counts, task == "training", precision) for task in TASKS} for precision in ("float32", "bf16")}


def batch_of(model: str) -> int:
    """Images at a time."""
    from equiradio.models.names import architecture

    return BATCHES.get(architecture(model).order, 16)


def model_names(models: Sequence[str] | None) -> list[str]:
    """Names without repeats, by default the models of Table 1; refuses what is not a model."""
    from equiradio.models.names import TABLE1, architecture

    return list(dict.fromkeys(architecture(model).name for model in (models if models is not None else TABLE1)))


def at_least_one(option: str, number: int) -> None:
    """Refuse 0 and less."""
    if number < 1:
        raise SettingRefusal(option, f"{number}", "1 or more", "Leave the option out for the usual number.")


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, str]:
    """What a timing depends on besides the options."""
    import torch

    from equiradio.compute.forms import machine as named

    processor = named("cpu").rpartition(", torch ")[0].rpartition(", ")[0]  # without threads, which the options tell
    return {
        "processor": f"{processor}, {os.cpu_count()} processors",
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "equiradio": version(),
    }
