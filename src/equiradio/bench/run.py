"""The speed of this machine: training and inference of each model in turn, every measurement in a process of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from equiradio.artefacts.claim import claimed
from equiradio.bench.measurements import (
    BenchResult,
    ByTask,
    ChosenForms,
    Counted,
    Job,
    Measurement,
    ModelSummary,
    Options,
    SummarisedTask,
    Task,
    Variant,
)
from equiradio.bench.record import Record, run_job
from equiradio.bench.summary import TASKS, TIME, share_of_peak, spread_text, summarise, times_faster
from equiradio.compute.machine import facts, processors
from equiradio.errors import SettingRefusal, nearest

if TYPE_CHECKING:
    from equiradio.bench.counting import Count

VARIANTS: dict[str, Variant] = {
    "default": {"precision": "auto", "form": None, "keep_blocks": True, "images": "sources"},
    "default-noise": {"precision": "auto", "form": None, "keep_blocks": True, "images": "noise"},
    "float32": {"precision": "float32", "form": None, "keep_blocks": True, "images": "sources"},
    "float32-dense": {"precision": "float32", "form": "dense", "keep_blocks": True, "images": "sources"},
    "default-dense": {"precision": "auto", "form": "dense", "keep_blocks": True, "images": "sources"},
    "default-plain-malloc": {"precision": "auto", "form": None, "keep_blocks": False, "images": "sources"},
}
USUAL = ("default", "default-noise", "float32", "float32-dense")
TAKEN = "train takes the variant default; classify float32, with --precision bf16 default"  # which need not be of one precision
BATCHES = {16: 8, 32: 4}  # images at a time for groups of this order: what fits into 8 GB; 16 for all others
MEASURES: Counted = {"steps": 3, "seconds": 0.0}
COLUMNS = (
    "model",
    "variant",
    "images",
    "forms",
    "training, ms/image",
    "inference, ms/image",
    "peak MiB",
    "build s",
    "of peak, training",
    "of peak, inference",
)
OnLine = Callable[[str], object]


class Cell(NamedTuple):
    """One measurement of one round."""

    turn: int
    model: str
    task: Task
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
    on_line: OnLine = lambda line: None,
) -> BenchResult:
    """Measure models on this machine's processor.

    Parameters
    ----------
    models, variants : names, by default the eight of Table 1; names of `VARIANTS`.
    rounds : how often each measurement is made; they take turns, so that slow drifts of the machine fall on all alike.
    steps, threads : calls counted in each measurement; threads of each process, by default all processors that this one may use.
    out : JSON file that is written after every measurement; where it exists with the same options, what it holds is not measured again.
    on_line : called with a line for every measurement.

    Returns
    -------
    Options, machine, measurements and their summary: see docs/reference/files.md.

    Raises
    ------
    Refusal : an option that cannot be used, a file of another bench, or a measurement that failed.
    """
    threads = processors() if threads is None else threads
    options = checked_options(models, variants, rounds, steps, threads)
    with nullcontext() if out is None else claimed(out):
        return _measure(options, Record(out, {"options": options, "machine": facts()}), on_line)


def _measure(options: Options, record: Record, on_line: OnLine) -> BenchResult:
    """Make the measurements that the record lacks."""
    rounds, threads = options["rounds"], options["threads"]
    if "peaks" not in record.once:
        record.add_once("peaks", run_job({"task": "peaks"}, threads))
    for cell in cells(options["models"], options["variants"], rounds):
        if not record.has(cell.name, cell.turn):
            measured = measure_ours(record, cell, {"steps": options["steps"], "seconds": MEASURES["seconds"]}, threads)
            record.add(cell.name, measured)
            on_line(f"round {cell.turn + 1} of {rounds}   {cell.name:45} {measured[TIME]:10.2f} ms per image")
    return cast(BenchResult, record.finish(summary(record, options["models"], options["variants"])))


def checked_options(models: Sequence[str] | None, variants: Sequence[str], rounds: int, steps: int, threads: int) -> Options:
    """Options of a bench as its record has them; refuses what is no model or variant, and numbers below 1."""
    for option, number in (("--rounds", rounds), ("--steps", steps), ("--threads", threads)):
        at_least_one(option, number)
    for option, names in (("--models", models), ("--variants", variants)):
        if names is not None and not names:
            raise SettingRefusal(option, "no name", "names, comma-separated", "Leave the option out for the usual ones.")
    of_models = model_names(models)
    for variant in variants:
        if variant not in VARIANTS:
            raise SettingRefusal("--variants", f"'{variant}'", ", ".join(VARIANTS), nearest(variant, list(VARIANTS)))
    return {"models": of_models, "variants": list(dict.fromkeys(variants)), "rounds": rounds, "steps": steps, "threads": threads}


def cells(models: Sequence[str], variants: Sequence[str], rounds: int) -> Iterator[Cell]:
    """Everything that is measured, in order: the variants of a model stand next to each other."""
    for turn in range(rounds):
        for model in models:
            for task in TASKS:
                for variant in variants:
                    yield Cell(turn, model, task, variant)


def measure_ours(record: Record, cell: Cell, counted: Counted, threads: int) -> Measurement:
    """One measurement of ours; the layer forms of the model are chosen before, once for all rounds."""
    job: Job = {**VARIANTS[cell.variant], "model": cell.model, "batch": batch_of(cell.model), **counted, "task": cell.task}
    name = f"{cell.model}/{cell.variant}/forms"
    if name not in record.once:
        record.add_once(name, run_job({**job, "task": "forms"}, threads))
    return cast(Measurement, run_job({**job, "forms": record.forms(name)["forms"][cell.task]}, threads))


def summary(record: Record, models: Sequence[str], variants: Sequence[str]) -> dict[str, ModelSummary]:
    """Per model: batch, multiply-adds, every variant's times, memory and share of peak, and how many times faster than float32-dense."""
    return {model: _model_summary(record, model, variants) for model in models}


def _model_summary(record: Record, model: str, variants: Sequence[str]) -> ModelSummary:
    from equiradio.bench.counting import count_layers, of_forms
    from equiradio.models.registry import build

    counts, slow = count_layers(build(model)), "float32-dense"
    macs = _by_precision(counts)
    row: ModelSummary = {"batch": batch_of(model), "multiply_adds_per_image": macs, "variants": {}, "times_faster": {}}
    rounds = lambda variant, task: record.measurements[f"{model}/{variant}/{task}"]
    for variant in variants:
        forms = record.forms(f"{model}/{variant}/forms")["forms"]
        each = {task: of_forms(counts, task == "training", forms[task]) for task in TASKS}
        row["variants"][variant] = {task: _task_summary(record, rounds(variant, task), each[task]) for task in TASKS}
        if slow in variants and variant != slow:
            row["times_faster"][variant] = {task: times_faster(rounds(slow, task), rounds(variant, task)) for task in TASKS}
    return row


def _task_summary(record: Record, rounds: Sequence[Measurement], multiply_adds: int | None) -> SummarisedTask:
    """With the share of the peak of the precision that the rounds were computed in, where all of these multiply-adds were computed."""
    of_rounds, peaks = summarise(rounds), record.peaks
    gmacs = peaks["bf16_gmacs"] if of_rounds["precision"] == "bf16" else peaks["float32_gmacs"]
    assert gmacs is not None  # measured wherever bf16 is chosen
    computed = None if rounds[0]["leaves_out"] else multiply_adds
    return {**of_rounds, "share_of_peak": None if computed is None else share_of_peak(computed, of_rounds[TIME]["median"], gmacs)}


def rows(result: BenchResult) -> list[list[str]]:
    """The summary as text, one row per model and variant: `COLUMNS`."""
    lines = []
    for model, row in result["summary"].items():
        for variant, tasks in row["variants"].items():
            training = tasks["training"]
            memory = "-" if training["peak_mib"] is None else f"{training['peak_mib']:,}"
            shares = ["-" if (share := tasks[task]["share_of_peak"]) is None else f"{100 * share:.0f} %" for task in TASKS]
            times = [spread_text(tasks[task][TIME]) for task in TASKS]
            forms = _forms_text(cast(ChosenForms, result["once"][f"{model}/{variant}/forms"]))
            about = [model, f"{variant} ({training['precision']})", str(row["batch"]), forms]
            lines.append([*about, *times, memory, f"{training['build_seconds']:.2f}", *shares])
    return lines


def heading(result: BenchResult) -> str:
    """Of the table: the machine, its threads and kernels."""
    machine = result["machine"]
    return f"{machine['processor']}, {result['options']['threads']} threads, kernels {machine['kernels']}; by the clock"


def _forms_text(chosen: ChosenForms) -> str:
    """The forms of layers in training and in inference, once where they are the same; a dash where no layer has any."""
    of_tasks = [" ".join(sorted(set(chosen["forms"][task].values()))) or "-" for task in TASKS]
    return " / ".join(dict.fromkeys(of_tasks))


def multiply_adds(model: str) -> dict[str, ByTask]:
    """Of one image, every layer in the cheapest form of a precision, for a training step and for inference: precision -> task -> count."""
    from equiradio.bench.counting import count_layers
    from equiradio.models.registry import build

    return _by_precision(count_layers(build(model)))


def _by_precision(counts: "dict[str, Count]") -> dict[str, ByTask]:
    from equiradio.bench.counting import total

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
