"""Teams by name. Their cards come with the package; their weights come with it too, or lie elsewhere on this machine, or are fetched."""

from collections import Counter
from pathlib import Path
from textwrap import shorten

from equiradio.artefacts.manifest import FILE, Listing, read_manifest
from equiradio.artefacts.run import Run
from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.errors import ModelRefusal, RunRefusal, nearest
from equiradio.folders import WEIGHTS, user_cache, weights_folder
from equiradio.sky.recipe import Recipe
from equiradio.version import checkout

PACKAGED = Path(__file__).parents[1] / "weights"


def team_names() -> list[str]:
    """Names of the teams that can be opened by name, wherever their weights are."""
    return sorted(read_manifest(PACKAGED / FILE).keys() | {path.parent.name for path in PACKAGED.glob("*/card.json")})


def names_here() -> list[str]:
    """Names of the teams whose weights are on this machine."""
    manifest = read_manifest(PACKAGED / FILE)
    return [name for name in team_names() if name not in manifest or _place_of(name, manifest[name])]


def list_models() -> dict[str, TeamCard]:
    """Teams that `equiradio.load` opens by name, with their cards: members, classes, measured scores, licences."""
    return {name: team_card_of(name) for name in team_names()}


def find_team(name: str) -> TeamFolder:
    """The folder of a team, with all of its files as the manifest lists them.

    Looked for in the package, in ``EQUIRADIO_WEIGHTS``, in the user's cache and in the checkout that the package runs from; else fetched
    into the cache.

    Raises
    ------
    ModelRefusal : none of that name, a file of another content, or weights that are not here and cannot be fetched.
    """
    _refuse_unknown(name)
    listing = read_manifest(PACKAGED / FILE).get(name)
    if listing is None:  # a folder in the package that no manifest lists, as in older versions
        return TeamFolder(PACKAGED / name)
    folder = _place_of(name, listing) or _fetch(name, listing)
    listing.verify(folder)
    return TeamFolder(folder)


def trained_at(what: str | Path) -> TeamFolder | Run:
    """What was trained: the folder of a run or team, or a team by name.

    Raises
    ------
    RunRefusal : a path where there is neither, or a team whose calibration did not end. ModelRefusal : as `find_team`.
    """
    path = Path(what)
    if path.is_dir():
        folder = TeamFolder(path)
        folder.refuse_half_made()
        return folder if folder.is_team else Run(path)
    if _is_name(what):
        return find_team(str(what))
    found = "a file" if path.exists() else "no such folder"
    raise RunRefusal(path, found, "the folder of a training or a team", "Train first, or correct the path.")


def check_trained(*those: str | Path) -> None:
    """Refuse what `trained_at` refuses, and a folder of neither a run nor a team; no network is built.

    Weights are fetched after all of them are known to be there.
    """
    for what in those:
        recipe_at(what)
    for what in those:
        trained_at(what)


def recipe_at(what: str | Path) -> Recipe:
    """By which files become images for what was trained; refused as by `check_trained`, and no weights are fetched."""
    if _is_name(what):
        return team_card_of(str(what)).members[0].images
    place = trained_at(what)
    if isinstance(place, Run):
        place.settings()
        return place.card().images
    return place.card().members[0].images


def _is_name(what: str | Path) -> bool:
    """Whether it is the name of a team, or would be one, and no path."""
    path = Path(what)
    return not path.is_dir() and (str(what) in team_names() or not (path.exists() or len(path.parts) > 1))


def team_card_of(name: str) -> TeamCard:
    """The card of a team by name; its weights need not be here.

    Raises
    ------
    ModelRefusal : none of that name.
    """
    _refuse_unknown(name)
    folder = TeamFolder(PACKAGED / name)
    return (folder if folder.card_file.is_file() else find_team(name)).card()


def default_name() -> str:
    """Of the teams whose weights are here, the one with the lowest validation negative log-likelihood.

    That of the calibrated teams where every card has it; else the mean over members of that of their training. Likelihoods
    on other validation sources do not compare, so only teams of the data set that most of them learned from are asked.
    """
    cards = {name: team_card_of(name) for name in names_here()}
    if not cards:
        raise ModelRefusal("model", "no weights come with this package", "at least one card", "Name a run with --model.")
    ((data, _),) = Counter(card.members[0].opened_as for card in cards.values()).most_common(1)
    cards = {name: card for name, card in cards.items() if card.members[0].opened_as == data}
    calibrated = all("nll_after" in card.validation for card in cards.values())
    return min(cards, key=lambda name: _likelihood(cards[name], calibrated))


def _likelihood(card: TeamCard, calibrated: bool) -> float:
    if calibrated:
        return float(card.validation["nll_after"])
    losses = [member.best_validation_loss or float("inf") for member in card.members]
    return sum(losses) / len(losses)


def _refuse_unknown(name: str) -> None:
    names = team_names()
    if name not in names:
        raise ModelRefusal(
            "model", f"'{name}' is neither a packaged team nor a folder of a run or team", ", ".join(names), nearest(name, names)
        )


def _places() -> list[Path]:
    """Folders of teams on this machine, in the order they are looked through."""
    named, root = weights_folder(), checkout()
    return [PACKAGED, *([named] if named else []), _cache(), *([root / "weights"] if root else [])]


def _cache() -> Path:
    return user_cache() / "weights"


def _place_of(name: str, listing: Listing) -> Path | None:
    """The first folder on this machine that has every file of a team."""
    return next((place / name for place in _places() if not listing.lacking(place / name)), None)


def _fetch(name: str, listing: Listing) -> Path:
    """The folder in the cache that a team was fetched into; a file takes its name only after its hash was found right."""
    if listing.url is None:
        raise _absent(name, listing, "they have no published record yet")
    try:
        import pooch

        pooch.get_logger().setLevel("WARNING")
        for file, listed in listing.files.items():
            pooch.retrieve(listing.url.format(file=file), f"sha256:{listed['sha256']}", fname=file, path=_cache() / name)
    except (ImportError, OSError, ValueError) as error:  # no pooch; no network or no room; another hash
        reason = shorten(f"{type(error).__name__}: {error}", 120, placeholder=" ...")
        raise _absent(name, listing, f"fetching them failed ({reason})") from None
    return _cache() / name


def _absent(name: str, listing: Listing, why: str) -> ModelRefusal:
    named = weights_folder()
    looked = f"lacks {', '.join(listing.lacking(named / name))}" if named else "is not set"
    found = f"the weights of '{name}' do not come with the package, {WEIGHTS}{f' ({named / name})' if named else ''} {looked}, and {why}"
    later = "" if listing.url else " once they are published"
    do = f"Set {WEIGHTS} to the folder that holds {name}/ (weights/ of the repository), or use a machine with network{later}."
    return ModelRefusal("model", found, f"{name}/ with {', '.join(listing.files)}", do)
