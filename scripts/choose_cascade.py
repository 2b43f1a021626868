"""Choose again from which probability packaged quick teams are sure, and write it into their cards.

Usage: python scripts/choose_cascade.py [--answers FOLDER] NAME...            (from the repository's root; list_weights.py afterwards)

As `equiradio calibrate --cascade` does for new teams; nothing else of a card changes, and no weight. Answers are put aside in FOLDER/NAME,
so that an interrupted call goes on. The test split is scored with what is chosen on validation.
"""

import json
from pathlib import Path

import named_teams

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.inference.team import load
from equiradio.verbs.cascade_choice import open_last, with_cascade


def main(names: list[str], answers: Path) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card = folder.card()
        asking = named_teams.asking_of(name, load(name, "cpu").members, answers)
        last = open_last(card.cascade.get("team"), card, "cpu")
        card = with_cascade(folder, card, asking, last, open_data(card.members[0].data))
        folder.write_card(card)
        print(f"{name}: {json.dumps(card.cascade, indent=2)}", flush=True)


if __name__ == "__main__":
    given = named_teams.parser(__doc__).parse_args()
    with named_teams.folder_for(given.answers) as folder:
        main(given.names, folder)
