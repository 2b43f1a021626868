"""Draw the frozen train/validation list of MiraBest and write it into the package.

python scripts/freeze_split.py [--data-dir DIR]
"""

import argparse
import csv
from pathlib import Path

from equiradio.datasets.mirabest import read_mirabest
from equiradio.datasets.splits import draw_split
from equiradio.labels import UNKNOWN

LIST = Path(__file__).parents[1] / "src" / "equiradio" / "datasets" / "frozen" / "mirabest_split.csv"


def main() -> None:
    """Write one row per training source of class FRI or FRII, in the order of the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="folder that holds mirabest/ (default: EQUIRADIO_DATA, else the user's cache)")
    everything = read_mirabest(parser.parse_args().data_dir)
    training = everything.choose((everything.split == "train") & (everything.labels != UNKNOWN))
    split = draw_split(training.source_ids, training.labels, training.confidence, training.ra_deg, training.dec_deg)
    with LIST.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["source_id", "split"])
        writer.writerows(split.items())
    print(f"{LIST}: {len(split)} sources, {sum(side == 'validation' for side in split.values())} for validation")


if __name__ == "__main__":
    main()
