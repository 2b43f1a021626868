"""Make maps.npz anew for runs that lie in results/, with weights or without, and for untrained networks; nothing else of a run is touched.

Usage: python scripts/make_maps.py results/runs/attention-mirabest-fast-seed0 ...
       python scripts/make_maps.py --untrained attention --seed 0          (from the repository's root)

Work is done in pieces of 17 sources that are kept in --pieces, so that it can be stopped and started again.
Weights are those in the run's folder; where it has none, those of the member of its seed in the team of its model, as shipped (float16).
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from equiradio.artefacts.run import Run
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.datasets.sources import Sources
from equiradio.inference.member import Member
from equiradio.inference.team import load, member_of
from equiradio.settings import change, preset
from equiradio.verbs.stored_maps import joined, map_arrays, untrained, write_maps

PIECE = 17


def with_weights(run: Run) -> Member:
    """The network of a run by the weights beside it, or else the member that was made of it, from the team of its model."""
    if run.weights_file.is_file():
        return load(run.folder, "cpu").members[0]
    card = run.card()
    return member_of(load(card.model, "cpu"), card.seed)


def in_pieces(member: Member, sources: Sources, folder: Path) -> dict[str, np.ndarray]:
    """The arrays of all sources, piece by piece; pieces that the same weights have made are not made again."""
    parts, folder = [], folder / member.weights_hash[:12]
    for start in range(0, len(sources), PIECE):
        file = folder / f"{start:03d}.npz"
        if not file.is_file():
            write_maps(file, map_arrays(member, sources.choose(np.arange(start, min(start + PIECE, len(sources))))))
            print(f"{file}: {start + PIECE} of {len(sources)} sources", flush=True)
        with np.load(file) as content:
            parts.append(dict(content))
    return joined(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--untrained", metavar="MODEL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pieces", type=Path, default=Path(tempfile.gettempdir()) / "equiradio-maps")
    asked = parser.parse_args()
    for folder in asked.runs:
        run = Run(folder)
        sources = chosen_split(open_data(run.settings().data.name), "test")
        write_maps(run.maps_file, in_pieces(with_weights(run), sources, asked.pieces / folder.name))
        print(run.maps_file, flush=True)
    if asked.untrained:
        settings = change(preset("fast"), {"model.name": asked.untrained, "training.seed": asked.seed})
        sources = chosen_split(open_data(settings.data.name), "test")
        target = Path("results/untrained") / f"{asked.untrained}-mirabest-fast-seed{asked.seed}" / "maps.npz"
        member = untrained(settings, sources)
        write_maps(target, in_pieces(member, sources, asked.pieces / f"untrained-{target.parent.name}"))
        member.card.write(target.with_name("card.json"))
        print(target)


if __name__ == "__main__":
    main()
