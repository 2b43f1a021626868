"""Write into the cards of packaged teams what newer versions have cards say: nothing that they hold changes, and no weight.

Usage: python scripts/complete_cards.py [--answers FOLDER] NAME...            (from the repository's root; list_weights.py afterwards)

Of which mix of classes the members learned, from the training split of their data; limits of sets of classes and how right answers of one
kind are, from validation; how often sets of test sources hold the true class, which is looked at once. What is asked is put aside in
FOLDER/NAME, as choose_resolution.py does, which comes first. Of teams that are given with --mix-only nothing is asked.
"""

from dataclasses import replace
from pathlib import Path

import named_teams

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.inference.team import load
from equiradio.training.fit import of_class
from equiradio.verbs.promises_choice import with_coverage, with_expected, with_sets, with_thresholds


def main(names: list[str], answers: Path, *, mix_only: bool) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card = folder.card()
        sources = open_data(card.members[0].data)
        card = with_mix(card, sources)
        if not mix_only:
            asking = named_teams.asking_of(name, load(name, "cpu").members, answers)
            card = with_thresholds(folder, card, asking, sources.of_split("validation"))
            card = with_sets(card, asking, sources.of_split("validation"))
            card = with_expected(folder, card, asking, sources.of_split("validation"))
            card = with_coverage(card, asking, sources.of_split("test"))
        folder.write_card(card)
        print(f"{name}: learned from {card.members[0].of_class}, sets {card.sets}", flush=True)


def with_mix(card: TeamCard, sources: Sources) -> TeamCard:
    """The card with the number of training sources of each class."""
    training = sources.of_split("train")
    assert {member.data_md5 for member in card.members} == {sources.md5}
    assert {member.sources["train"] for member in card.members} == {len(training)}
    counts = of_class(replace(training, weights=None))
    return card.with_changes(members=[member.with_changes(of_class=counts) for member in card.members])


if __name__ == "__main__":
    parser = named_teams.parser(__doc__)
    parser.add_argument("--mix-only", action="store_true")
    given = parser.parse_args()
    with named_teams.folder_for(given.answers) as folder:
        main(given.names, folder, mix_only=given.mix_only)
