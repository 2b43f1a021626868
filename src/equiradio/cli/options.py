"""Options that several verbs share."""

import typer

DATA_DIR = typer.Option(None, "--data-dir", help="Where data sets lie; default EQUIRADIO_DATA, else the user's cache.", show_default=False)
DEVICE = typer.Option("auto", "--device", help="auto, cpu or cuda.")
JSON = typer.Option(False, "--json", help="Print JSON instead of a table.")
