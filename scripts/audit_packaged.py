"""Measure the published code's habits on packaged weights, for runs that lie in results/ without theirs; writes results/audit.json.

Usage: python scripts/audit_packaged.py --passes 1 results/runs/attention-mirabest-fast-seed0 ...          (from the repository's root)

A run that was measured before stays. 'equiradio reproduce --audit' does the same for runs that it trained, and trains with sixteen passes.
"""

import argparse
import json
from pathlib import Path

from make_maps import with_packaged_weights

from equiradio.artefacts.files import write_json
from equiradio.artefacts.run import Run
from equiradio.data.datasets import chosen_split, open_data
from equiradio.studies.audit import AUDITED, EFFECTS, WHAT, audit_network

TARGET = Path("results/audit.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--passes", type=int, default=1)
    asked = parser.parse_args()
    rows = json.loads(TARGET.read_text())["rows"] if TARGET.is_file() else []
    for folder in asked.runs:
        run = Run(folder)
        sources = chosen_split(open_data(run.settings().data.name), "test")
        found = audit_network(with_packaged_weights(run), sources, folder.name, run.settings().training.seed, asked.passes)
        rows = [row for row in rows if row["run"] not in (folder.name, "any")] + found
        rows.append({"run": "any", "habit": AUDITED, **dict.fromkeys(EFFECTS)})
        command = f"python scripts/audit_packaged.py --passes {asked.passes} RUN"
        write_json(TARGET, {"what": WHAT.format(passes=asked.passes), "command": command, "passes": asked.passes, "rows": rows})
        print(f"{TARGET}: {folder.name}", flush=True)


if __name__ == "__main__":
    main()
