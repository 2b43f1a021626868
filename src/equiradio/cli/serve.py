"""The verb ``serve``."""

from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import typer

from equiradio.cli import completion
from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR
from equiradio.errors import SettingRefusal


def serve(
    model: list[str] = typer.Option(
        None,
        "--model",
        metavar="NAME|TEAM|RUN",
        help="A packaged model, or the folder of a team or run; the first is shown; default all packaged.",
        show_default=False,
        autocompletion=completion.teams,
    ),
    runs: list[Path] = typer.Option(None, "--runs", help="A run folder, or a folder of run folders, for the run view.", show_default=False),
    table: list[Path] = typer.Option(
        None, "--table", help="A Parquet or CSV table of predictions, for the table view.", show_default=False
    ),
    images: Path = typer.Option(None, "--images", help="A folder of FITS images to choose from.", show_default=False),
    label: Path = typer.Option(
        None, "--label", help="Label the images of --images into this table, .csv; gone on with where it is there.", show_default=False
    ),
    classes: str = typer.Option(
        None,
        "--classes",
        metavar="A,B",
        help="Classes to label by; default the first model's; the table's follow.",
        show_default=False,
    ),
    who: str = typer.Option(None, "--who", help="Whose labels they are; default the name of the user.", show_default=False),
    data: list[str] = typer.Option(
        None,
        "--data",
        help="A data set to choose from; default mirabest, where it is here, and simulated.",
        show_default=False,
        autocompletion=completion.data_sets,
    ),
    data_dir: Path = DATA_DIR,
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen at; the default is reached from this machine alone."),
    port: int = typer.Option(8765, "--port", help="Port to listen at; 0 takes a free one."),
    allow_host: list[str] = typer.Option(
        None, "--allow-host", help="A further name under which browsers may ask for the viewer.", show_default=False
    ),
    root_path: str = typer.Option(
        "", "--root-path", help="The path under which a proxy (JupyterHub, nginx) shows the viewer.", show_default=False
    ),
) -> None:
    """Look at sources, attention, runs and tables in the browser.

    Example: equiradio serve --model c4-attention --runs results/runs
    """
    import importlib.util

    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingRefusal("serve", f"{', '.join(missing)} not installed", "the extra serve", "Run pip install 'equiradio[serve]'.")
    from equiradio.artefacts.claim import claimed
    from equiradio.serve.guards import host_of
    from equiradio.serve.offers import gather, with_desk
    from equiradio.serve.prefix import root_path_of
    from equiradio.serve.server import listen, run

    root, allowed = root_path_of(root_path), [host_of(name) for name in allow_host or []]
    offers = gather(model or [], runs or [], data or [], images, table or [], data_dir)
    for problem in offers.problems:
        say(f"not offered: {problem}", err=True)
    with ExitStack() as stack:
        if label is not None:
            held = stack.enter_context(claimed(label))
            named = [word for part in (classes or "").split(",") if (word := part.strip())]
            desk = with_desk(offers, label, named, who or _user(), held.check).desk
            assert desk is not None
            desk.order.start()
        elif classes or who:
            raise SettingRefusal(
                "--classes" if classes else "--who", "given without --label", "a table to label into", "Add --label OUT.csv."
            )
        socket = stack.enter_context(listen(host, port))
        everywhere = host in ("0.0.0.0", "::")
        name = "localhost" if everywhere else f"[{host}]" if ":" in host else host
        typer.echo(f"http://{name}:{socket.getsockname()[1]}{quote(root)}/ shows the viewer; Ctrl-C stops it.")
        if everywhere and not allow_host:
            typer.echo("From other machines it is refused until --allow-host says the name that they call this one by.", err=True)
        run(offers, socket, (host, *allowed), root)


def _user() -> str:
    """The name of whoever started this, as far as the system says."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user number without a name, as in containers
        return "unknown"
