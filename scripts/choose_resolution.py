"""Choose from how many beams across on packaged teams can tell classes apart, and write it into their cards.

Usage: python scripts/choose_resolution.py NAME...            (from the repository's root; list_weights.py afterwards)

As `equiradio calibrate` does for new teams; nothing else of a card changes, and no weight.
"""

import sys
import tempfile
from pathlib import Path

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.inference.asking import Asking
from equiradio.inference.team import load
from equiradio.verbs.resolution_choice import with_resolution


def main(names: list[str]) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card, validation = folder.card(), open_data(folder.card().members[0].data).of_split("validation")
        with tempfile.TemporaryDirectory() as parts:
            asking = Asking(load(name, "cpu").members, Path(parts), lambda *_: None)
            card = with_resolution(card, asking, validation)
        folder.write_card(card)
        print(f"{name}: resolved from {card.resolved_from} beams across, by beams of {card.by_beams['beams_arcsec']} arcsec", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
