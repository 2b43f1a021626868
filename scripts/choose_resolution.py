"""Choose from how many beams across on, and through which beams, packaged teams can tell classes apart, and write it into their cards.

Usage: python scripts/choose_resolution.py [--answers FOLDER] NAME...            (from the repository's root; list_weights.py afterwards)

As `equiradio calibrate` does for new teams; nothing else of a card changes, and no weight. Answers are put aside in FOLDER/NAME, so that
an interrupted call goes on.
"""

import argparse
import tempfile
from pathlib import Path

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.inference.asking import Asking
from equiradio.inference.team import load
from equiradio.verbs.resolution_choice import with_resolution


def main(names: list[str], answers: Path) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card, validation = folder.card(), open_data(folder.card().members[0].data).of_split("validation")
        (answers / name).mkdir(parents=True, exist_ok=True)
        asking = Asking(load(name, "cpu").members, answers / name, lambda *_: None)
        card = with_resolution(card, asking, validation)
        folder.write_card(card)
        beams = f"{card.by_beams['finer_arcsec']} and {card.by_beams['beams_arcsec']} arcsec"
        print(f"{name}: resolved from {card.resolved_from} beams across, through {beams}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--answers", type=Path, help="a folder for answers; by default one that is deleted")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        main(given.names, given.answers or Path(spare))
