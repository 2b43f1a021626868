"""Options that several verbs share, and what can be chosen where the choice is closed."""

from typing import Literal

import typer

from equiradio.cli import completion

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bf16"]
Preset = Literal["paper", "fast", "quick"]
Split = Literal["train", "validation", "test"]

DATA_DIR = typer.Option(None, "--data-dir", help="Where data sets lie; default EQUIRADIO_DATA, else the user's cache.", show_default=False)
DEVICE = typer.Option("auto", "--device", help="What to compute with; auto takes a GPU where there is one.")
JSON = typer.Option(False, "--json", help="Print JSON instead of a table.")
MODEL = typer.Option(
    None,
    "--model",
    help="A team by name, or the folder of a team or run; default: see equiradio models.",
    show_default=False,
    autocompletion=completion.teams,
)
CASCADE = typer.Option(False, "--cascade", help="Ask a quick team first, and this one where that is not sure.")
HDU = typer.Option(None, "--hdu", help="HDU of the image, where there are several.", show_default=False)
PLANE = typer.Option(None, "--plane", help="Plane of a cube: a number from 0, or a value as 1.42GHz.", show_default=False)
PRIOR = typer.Option(
    None, "--prior", help="Mix of classes among the sources, as FRI=0.7,FRII=0.3; default: that learned from.", show_default=False
)
PRECISION = typer.Option("float32", "--precision", help="bf16 is for speed where the processor has it.")
POSES = typer.Option(None, "--poses", help="Turned copies each network is asked about; default: the card's.", show_default=False)


def check_data(name: str | None) -> None:
    """Refuse a name of no data set before PyTorch is opened; none where it is left out."""
    if name is not None:
        from equiradio.datasets.registry import check_name

        check_name(name)
