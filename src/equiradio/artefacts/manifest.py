"""The manifest of published teams: their files with hash and size, licence, test scores, and where to fetch them."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypedDict, cast

from equiradio.artefacts.json_files import check
from equiradio.artefacts.team import TeamFolder
from equiradio.artefacts.team_scores import Measured, SplitScores
from equiradio.errors import ModelRefusal, refused_as

FILE = "manifest.json"


class Listed(TypedDict):
    """A file: the SHA-256 of its content, and its bytes."""

    sha256: str
    size: int


class ListedScores(TypedDict, total=False):
    """Of the test split: of all its sources, and of the probabilities."""

    sources: int
    accuracy: Measured
    auc: Measured
    nll_after: float
    brier: float
    ece: float


@dataclass(frozen=True)
class Listing:
    """A team's entry in the manifest.

    Attributes
    ----------
    files : card and weights, by name.
    licence : of the weights.
    scores : on the test split, from the card.
    url : where each file can be fetched, with ``{file}`` in place of its name; None until there is a published record.
    """

    files: dict[str, Listed]
    licence: str
    scores: ListedScores = field(default_factory=ListedScores)
    url: str | None = None

    def lacking(self, folder: Path) -> list[str]:
        """Files that a folder does not have."""
        return [name for name in self.files if not (folder / name).is_file()]

    def verify(self, folder: Path) -> None:
        """Compare every file in a folder with its hash. A file is read once a process, unless it changes.

        Raises
        ------
        ModelRefusal : another content.
        """
        for name, listed in self.files.items():
            file = folder / name
            there = sha256_of(file)
            if there != listed["sha256"]:
                do = "Put the published file in its place, or take the folder away; a team of your own opens by the path of its folder."
                raise ModelRefusal(file, f"sha256 {there}", f"{listed['sha256']}, as the manifest says", do)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content."""
    state = path.stat()
    return _sha256(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(path: Path) -> dict[str, Listing]:
    """The teams that a manifest lists, by name; none where there is no such file."""
    if not path.is_file():
        return {}
    with refused_as(ModelRefusal, path, "a manifest of teams in JSON", "Install the package again."):
        content = json.loads(path.read_text(encoding="utf-8"))
        check(content, dict[str, Listing], "the manifest")
        listings = {name: Listing(**listing) for name, listing in content.items()}
        for name, listing in listings.items():
            if odd := [file for file in (name, *listing.files) if Path(file).name != file]:
                raise ValueError(f"{odd[0]!r} is no name of a file")
            (listing.url or "").format(file=name)
        return listings


def listing_of(folder: TeamFolder, url: str | None = None) -> Listing:
    """The manifest's entry for a team's folder."""
    card = folder.card()
    names = [folder.card_file.name, *(folder.weights_file(seed).name for seed in card.seeds)]
    names += [str(card.out_of_distribution["file"])] if card.out_of_distribution else []
    files: dict[str, Listed] = {
        name: {"sha256": sha256_of(folder.path / name), "size": (folder.path / name).stat().st_size} for name in names
    }
    return Listing(files, card.members[0].licence, _scores(card.test), url)


def _scores(test: SplitScores) -> ListedScores:
    of_all = cast(ListedScores, dict(test.get("all", {})))
    of_probabilities = {key: value for key, value in test.items() if key in ("nll_after", "brier", "ece")}
    return cast(ListedScores, of_all | of_probabilities)


def as_json(listings: dict[str, Listing]) -> dict[str, dict[str, object]]:
    """What manifest.json holds."""
    return {name: asdict(listings[name]) for name in sorted(listings)}
