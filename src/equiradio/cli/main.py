"""The command ``equiradio``: its verbs, and how refusals and interruptions end."""

import sys
from collections.abc import Sequence

import click
import typer

import equiradio
from equiradio.cli import data, demo, evaluate, train
from equiradio.errors import Refusal

app = typer.Typer(
    name="equiradio",
    help="Classify radio galaxies (FRI, FRII) with group-equivariant self-attention, and see why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(equiradio.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and stop."),
) -> None:
    pass


app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code: 0 done, 2 refused (one line on stderr), 130 interrupted (what was done is kept)."""
    try:
        code = app(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort) as interruption:
        print(next(iter(interruption.args), "Interrupted."), file=sys.stderr)
        return 130
    except click.ClickException as problem:
        problem.show()
        return 2
    return int(code or 0)


def run() -> None:
    """Entry point of the installed command."""
    sys.exit(main())
