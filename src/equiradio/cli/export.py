"""The verb ``export``."""

from pathlib import Path
from typing import Literal

import typer

from equiradio.cli import completion
from equiradio.cli.lines import say
from equiradio.errors import SettingRefusal

Kind = Literal["onnx", "torch"]


def export(
    model: str = typer.Argument(
        help="A run or team folder, or the name of a team.",
        metavar="RUN|TEAM|NAME",
        show_default=False,
        autocompletion=completion.teams,
    ),
    to: Kind = typer.Option("onnx", "--to", help="torch is a torch.export program."),
    out: Path = typer.Option(None, "--out", help="The file; default MODEL.onnx or MODEL.pt2 here.", show_default=False),
    seed: int = typer.Option(None, "--seed", help="One member of a team, by its seed; default all of them as one.", show_default=False),
) -> None:
    """Write trained networks as one file that needs no equiradio: raw images in, probabilities and attention out.

    Example: equiradio export c4-attention --to onnx --out c4.onnx
    """
    from equiradio.artefacts.shelf import check_trained

    check_trained(model)
    from equiradio.cli.progress import bars
    from equiradio.export.write import SUFFIXES, check_kind, write_export
    from equiradio.inference.team import load, member_of, team_of

    check_kind(to)
    team = load(model, "cpu")
    if seed is not None:
        team = team_of(member_of(team, seed))
    path = out or Path(f"{team.model}{SUFFIXES[to]}")
    if path.is_dir():
        raise SettingRefusal("--out", f"{path} is a folder", "a file", "Name a file in it.")
    with bars():
        difference = write_export(team, path, to)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB; opened again, probabilities within {difference:.0e} of the network's")
    if len(team.members) > 1:
        seeds = ", ".join(map(str, team.card.seeds))
        say(f"{path}: all {len(team.members)} members (seeds {seeds}) as one, of the image as it is; --seed writes one", err=True)
