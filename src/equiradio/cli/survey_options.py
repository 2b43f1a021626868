"""Options of ``survey``, which of them go together, what they ask for, and who answers by them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from equiradio.errors import SettingRefusal
from equiradio.printable import count_of

if TYPE_CHECKING:
    from equiradio.inference.reading import Classifier
    from equiradio.survey.maps import Choice
    from equiradio.survey.plan import Asked

Engine = Literal["local", "slurm", "ray"]

CATALOGUE = typer.Argument(
    help="Parquet (a file or folder), FITS, VOTable, CSV, ECSV, IPAC, AAS or CDS; files behind it are images.",
    metavar="CATALOGUE [IMAGE...]",
)
IMAGES = typer.Option(None, "--images", help="FITS file, folder or 'pattern'; again for a second choice.", show_default=False)
OUT = typer.Option(help="Folder of the survey.")
FEATURES = typer.Option(False, "--features", help="Add one vector a source, for similarity search.")
RA = typer.Option(None, "--ra", help="Column of right ascensions, ICRS degrees.", show_default=False)
DEC = typer.Option(None, "--dec", help="Column of declinations.", show_default=False)
NAME = typer.Option(None, "--id", help="Column of names.", show_default=False)
GROUP = typer.Option(None, "--group", help="Column that the components of one source share: they become one row.", show_default=False)
TABLE = typer.Option(
    None, "--table", help="Of a FITS file or VOTable with several: its name or number; default: the one with positions.", show_default=False
)
SHARD_SIZE = typer.Option(10_000, "--shard-size", min=1, help="Sources that are written at once.")
MAX_NONFINITE = typer.Option(0.05, "--max-nonfinite", help="Share of a crop that may be not finite, 0 to 1.")
MAPS = typer.Option(
    None, "--maps", help="Then draw maps of the uncertain, of the surest (top:100) or of those in a list (ids:FILE).", show_default=False
)
BEAM = typer.Option(None, "--beam", help="Of images that state none: major, minor axis (arcsec), angle; or one width.", show_default=False)
HASH = typer.Option(False, "--hash", help="Know images by their contents, not by size and time.")
ENGINE = typer.Option("local", "--engine", help="slurm: plan, and write an array's script into OUT; ray: a cluster's actors.")
ADDRESS = typer.Option(None, "--address", help="Of a running ray cluster; default: one on this machine.", show_default=False)
WORKERS = typer.Option(None, "--workers", min=1, help="Actors; default: one a core or GPU of the cluster.", show_default=False)

PART = typer.Option(None, "--part", help="K/N: do every N-th shard, as one of N processes.", show_default=False)
READERS = typer.Option(1, "--readers", min=0, help="Processes that read images; 0 for a thread.")


def check_engine(engine: str, address: str | None, workers: int | None, part: str | None) -> None:
    """Refuse options that go with a cluster alone, and parts, which are the other way to share the work."""
    for option, value in (("--address", address), ("--workers", workers)):
        if value is not None and engine != "ray":
            raise SettingRefusal(option, f"{value} with --engine {engine}", "--engine ray", f"Say --engine ray, or drop {option}.")
    if engine == "ray" and part is not None:
        raise SettingRefusal("--part", f"{part} with --engine ray", "one of the two", "A cluster shares the work by itself: drop --part.")


def choice_of(text: str | None, engine: str, part: str | None) -> "Choice | None":
    """Of which sources maps are wanted, which only a run that ends with the whole catalogue can draw."""
    if text is None:
        return None
    from equiradio.survey.maps import OPTION, Choice

    if engine == "slurm" or part is not None:
        do = "When all parts are done, run the command without --part and --engine, with --resume."
        raise SettingRefusal(OPTION, f"{text} in a part", "a run of the whole survey", do)
    return Choice.of(text)


def choices_by_option(
    model: str | None, cascade: bool, precision: str, poses: int | None, prior: str | None, features: bool
) -> dict[str, Any]:
    """Who answers, by option, as the script of an array repeats it; a cascade that is asked for ``features`` is refused."""
    from equiradio.artefacts.features import OPTION, TWO_TEAMS, of_two_teams

    if cascade and features:
        raise of_two_teams(OPTION, TWO_TEAMS)
    return {"--model": _model(model), "--cascade": cascade, "--precision": precision, "--poses": poses, "--prior": prior}


def opened(choices: dict[str, Any], device: str) -> "Classifier":
    """The team of these choices."""
    from equiradio.cli.classify import open_classifier

    model, precision, poses, prior = (choices[f"--{name}"] for name in ("model", "precision", "poses", "prior"))
    return open_classifier(model, device, precision, poses, prior, cascade=choices["--cascade"])


def _model(model: str | None) -> str:
    """The team by name; an unknown name is refused before anything heavy is loaded."""
    from equiradio.artefacts.shelf import default_name, find_team

    if model is not None and not Path(model).exists():
        find_team(model)
    return model or default_name()


def asked_for(
    catalogue: list[Path],
    images: list[str] | None,
    columns: tuple[str, str, str, str, str],
    shard_size: int,
    features: bool,
    max_nonfinite: float,
    hdu: int | None,
    plane: str | None,
    beam: str | None,
    contents: bool,
) -> "Asked":
    """What is asked, checked before anything heavy is loaded."""
    from equiradio.cli.classify import cutting_options

    if not images:
        raise SettingRefusal("--images", "none", "the images that hold the sources", "For example --images 'mosaics/*.fits'.")
    options = cutting_options(hdu, plane, max_nonfinite, beam)
    from equiradio.survey import images as of_images
    from equiradio.survey import tables

    beside = [str(file) for file in catalogue[1:]]  # a pattern that the shell has filled in
    if beside and len(images) > 1:
        found = f"{len(images)} times, and {count_of(len(beside), 'image')} besides, of which choice is not clear"
        raise SettingRefusal("--images", found, "patterns in quotes, which the shell leaves alone", "For example --images 'first/*.fits'.")
    of_images.refuse_absent([*images, *beside])
    tables.refuse_absent(catalogue[0])
    from equiradio.survey.catalogue import Chosen
    from equiradio.survey.plan import Asked

    share = options.pop("max_nonfinite")
    return Asked(catalogue[0], images, Chosen(*columns), shard_size, features, share, options, contents, beside)
