"""Choose again from which probability packaged quick teams are sure, and write it into their cards.

Usage: python scripts/choose_cascade.py [--answers FOLDER] NAME...            (from the repository's root; list_weights.py afterwards)

As `equiradio calibrate --cascade` does for new teams; nothing else of a card changes, and no weight. Answers are put aside in FOLDER/NAME,
so that an interrupted call goes on. The test split is scored with what is chosen on validation.
"""

import argparse
import json
import tempfile
from pathlib import Path

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.inference.asking import Asking
from equiradio.inference.team import load
from equiradio.verbs.cascade_choice import open_last, with_cascade


def main(names: list[str], answers: Path) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card = folder.card()
        (answers / name).mkdir(parents=True, exist_ok=True)
        asking = Asking(load(name, "cpu").members, answers / name, lambda *_: None)
        last = open_last(card.cascade.get("team"), card, "cpu")
        card = with_cascade(folder, card, asking, last, open_data(card.members[0].data))
        folder.write_card(card)
        print(f"{name}: {json.dumps(card.cascade, indent=2)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--answers", type=Path, help="a folder for answers; by default one that is deleted")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        main(given.names, given.answers or Path(spare))
