"""Teams by name: those that come with the package."""

from pathlib import Path

from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.errors import ModelRefusal, nearest

PACKAGED = Path(__file__).parents[1] / "weights"


def team_names() -> list[str]:
    """Names of the teams that can be opened by name."""
    return sorted(path.parent.name for path in PACKAGED.glob("*/card.json"))


def list_models() -> dict[str, TeamCard]:
    """Teams that `equiradio.load` opens by name, with their cards: members, classes, measured scores, licences."""
    return {name: team_card_of(name) for name in team_names()}


def find_team(name: str) -> TeamFolder:
    """The folder of a team.

    Raises
    ------
    ModelRefusal : none of that name.
    """
    if name not in team_names():
        do = nearest(name, team_names())
        raise ModelRefusal("model", f"'{name}' is neither a packaged team nor a folder of a run or team", ", ".join(team_names()), do)
    return TeamFolder(PACKAGED / name)


def team_card_of(name: str) -> TeamCard:
    """The card of a team by name; refuses as `find_team`."""
    return find_team(name).card()


def default_name() -> str:
    """The packaged team with the lowest validation negative log-likelihood.

    That of the calibrated teams where every card has it; else the mean over members of that of their training.
    """
    cards = {name: team_card_of(name) for name in team_names()}
    if not cards:
        raise ModelRefusal("model", "no weights come with this package", "at least one card", "Name a run with --model.")
    calibrated = all("nll_after" in card.validation for card in cards.values())
    return min(cards, key=lambda name: _likelihood(cards[name], calibrated))


def _likelihood(card: TeamCard, calibrated: bool) -> float:
    if calibrated:
        return float(card.validation["nll_after"])
    losses = [member.best_validation_loss or float("inf") for member in card.members]
    return sum(losses) / len(losses)
