"""The verb ``classify``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import say
from equiradio.cli.options import CASCADE, DEVICE, HDU, JSON, MODEL, PLANE, POSES, PRECISION, PRIOR, Device, Precision
from equiradio.cli.outcome import SHOWN, Outcome, outcome_of, print_refused
from equiradio.errors import ImageRefusal, SettingRefusal

if TYPE_CHECKING:
    from equiradio.inference.cascade import Cascade
    from equiradio.inference.reading import Classifier
    from equiradio.inference.team import Team


def classify(
    context: typer.Context,
    files: list[Path] = typer.Argument(
        None, help="FITS images, or PNG and NPY as MiraBest has them; folders of them.", metavar="FILE|DIR...", show_default=False
    ),
    example: bool = typer.Option(False, "--example", help="A few simulated cutouts, put into ./example-cutouts, instead of FILE."),
    model: str = MODEL,
    cascade: bool = CASCADE,
    out: Path = typer.Option(None, "--out", help="Catalogue: .parquet, .csv, .fits or .vot.", show_default=False),
    maps: Path = typer.Option(None, "--maps", help="Folder for attention maps: FITS, PNG and DS9 regions.", show_default=False),
    features: Path = typer.Option(None, "--features", help="One vector a source, for similarity search: .parquet.", show_default=False),
    ra: float = typer.Option(None, "--ra", help="Cut around this ICRS right ascension, degrees.", show_default=False),
    dec: float = typer.Option(None, "--dec", help="And this declination, degrees.", show_default=False),
    hdu: int = HDU,
    plane: str = PLANE,
    max_nonfinite: float = typer.Option(0.05, "--max-nonfinite", help="Share of the crop that may be not finite, 0 to 1."),
    beam: str = typer.Option(
        None, "--beam", help="Of files that state none: major, minor axis (arcsec), angle; or one width.", show_default=False
    ),
    prior: str = PRIOR,
    precision: Precision = PRECISION,
    poses: int = POSES,
    resume: bool = typer.Option(False, "--resume", help="Go on where an interrupted run stopped."),
    contents: bool = typer.Option(False, "--hash", help="For --resume: know files by their contents, not by size and time."),
    device: Device = DEVICE,
    as_json: bool = JSON,
) -> None:
    """Classify radio galaxies in FITS images with trained weights: probabilities, flags and attention on the sky.

    Example: equiradio classify cutouts/*.fits --out result.vot --maps maps
    """
    if bool(files) == example:
        found = "given beside --example" if files else "nothing to classify"
        do = "Drop one of them." if files else "To begin with: equiradio classify --example."
        raise SettingRefusal("FILE", found, "images, folders of them, or --example alone", do)
    cutting = cutting_options(hdu, plane, max_nonfinite, beam, ra_deg=ra, dec_deg=dec)
    if resume and out is None:
        raise SettingRefusal("--resume", "no --out", "the catalogue that was being written", "Give the same --out.")
    from equiradio.artefacts.catalogue import check_suffix
    from equiradio.artefacts.features import OPTION, TWO_TEAMS, check_features_suffix, of_two_teams
    from equiradio.artefacts.shelf import default_name, recipe_at, trained_at
    from equiradio.sky.contents import refuse_absent
    from equiradio.sky.listing import image_files

    if out is not None:
        check_suffix(out)
    if features is not None:
        check_features_suffix(features)
        if cascade:
            raise of_two_teams(OPTION, TWO_TEAMS)
    model = model or default_name()
    recipe = recipe_at(model)
    listed = image_files([_examples()] if example else files, recipe, lambda line: say(line, err=True))
    if len(listed) == 1:  # of several, one that is missing has a row
        refuse_absent(listed[0], str(listed[0]))
    trained_at(model)  # fetches its weights, now that all else is there
    from equiradio.cli.progress import bars
    from equiradio.verbs.classify import classify as run
    from equiradio.verbs.classify_job import several_computers

    team = open_classifier(model, device, precision, poses, prior, cascade=cascade)
    refusals: list[ImageRefusal] = []
    note = lambda refusal: refusals.append(refusal) if len(refusals) < SHOWN else None
    try:
        with bars() as step:
            about: dict[str, Any] = {"contents": contents, "command": context.obj or "", "progress": step, "refused": note}
            table = run(team, listed, out=out, maps=maps, features=features, resume=resume, **about, **cutting)
    except KeyboardInterrupt:
        advice = "Run the same command with --resume to go on." if out else "With --out, what is done is kept."
        raise Interrupted(f"Interrupted. {advice}") from None
    if table is None:
        outcome = outcome_of(out, team.labels)
    else:
        outcome = Outcome(team.labels, *(table.column(name).to_pylist() for name in ("label", "uncertain", "flag_names")))
    print_refused(refusals, len(outcome.refused))
    if table is None:
        say(f"{out}: {len(listed):,} sources")
        if several := several_computers(out):
            say(f"{out}: computed in turn by {' and by '.join(several)}, whose answers differ by the rounding of {precision}", err=True)
    elif as_json:
        typer.echo(json.dumps(table.to_pylist(), indent=2, allow_nan=False))
    else:
        _print(table.to_pylist(), team)
    if maps is not None:
        say(f"{maps}: attention maps", err=as_json)
    if features is not None:
        say(f"{features}: features", err=as_json)
    say(outcome, err=as_json)
    outcome.refuse_emptiness()


def cutting_options(hdu: int | None, plane: str | None, max_nonfinite: float, beam: str | None, **position: float | None) -> dict[str, Any]:
    """How images are to be cut, as `equiradio.sky.fits.read_cutout` takes it; refused before any is opened."""
    from equiradio.sky.beams import beam_numbers
    from equiradio.sky.choices import check_choices

    options: dict[str, Any] = {"hdu": hdu, "plane": plane, "max_nonfinite": max_nonfinite, **position}
    check_choices(**options, beam=beam)
    return options | {"beam": None if beam is None else beam_numbers(beam)}


def open_classifier(model: str, device: str, precision: str, poses: int | None, prior: str | None, *, cascade: bool) -> "Classifier":
    """The team that is asked, or the cascade of two, in its own number of poses or another, for its own mix of classes or another."""
    from equiradio.evaluation.prior import parse_prior
    from equiradio.inference.cascade import load_cascade
    from equiradio.inference.team import load

    asked: Team | Cascade = load_cascade(model, device, precision) if cascade else load(model, device, precision)
    if prior is not None:
        asked = asked.for_prior(parse_prior(prior, asked.labels))
    if poses is not None:
        asked = asked.in_poses(poses)
        _warn_of_poses(asked, poses)
    if cascade and (changed := [f"--{name}" for name, value in (("prior", prior), ("poses", poses)) if value is not None]):
        chosen = "from which probability the quick team counts was chosen on validation without"
        say(f"{', '.join(changed)}: {chosen}; what the two are worth so was not measured.", err=True)
    return asked


def _warn_of_poses(asked: "Team | Cascade", poses: int) -> None:
    """A warning about each team that was calibrated, but not for this number of poses."""
    from equiradio.inference.cascade import Cascade

    for team in (asked.quick, asked.team) if isinstance(asked, Cascade) else (asked,):
        if team.card.calibrated and not team.calibration.calibrated:
            tried = sorted({team.card.poses or 0, *map(int, team.card.by_poses)})
            has = f"{poses}; {team.model} is calibrated for {', '.join(map(str, tried))}"
            say(f"--poses: {has}. Temperature and threshold are those of the nearest; flag uncalibrated.", err=True)


def _examples() -> Path:
    from equiradio.datasets.simulated_cutouts import TRUTH, example_cutouts

    folder = example_cutouts()
    say(f"{folder}: simulated cutouts, FRI and FRII in turn; their truth is in {folder / TRUTH}", err=True)
    return folder


def _print(rows: list[dict], team: "Classifier") -> None:
    from equiradio.cli.tables import print_table
    from equiradio.inference.cascade import Cascade
    from equiradio.verbs.sky_maps import shown_class

    labels, title, quick = team.labels, team.name, None
    if isinstance(team, Cascade):
        quick = team.quick.name
        title = f"quick: {quick}, from probability {team.threshold:.3f}; better: {title}"
    name = f"p({labels.names[1]})" if labels.binary else "p(class)"
    columns = ("source", "class", name, "5-95 %", "uncertain", *(["by"] if quick else []), "flags")
    shown = []
    for row in rows:
        cells, by = ["-", "-"], ""
        if row["label"]:
            _, column, low, high = shown_class(row, labels)
            cells, by = [f"{row[column]:.3f}", f"{row[low]:.3f}-{row[high]:.3f}"], "quick" if row["model"] == quick else "better"
        unsure = "yes" if row["uncertain"] else ""
        shown.append((row["source_id"], row["label"] or "-", *cells, unsure, *([by] if quick else []), row["flag_names"] or ""))
    print_table(columns, shown, title)
