"""The command ``equiradio``: its verbs, and how refusals and interruptions end."""

import gc
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import typer

import equiradio
from equiradio.artefacts.atomic import disk_refusal, is_disk_full
from equiradio.cli import (
    bench,
    calibrate,
    classify,
    data,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    models,
    report,
    reproduce,
    serve,
    similar,
    survey,
    train,
)
from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import command_line
from equiradio.errors import Refusal, SettingRefusal, nearest
from equiradio.printable import in_one_line

INTERRUPTED = 130
COLLECTED_AFTER = 10_000  # objects made; after 700, Python's own choice, searching for garbage while importing takes a tenth of a short run
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")  # of CUDA, of PyTorch's allocator on Windows and elsewhere
USAGE_PROBLEM: type[Exception] = typer.BadParameter.__mro__[2]  # click's ClickException, of which newer typers carry a copy of their own
CHOICE = re.compile(r"Invalid value for '(?P<option>--[\w-]+)'.*: .*?['\"](?P<given>.*)['\"] is not one of (?P<words>'.+')", re.DOTALL)

app = typer.Typer(
    name="equiradio",
    help="Classify radio galaxies (FRI, FRII) with group-equivariant self-attention, and see why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
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
app.command("calibrate")(calibrate.calibrate)
app.command("models")(models.models)
app.command("classify")(classify.classify)
app.add_typer(survey.app, name="survey")
app.command("similar")(similar.similar)
app.command("reproduce")(reproduce.reproduce)
app.command("report")(report.report)
app.command("explain")(explain.explain)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code: 0 done, 2 refused (one line on stderr), 130 interrupted (what was done is kept)."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's threads, not loaded yet, sleep while they wait
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        code = app(args=given, prog_name="equiradio", standalone_mode=False, obj=command_line(given))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except OSError as error:
        if is_disk_full(error):
            print(disk_refusal(error.filename or "output"), file=sys.stderr)
            return 2
        found, expected = error.strerror or str(error), "a path that can be read and written"
        print(Refusal(error.filename or "files", found, expected, "Check the path."), file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"memory: {error}; expected numbers that fit into it. Ask for less.", file=sys.stderr)
        return 2
    except RuntimeError as error:  # of PyTorch, whose own MemoryError is one of these
        if not any(words in str(error) for words in NO_MEMORY):
            raise
        print(f"memory: {str(error).splitlines()[0]}; expected numbers that fit into it. Ask for less.", file=sys.stderr)
        return 2
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        return INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except USAGE_PROBLEM as problem:
        if line := _in_words(problem):  # else it was the help, which is printed already
            print(in_one_line(line), file=sys.stderr)
        return 2
    if code == INTERRUPTED:
        print("Interrupted; run the same command again.", file=sys.stderr)
    return int(code or 0)


def _in_words(problem: Any) -> str:
    """What is wrong with a command line; a value that is none of an option's choices is refused as a setting is."""
    message = problem.format_message()
    if choice := CHOICE.search(message):
        words = re.findall(r"'([^']*)'", choice["words"])
        expected = f"{', '.join(words[:-1])} or {words[-1]}"
        return str(SettingRefusal(choice["option"], f"'{choice['given']}'", expected, nearest(choice["given"], words)))
    return f"command line: {message.rstrip('.')}. See --help." if message else ""


def run() -> None:
    """Entry point of the installed command."""
    gc.set_threshold(COLLECTED_AFTER)
    sys.exit(main())
