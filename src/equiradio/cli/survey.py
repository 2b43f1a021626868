"""The verb ``survey``: a catalogue and its images in, a classified catalogue out; ``plan`` and ``merge`` are its first and last step."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import say
from equiradio.cli.options import CASCADE, DEVICE, HDU, MODEL, PLANE, POSES, PRECISION, PRIOR, Device, Precision
from equiradio.cli.survey_options import (
    ADDRESS,
    BEAM,
    CATALOGUE,
    DEC,
    ENGINE,
    FEATURES,
    GROUP,
    HASH,
    IMAGES,
    MAPS,
    MAX_NONFINITE,
    NAME,
    OUT,
    PART,
    RA,
    READERS,
    SHARD_SIZE,
    TABLE,
    WORKERS,
    Engine,
    asked_for,
    check_engine,
    choice_of,
    choices_by_option,
    opened,
)
from equiradio.errors import DataRefusal
from equiradio.printable import count_of

if TYPE_CHECKING:
    from equiradio.inference.reading import Classifier
    from equiradio.survey.cluster import Cluster
    from equiradio.survey.folder import Plan
    from equiradio.survey.maps import Choice
    from equiradio.survey.plan import Asked

SCRIPT = "survey.sh"
SHOWN = 10  # images that cannot be opened, and are named


class Survey(TyperGroup):
    """``survey CATALOGUE`` is short for ``survey run CATALOGUE``."""

    default = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = [self.default, *args]
        return list(super().parse_args(ctx, args))


HELP = "Classify the sources of a catalogue in its images, resumable, on one machine or an array of tasks."
app = typer.Typer(cls=Survey, no_args_is_help=True, help=HELP)


@app.command("run")
def run(
    context: typer.Context,
    catalogue: list[Path] = CATALOGUE,
    images: list[str] = IMAGES,
    out: Path = OUT,
    model: str = MODEL,
    cascade: bool = CASCADE,
    features: bool = FEATURES,
    ra: str = RA,
    dec: str = DEC,
    name: str = NAME,
    group: str = GROUP,
    table: str = TABLE,
    shard_size: int = SHARD_SIZE,
    engine: Engine = ENGINE,
    address: str = ADDRESS,
    workers: int = WORKERS,
    part: str = PART,
    readers: int = READERS,
    resume: bool = typer.Option(False, "--resume", help="Go on where an interrupted run stopped."),
    maps: str = MAPS,
    hdu: int = HDU,
    plane: str = PLANE,
    max_nonfinite: float = MAX_NONFINITE,
    beam: str = BEAM,
    prior: str = PRIOR,
    precision: Precision = PRECISION,
    poses: int = POSES,
    contents: bool = HASH,
    device: Device = DEVICE,
) -> None:
    """Classify every source of a catalogue: plan, then shard after shard.

    Example: equiradio survey catalogue.vot --images 'mosaics/*.fits' --out out
    """
    choices = choices_by_option(model, cascade, precision, poses, prior, features)
    check_engine(engine, address, workers, part)
    asked = asked_for(catalogue, images, (ra, dec, name, group, table), shard_size, features, max_nonfinite, hdu, plane, beam, contents)
    drawn = choice_of(maps, engine, part)
    if engine == "slurm":
        _plan(asked, out, choices, out / SCRIPT, None, readers, device)
        return
    from equiradio.cli.progress import bars
    from equiradio.survey.run import Part, survey

    one = None if part is None else Part.of(part)
    team = opened(choices, device)
    try:
        with bars() as step:
            done = survey(
                team,
                asked,
                out,
                part=one,
                resume=resume,
                readers=readers,
                command=context.obj or "",
                engine=_cluster(engine, address, workers, choices, device),
                progress=step,
            )
    except KeyboardInterrupt:
        raise Interrupted("Interrupted; finished shards are kept. Run the same command with --resume to go on.") from None
    _say_plan(out, done.plan)
    left = f", {count_of(len(done.unfinished), 'shard')} left to other parts" if done.unfinished else ""
    say(f"{out / 'results'}: {count_of(len(done.done), 'shard')} done now, {count_of(done.answered, 'source')} answered in all{left}")
    if one is None:
        _merge(out, None, page=True)
        if drawn is not None:
            _draw(team, out, drawn, readers, context.obj or "")
    if not done.answered and not done.unfinished:
        from equiradio.survey.folder import SurveyFolder
        from equiradio.survey.summary import reasons

        found = f"none of {count_of(done.plan.sources, 'source')} could be answered ({reasons(SurveyFolder(out), done.plan)})"
        raise DataRefusal(out, found, "at least one", "The column flag_names of the results says why.")


def _cluster(engine: str, address: str | None, workers: int | None, choices: dict[str, Any], device: str) -> "Cluster | None":
    """The actors that do the work, each with a team of its own; None where this process does it."""
    if engine != "ray":
        return None
    from equiradio.compute.device import choose_device
    from equiradio.survey.cluster import Cluster

    return Cluster(partial(opened, choices, device), address, workers, gpus=choose_device(device) == "cuda")


def _draw(team: "Classifier", out: Path, choice: "Choice", readers: int, command: str) -> None:
    """Draw maps, and print where they are."""
    from equiradio.cli.progress import bars
    from equiradio.inference.reading import provenance
    from equiradio.survey.folder import SurveyFolder
    from equiradio.survey.maps import draw_maps

    try:
        with bars() as step:
            drawing = draw_maps(team, SurveyFolder(out), choice, provenance(team, command), readers=readers, progress=step)
    except KeyboardInterrupt:
        raise Interrupted("Interrupted; finished maps are kept. Run the same command with --resume to go on.") from None
    say(f"{drawing.folder}: maps of {count_of(drawing.sources, 'source')}, {drawing.drawn:,} drawn now")


@app.command("merge")
def merge(
    folder: Path = typer.Argument(help="Folder of a survey whose shards are all finished."),
    out: Path = typer.Option(
        None,
        "--out",
        help="Ends in .parquet, .csv, .fits, .vot or .hats; without suffix a folder of Parquet files; default FOLDER/catalogue.parquet.",
        show_default=False,
    ),
    page: bool = typer.Option(True, "--page/--no-page", help="Write a page about it beside it."),
    coverage: Path = typer.Option(None, "--coverage", help="Write what of the sky the images cover: a MOC, FITS.", show_default=False),
) -> None:
    """Join the results of all shards to one catalogue, in the order of the input, with a page about it.

    Example: equiradio survey merge out --out classified.vot
    """
    if coverage is not None:
        from equiradio.survey.coverage import check_coverage

        check_coverage(coverage)
    _merge(folder, out, page=page)
    if coverage is not None:
        _cover(folder, coverage)


def _cover(folder: Path, file: Path) -> None:
    """Write what the images cover, and print how much that is."""
    from equiradio.cli.progress import bars
    from equiradio.survey.coverage import write_coverage
    from equiradio.survey.folder import SurveyFolder

    with bars() as step:
        area = write_coverage(SurveyFolder(folder).plan(), file, step)
    say(f"{file}: {area:,.4g} square degrees of the sky have pixels that can be used")


def _merge(folder: Path, out: Path | None, *, page: bool) -> None:
    """Merge, and print where the catalogue and its page are."""
    from equiradio.cli.progress import bars
    from equiradio.survey.merge import merge as join
    from equiradio.survey.page import page_file

    lines: list[str] = []  # printed when no bar is in their way
    with bars() as step:
        written = join(folder, out, page=page, progress=step, note=lines.append)
    for line in lines:
        say(line, err=True)
    say(f"{written}: look at {page_file(written)}" if page else written)


@app.command("plan")
def plan(
    catalogue: list[Path] = CATALOGUE,
    images: list[str] = IMAGES,
    out: Path = OUT,
    model: str = MODEL,
    cascade: bool = CASCADE,
    features: bool = FEATURES,
    ra: str = RA,
    dec: str = DEC,
    name: str = NAME,
    group: str = GROUP,
    table: str = TABLE,
    shard_size: int = SHARD_SIZE,
    slurm: Path = typer.Option(None, "--slurm", help="Write the batch script of a SLURM array.", show_default=False),
    parts: int = typer.Option(None, "--parts", min=1, help="Tasks of that array; default: one a shard, at most 64.", show_default=False),
    hdu: int = HDU,
    plane: str = PLANE,
    max_nonfinite: float = MAX_NONFINITE,
    beam: str = BEAM,
    prior: str = PRIOR,
    precision: Precision = PRECISION,
    poses: int = POSES,
    contents: bool = HASH,
) -> None:
    """Only plan: which source is cut from which image, in which shard.

    Example: equiradio survey plan catalogue.vot --images 'mosaics/*.fits' --out out --slurm survey.sh
    """
    asked = asked_for(catalogue, images, (ra, dec, name, group, table), shard_size, features, max_nonfinite, hdu, plane, beam, contents)
    _plan(asked, out, choices_by_option(model, cascade, precision, poses, prior, features), slurm, parts)


def _plan(
    asked: "Asked",
    out: Path,
    choices: dict[str, Any],
    slurm: Path | None,
    parts: int | None,
    readers: int = 1,
    device: str = "auto",
) -> None:
    """Plan, and write the script of an array where one is wanted, whose tasks read by so many processes and compute on a device."""
    from equiradio.cli.progress import bars
    from equiradio.survey.folder import SurveyFolder
    from equiradio.survey.run import planned
    from equiradio.survey.slurm import arguments_of, parts_for, write_script

    team = opened(choices, "cpu")
    with bars() as step:
        made = planned(team, asked, SurveyFolder(out), step)
    _say_plan(out, made)
    if slurm is not None:
        count = parts_for(made.shards, parts)
        work = {"--readers": readers if readers != 1 else None, "--device": device if device != "auto" else None}
        write_script(slurm, arguments_of(asked, out, choices | work), out, count, readers=readers, gpu=device == "cuda")
        say(f"{slurm}: {count_of(count, 'task')}; submit it with sbatch")


def _say_plan(out: Path, plan: "Plan") -> None:
    """What the plan knows before any source is asked about."""
    for each in plan.unusable[:SHOWN]:
        say(f"not used: {each['why']}", err=True)
    if more := len(plan.unusable) - SHOWN:
        say(f"and {more:,} more images that cannot be used: see {out / 'plan.json'}", err=True) if more > 0 else None
    for note in plan.notes:
        say(note, err=True)
    of = f" of {count_of(plan.rows, 'row')}" if plan.rows != plan.sources else ""
    of += f" of table {plan.columns['table']}" if plan.columns.get("table") else ""
    used = sum(each["sources"] > 0 for each in plan.images)
    flags = ", ".join(f"{count:,} {name}" for name, count in plan.counts.items() if count)
    images = f"{used:,} of {count_of(len(plan.images), 'image')}"
    line = f"{out}: {count_of(plan.sources, 'source')}{of} in {images}, {count_of(plan.shards, 'shard')}"
    say(line + (f" (flags: {flags})" if flags else ""))
