"""The verb ``data``: list, fetch, verify, import, simulate. What a data set can do, its module says (`equiradio.datasets.registry`)."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import typer

from equiradio.cli import completion
from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, JSON
from equiradio.errors import DataRefusal, SettingRefusal

app = typer.Typer(help="List, fetch, verify, import and simulate data sets.", no_args_is_help=True)


@app.command("list")
def list_datasets(
    name: str = typer.Argument(
        None, help="A data set, a folder, or several joined by +: count what it holds.", autocompletion=completion.data_sets
    ),
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """The data sets and whether they are here; or what one of them holds, by split, class and catalogue, and what was left out.

    Example: equiradio data list mirabest+first-fr
    """
    from equiradio.cli.tables import print_table
    from equiradio.datasets.registry import data_sets, open_data

    if name is not None:
        from equiradio.datasets.overview import overview

        about = overview(open_data(name, data_dir))
        typer.echo(json.dumps(about, indent=2)) if as_json else _print_overview(about)
        return

    rows = [(name, each.DATASETS[name], _where(each, data_dir)) for name, each in data_sets().items()]
    if as_json:
        typer.echo(json.dumps([dict(zip(("name", "what", "where"), row, strict=True)) for row in rows], indent=2))
    else:
        print_table(("name", "what", "where"), [(name, what, place or "its module does not say") for name, what, place in rows])


def _print_overview(about: dict[str, Any]) -> None:
    """Counts as tables, and a line for everything that was left out."""
    from equiradio.cli.tables import print_table

    for title, counted in (("split", about["splits"]), ("catalogue", about["catalogues"])):
        names = list(dict.fromkeys(name for counts in counted.values() for name in counts))
        rows = [[str(each), *(str(counts.get(name, 0)) for name in names), str(sum(counts.values()))] for each, counts in counted.items()]
        print_table((title, *names, "all"), rows, f"{about['name']}: {about['sources']:,} sources" if title == "split" else "")
    for line in about["left_out"]:
        say(line)
    if guess := about.get("guessed_by_catalogue"):
        alike, drawn = (f"{100 * guess[how]:.1f} %" for how in ("alike", "drawn"))
        say(f"A training source's class is guessed by its catalogue alone in {alike} (balanced), as they are drawn in {drawn}.")


@app.command()
def fetch(
    name: str = typer.Argument(help="A data set that is published, such as mirabest.", autocompletion=completion.data_sets),
    data_dir: Path = DATA_DIR,
) -> None:
    """Download a data set from its published record and check it.

    Example: equiradio data fetch mirabest
    """
    say(_able(name, "fetch", "is not published").fetch(data_dir))


@app.command()
def verify(
    name: str = typer.Argument(help="A data set that is published, or a folder.", autocompletion=completion.data_sets),
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Compare the checksums of a data set with the published ones.

    Example: equiradio data verify mirabest
    """
    from equiradio.cli.tables import print_table
    from equiradio.datasets.folder import read_folder
    from equiradio.datasets.registry import module_of

    if module_of(name) is None and Path(name).is_dir():
        sources = read_folder(Path(name))
        about = {"folder": name, "sources": len(sources), "md5": sources.md5}
        typer.echo(json.dumps(about, indent=2) if as_json else f"{name}: {len(sources):,} sources, checksums agree")
        return
    checks = _able(name, "verify", "has no published checksums to compare with").verify(data_dir)
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        rows = [(check.file, check.expected, "the same" if check.actual == check.expected else check.actual) for check in checks]
        print_table(("file", "expected md5", "found"), rows)
    wrong = [check.file for check in checks if check.actual != check.expected]
    if wrong:
        raise DataRefusal(name, f"{len(wrong)} of {len(checks)} files differ ({', '.join(wrong)})", "the published md5s", "Fetch it again.")


@app.command("import")
def import_(
    source: Path = typer.Argument(
        help="A folder per class, a table (CSV, ECSV, Parquet, FITS, VOTable), an HDF5 file, or images.npy and a table."
    ),
    out: Path = typer.Option(..., "--out", help="A new folder.", show_default=False),
    labels: str = typer.Option(None, "--labels", help="Column of classes; default: label, class or the like.", show_default=False),
    classes: str = typer.Option("", "--classes", help="Those wanted, comma-separated, in this order.", show_default=False),
    images: list[Path] = typer.Option(
        [], "--images", help="Where a table's images lie: a folder, mosaics, a pattern in quotes, or an NPY array.", show_default=False
    ),
    split: str = typer.Option(None, "--split", help="Column of splits; default: split, or made.", show_default=False),
    side: int = typer.Option(None, "--side", help="Pixels of a cutout; default that of the images.", show_default=False),
    stretch: Literal["mirabest", "asinh", "linear"] = typer.Option(
        None, "--stretch", help="From pixels to grey levels.", show_default=False
    ),
    clip: float = typer.Option(None, "--clip", help="Sigma up to which pixels are empty; default 3.", show_default=False),
    neighbours: float = typer.Option(
        None, "--neighbours", help="Arcsec within which sources stay on one side; default as far as an image reaches.", show_default=False
    ),
    seed: int = typer.Option(0, "--seed", help="Of splits that are made."),
    name: str = typer.Option(None, "--name", help="Of the data set; default the source's.", show_default=False),
    as_json: bool = JSON,
) -> None:
    """Make a data set of labelled images: read, count, leave out what is of no use, split, and draw a montage.

    Example: equiradio data import cutouts --out mine
    """
    from equiradio.cli.progress import bars
    from equiradio.datasets.imports.choices import Choices
    from equiradio.verbs.import_data import MONTAGE, import_data

    named = tuple(word.strip() for word in classes.split(",")) if classes else ()
    choices = Choices(labels, split, named, tuple(images), side, stretch, clip, neighbours, seed, name)
    with bars() as step:
        about = import_data(source, out, choices, step)
    if as_json:
        typer.echo(json.dumps(about, indent=2))
        return
    say(f"{source}: {about['form']}, {about['rows']:,} rows")
    _print_overview(about["data"])
    for note in about["notes"]:
        say(note)
    say(f"{out}: look at {out / MONTAGE}")


@app.command()
def labels(
    runs: list[Path] = typer.Argument(help="Runs of the folds of a data set, evaluated with --split validation.", metavar="RUN..."),
    out: Path = typer.Option(None, "--out", help="A table of all sources: .csv, .parquet, .fits or .vot.", show_default=False),
    picture: Path = typer.Option(None, "--picture", help="The sources in question, .png.", show_default=False),
    data: str = typer.Option(None, "--data", help="Where the data set lies now; default where it was.", show_default=False),
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """List the labels of which networks that did not learn from them are sure that they are wrong.

    Example: equiradio data labels runs/c4-attention-mirabest@*of5-fast-seed0 --out labels.csv --picture labels.png
    """
    from equiradio.cli.tables import print_table
    from equiradio.verbs.judge_labels import judge_labels

    answer = judge_labels(runs, out, picture, data=data, data_dir=data_dir)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        percent = lambda share: "-" if share is None else f"{100 * share:.1f}"
        classes = [name for name in (answer["rows"] or [{}])[0] if name.startswith("p_")]
        rows = [
            [row["source_id"], row["label"], row["confidence"], percent(row["against"]), *(f"{row[name]:.2f}" for name in classes)]
            for row in answer["rows"]
        ]
        title = f"{answer['data']}: {answer['in_question']:,} of {answer['judged']:,} labels are in question"
        print_table(("source", "label", "the catalogue is", "networks against it, %", *classes), rows, title)
        models = [
            [each["model"], f"{each['networks']}", f"{each['sources']:,}", percent(each["accuracy"]), percent(each["without"])]
            for each in answer["models"]
        ]
        print_table(("model", "networks", "sources", "accuracy, %", "without these, %"), models)
    for note in answer["notes"]:
        say(note, err=True)
    for path in (out, picture if answer["rows"] else None):
        if path is not None:
            say(path, err=as_json)


@app.command()
def simulate(
    count: int = typer.Option(
        None, "--count", help="Number of sources; default 1200, of FITS cutouts 12, of a sky 60 per square degree.", show_default=False
    ),
    seed: int = typer.Option(0, "--seed", help="Another seed, other sources."),
    cutouts: bool = typer.Option(False, "--fits", help="FITS cutouts with noise, WCS and beam, for equiradio classify."),
    sky: float = typer.Option(None, "--sky", help="Mosaics of a square of sky, so many degrees wide, and catalogues.", show_default=False),
    mosaic: int = typer.Option(None, "--mosaic", help="Side of the mosaics of a sky in pixels, at most; default 2000.", show_default=False),
    out: Path = typer.Option(..., "--out", help="A new folder.", show_default=False),
) -> None:
    """Simulate FRI and FRII sources: a data set for training and explanations, FITS cutouts to classify, or mosaics of a piece of sky.

    Example: equiradio data simulate --count 1000 --seed 1 --out sky
    """
    from equiradio.cli.progress import bars
    from equiradio.datasets.simulated import COUNT, write_simulated
    from equiradio.datasets.simulated_cutouts import CUTOUTS, write_cutouts
    from equiradio.datasets.simulated_sky import USUAL, write_sky

    if (sky is None and mosaic is not None) or (sky is not None and cutouts):
        found = "--mosaic without --sky" if sky is None else "--sky and --fits"
        raise SettingRefusal("data simulate", found, "a data set, --fits, or --sky with --mosaic", "Leave one out.")
    with bars() as step:
        if sky is not None:
            path = write_sky(sky, seed, out, step, count=count, largest=USUAL if mosaic is None else mosaic)
        else:
            write, usual = (write_cutouts, CUTOUTS) if cutouts else (write_simulated, COUNT)
            path = write(usual if count is None else count, seed, out, step)
    say(path)


def _where(each: ModuleType, data_dir: Path | None) -> str | None:
    return str(each.where(data_dir)) if hasattr(each, "where") else None


def _able(name: str, task: str, lack: str) -> ModuleType:
    """The module of a data set that has a task (`fetch`, `verify`), or a refusal that says what it lacks and names those that have it."""
    from equiradio.datasets.registry import check_name, data_sets, module_of

    check_name(name)
    each = module_of(name)
    if each is None or not hasattr(each, task):
        able = dict.fromkeys(next(iter(its.DATASETS)) for its in data_sets().values() if hasattr(its, task))
        found = f"'{name}' {lack}" if each else f"'{name}' is not one published data set"
        raise DataRefusal("data", found, f"a published data set ({', '.join(able)})", "See equiradio data list.")
    return each
