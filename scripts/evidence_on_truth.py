"""What attention does to the answers of many runs, on their own test split and on `simulated`, where truth is known.

The part `evidence` of `equiradio explain` alone, in a twentieth of its time. Weights are the run's own, or those of the team of its model.

Usage: python scripts/evidence_on_truth.py results/explain/evidence.json results/runs/attention-mirabest-fast-seed0 ...
"""

import json
import sys
from pathlib import Path

from make_maps import with_weights

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.run import Run
from equiradio.datasets.registry import open_data
from equiradio.explain.case import Effort
from equiradio.explain.folder import plain
from equiradio.explain.parts.evidence import taken_apart
from equiradio.verbs.explain import Networks, case_of


def main(out: Path, folders: list[Path]) -> None:
    runs, effort = json.loads(out.read_text())["runs"] if out.is_file() else {}, Effort()
    for run in map(Run, folders):
        name, member = run.folder.name, with_weights(run)
        for data in (run.settings().data.name, "simulated"):
            if data in runs.get(name, {}):
                continue
            case = case_of(Networks(name, member, {}), open_data(data), "test", effort, lambda *_: None)
            runs.setdefault(name, {})[data] = taken_apart(case)[0]
            write_json(out, plain({"split": "test", "sample": effort.sample, "runs": runs}))
            print(f"{name}, {data}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
