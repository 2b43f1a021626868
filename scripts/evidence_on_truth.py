"""What attention does to the answers of many runs, on their own test split and on `simulated`, where truth is known.

The part `evidence` of `equiradio explain` alone, in a twentieth of its time. Weights of runs in results/ come from the package.

Usage: python scripts/evidence_on_truth.py results/explain/evidence.json results/runs/attention-mirabest-fast-seed0 ...
"""

import json
import sys
from pathlib import Path

from make_maps import with_packaged_weights

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.run import Run
from equiradio.datasets.registry import chosen_split, open_data
from equiradio.explain.case import Case, Plan, evenly, plain, truth_masks
from equiradio.explain.parts.evidence import taken_apart


def main(out: Path, folders: list[Path]) -> None:
    found = json.loads(out.read_text())["runs"] if out.is_file() else {}
    for run in map(Run, folders):
        classifier = with_packaged_weights(run)
        for data in (run.settings().data.name, "simulated"):
            if data in found.get(run.folder.name, {}):
                continue
            everyone, plan = chosen_split(open_data(data), "test"), Plan()
            sample = everyone.choose(evenly(everyone.labels, plan.sample))
            case = Case(run.folder.name, classifier, sample, everyone, everyone, {}, plan, lambda *_: None, truth_masks(sample))
            found.setdefault(run.folder.name, {})[data] = taken_apart(case)[0]
            write_json(out, plain({"split": "test", "sample": plan.sample, "runs": found}))
            print(f"{run.folder.name}, {data}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
