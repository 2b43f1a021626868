"""Options that several verbs share, and what can be chosen where the choice is closed."""

from typing import Literal

import typer

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bf16"]
Preset = Literal["paper", "fast", "quick"]
Split = Literal["train", "validation", "test"]

DATA_DIR = typer.Option(None, "--data-dir", help="Where data sets lie; default EQUIRADIO_DATA, else the user's cache.", show_default=False)
DEVICE = typer.Option("auto", "--device", help="What to compute with; auto takes a GPU where there is one.")
JSON = typer.Option(False, "--json", help="Print JSON instead of a table.")
