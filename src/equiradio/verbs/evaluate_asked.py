"""What ``evaluate`` can be asked, checked without PyTorch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equiradio.artefacts.run import Run
from equiradio.artefacts.shelf import team_names
from equiradio.artefacts.team import TeamFolder, run_of
from equiradio.errors import RunRefusal, SettingRefusal

ORDERS = ("sorted", "shuffled", "single")
PRECISIONS = ("float32", "bf16")


def check_options(batches: str, precision: str, passes: int) -> None:
    """Refuse what no evaluation takes."""
    if batches not in ORDERS:
        raise SettingRefusal("--batches", f"'{batches}'", ", ".join(ORDERS), "Choose one of these.")
    if precision not in PRECISIONS:
        raise SettingRefusal("--precision", f"'{precision}'", " or ".join(PRECISIONS), "Choose one of these.")
    if passes < 0:
        raise SettingRefusal("--passes", f"{passes}", "0 or more", "The paper uses 100.")


def is_team(what: Path) -> bool:
    """A team by name or folder, of which answers are scored, and not the folder of one training?"""
    return TeamFolder(what).is_team or _is_name(what)


def one_run(folder: Path) -> Run:
    """The run in a folder; what would be opened as a team by name is refused as one."""
    if _is_name(folder):
        raise RunRefusal(folder, "a team", "the folder of one training", "The team's scores stand in its card; see 'equiradio models'.")
    TeamFolder(folder).refuse_half_made()
    return run_of(folder)


def _is_name(what: Path) -> bool:
    """The name of a team, where there is no such folder?"""
    return str(what) in team_names() and not what.exists()


def unfinished_line(folder: object, unfinished: str) -> str:
    """What to say of scores of a training that goes on or broke off."""
    return f"{folder}: its training is not finished ({unfinished}); these are scores of its weights so far"


def cautions(what: object, scored: Mapping[str, Any]) -> list[str]:
    """In lines, what is to be said of scores before they are believed."""
    lines = [unfinished_line(what, scored["unfinished"])] if "unfinished" in scored else []
    if "not_held_back" in scored:
        lines.append(f"{what}: {scored['not_held_back']}; scores of others may be lower")
    return lines
