"""Choose from how many beams across on, and through which beams, packaged teams can tell classes apart, and write it into their cards.

Usage: python scripts/choose_resolution.py [--answers FOLDER] NAME...            (from the repository's root; list_weights.py afterwards)

As `equiradio calibrate` does for new teams; nothing else of a card changes, and no weight. Answers are put aside in FOLDER/NAME, so that
an interrupted call goes on.
"""

from pathlib import Path

import named_teams

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.inference.team import load
from equiradio.verbs.resolution_choice import with_resolution


def main(names: list[str], answers: Path) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card, validation = folder.card(), open_data(folder.card().members[0].data).of_split("validation")
        asking = named_teams.asking_of(name, load(name, "cpu").members, answers)
        card = with_resolution(card, asking, validation)
        folder.write_card(card)
        beams = f"{card.by_beams['finer_arcsec']} and {card.by_beams['beams_arcsec']} arcsec"
        print(f"{name}: resolved from {card.resolved_from} beams across, through {beams}", flush=True)


if __name__ == "__main__":
    given = named_teams.parser(__doc__).parse_args()
    with named_teams.folder_for(given.answers) as folder:
        main(given.names, folder)
