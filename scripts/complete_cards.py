"""Write into the cards of packaged teams what newer versions have cards say: nothing that they hold changes, and no weight.

Usage: python scripts/complete_cards.py NAME...            (from the repository's root; list_weights.py afterwards)

Of which mix of classes the members learned, from the training split of their data.
"""

import sys
from dataclasses import replace

from equiradio.artefacts.shelf import find_team
from equiradio.artefacts.team import TeamCard, TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.training.fit import of_class


def main(names: list[str]) -> None:
    for name in names:
        folder = TeamFolder(find_team(name).path)
        card = folder.card()
        sources = open_data(card.members[0].data)
        folder.write_card(with_mix(card, sources))
        print(f"{name}: {folder.card().members[0].of_class}", flush=True)


def with_mix(card: TeamCard, sources: Sources) -> TeamCard:
    """The card with the number of training sources of each class."""
    training = sources.of_split("train")
    assert {member.data_md5 for member in card.members} == {sources.md5}
    assert {member.sources["train"] for member in card.members} == {len(training)}
    counts = of_class(replace(training, weights=None))
    return card.with_changes(members=[member.with_changes(of_class=counts) for member in card.members])


if __name__ == "__main__":
    main(sys.argv[1:])
