"""Measure the published code's habits on packaged weights, for runs that lie in results/ without theirs; writes results/audit.json.

Usage: python scripts/audit_packaged.py --passes 4 results/runs/attention-mirabest-fast-seed0 ...          (from the repository's root)

A run that was measured before stays. The training with sixteen passes lies in results/audit/ and is set against the run of its model and
seed. 'equiradio reproduce --audit' does all of it for runs that it trained.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from make_maps import with_weights

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.run import Run
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.paper.audit import PASSES, WHAT, audit_network, of_training
from equiradio.paper.plan import AUDITED, Item

RESULTS, KINDS = Path("results"), ("runs", "audit")
TARGET = RESULTS / "audit.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--passes", type=int, default=PASSES)
    asked = parser.parse_args()
    rows = [row for row in (json.loads(TARGET.read_text())["rows"] if TARGET.is_file() else []) if row["habit"] != AUDITED]

    def write() -> None:
        said = {"what": WHAT.format(passes=asked.passes), "command": f"python scripts/audit_packaged.py --passes {asked.passes} RUN"}
        write_json(TARGET, said | {"passes": asked.passes, "rows": rows + trained_with_it()})

    for folder in asked.runs:
        run = Run(folder)
        sources = chosen_split(open_data(run.settings().data.name), "test")
        found = audit_network(with_weights(run), sources, folder.name, run.settings().training.seed, asked.passes)
        rows = [row for row in rows if row["run"] != folder.name] + found
        write()
        print(f"{TARGET}: {folder.name}", flush=True)
    write()


def trained_with_it() -> list[dict[str, Any]]:
    """A row for each training with the habit that needs one."""
    folders = {kind: sorted(card.parent for card in RESULTS.glob(f"{kind}/*/card.json")) for kind in KINDS}
    items = {kind: [Item(run.settings(), run) for run in map(Run, found)] for kind, found in folders.items()}
    return [of_training(item, items["runs"]) for item in items["audit"]]


if __name__ == "__main__":
    main()
