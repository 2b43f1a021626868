"""The verb ``explain``."""

import json
from pathlib import Path

import typer

from equiradio.cli import completion
from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, DEVICE, JSON, Device, Split, check_data
from equiradio.errors import SettingRefusal


def explain(
    run: str = typer.Argument(
        help="A run folder, or a team's folder or name.", metavar="RUN|TEAM|NAME", show_default=False, autocompletion=completion.teams
    ),
    out: Path = typer.Option(..., "--out", help="Where to put numbers, figures and the page.", show_default=False),
    seed: int = typer.Option(None, "--seed", help="Which member of a team; default its first.", show_default=False),
    data: str = typer.Option(
        None,
        "--data",
        help="A data set, or a folder or table of images; default the one that the network was trained on.",
        show_default=False,
        autocompletion=completion.data_sets,
    ),
    split: Split = typer.Option("test", "--split", help="Which sources of the data set."),
    everything: bool = typer.Option(False, "--all", help="All sources of the split instead of 40."),
    quick: bool = typer.Option(False, "--quick", help="A quarter of the work: fewer angles and pixels, no ranking by seeds and turns."),
    member: list[str] = typer.Option(
        None,
        "--member",
        help="Another run or team, for ensemble and agreement; repeatable. Default the team's other members, or the seeds beside RUN.",
        show_default=False,
        autocompletion=completion.teams,
    ),
    against: Path = typer.Option(None, "--against", help="An explanation of another network, to compare with.", show_default=False),
    device: Device = DEVICE,
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Measure what attention maps are worth: symmetry, residue, faithfulness and rank among controls, astronomy, uncertainty; one page.

    Example: equiradio explain runs/c4-attention-mirabest-fast-seed0 --out explained/c4
    """
    from equiradio.artefacts.shelf import check_trained

    if quick and everything:
        raise SettingRefusal("--quick", "given with --all", "one of them", "Drop one.")
    check_data(data)
    check_trained(run, *(member or []))
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table
    from equiradio.compute.device import choose_device
    from equiradio.explain.case import QUICK, WHOLE, Effort
    from equiradio.explain.page import HEADLINES, headline_rows
    from equiradio.verbs.explain import explain as run_explanation

    try:
        with bars() as step:
            answer = run_explanation(
                run,
                out,
                seed=seed,
                data=data,
                split=split,
                members=member or None,
                against=against,
                effort=QUICK if quick else WHOLE if everything else Effort(),
                data_dir=data_dir,
                device=choose_device(device),
                progress=step,
            )
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. Finished parts are kept in {out}; run the same command to go on.") from None
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    about = answer["about"]
    print_table(HEADLINES, headline_rows(answer), f"{about['run']}: {about['data']}, {about['split']}, {about['sources']} sources")
    say(f"Look at {out / 'index.html'}")
