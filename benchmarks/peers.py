"""Ours against the same networks on e2cnn's and escnn's layers, in turn, each measurement in a process of its own; resumable.

Run: python benchmarks/peers.py --out results/speed/peers-cpu.json [--models c4-attention,d4-attention] [--rounds 2] [--max-minutes 45]
README.md says how to make e2cnn's environment. Ours is measured by the worker of `equiradio bench`: whole steps with augmentation.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from ending import run

from equiradio.bench.record import Record, measure, run_job
from equiradio.bench.run import MEASURES, VARIANTS, Cell, batch_of, measure_ours, model_names, multiply_adds
from equiradio.bench.summary import TASKS, TIME, share_of_peak, summarise, times_faster
from equiradio.compute.machine import facts, processors
from equiradio.errors import Refusal, SettingRefusal

VARIABLE = "EQUIRADIO_E2CNN_PYTHON"
NETWORK = Path(__file__).with_name("peer_network.py")
OURS = ("default", "default-noise", "float32-dense", "default-dense")
PEERS = {"e2cnn": [], "e2cnn-kept-blocks": ["--keep-blocks"], "escnn": ["--library", "escnn"]}
COSTLY = ("d8-attention", "c16-attention", "d16-attention")  # a step of e2cnn takes 20 to 50 s: one is counted, of ours two
BASELINE = "e2cnn"


def cells(models: list[str], variants: list[str], rounds: int) -> list[Cell]:
    """What is measured, in order: a model's variants stand next to each other; only what the ratios need is measured again."""
    once = {"e2cnn-kept-blocks", "escnn", "default-dense"}
    every = [Cell(turn, model, task, variant) for turn in range(rounds) for model in models for task in TASKS for variant in variants]
    return [cell for cell in every if not (cell.turn and cell.variant in once)]


def measure_peer(cell: Cell, python: str, threads: int) -> dict[str, Any]:
    """One measurement of a peer, in float32, its defaults untouched unless the variant says otherwise."""
    steps = 1 if cell.model in COSTLY and cell.task == "training" else 3
    options = ["--model", cell.model, "--batch", str(batch_of(cell.model)), "--steps", str(steps), *PEERS[cell.variant]]
    interpreter = sys.executable if cell.variant == "escnn" else python
    return measure([interpreter, "-W", "ignore", str(NETWORK), cell.task, *options], threads)


def summary(record: Record) -> dict[str, Any]:
    """Per model and task: every variant over its rounds, how many times faster than e2cnn, and ours as a share of the machine's peak.

    Of everything in the file, not only of what this call was asked for.
    """
    answer: dict[str, Any] = {}
    names = [name.split("/") for name in record.measurements]
    models, variants = (list(dict.fromkeys(name[place] for name in names)) for place in (0, 1))
    for model in models:
        macs = multiply_adds(model)
        answer[model] = {"batch": batch_of(model), "multiply_adds_per_image": macs}
        for task in TASKS:
            rounds = {variant: record.measurements.get(f"{model}/{variant}/{task}", []) for variant in variants}
            row: dict[str, Any] = {variant: summarise(found) for variant, found in rounds.items() if found}
            for variant in OURS:
                if variant in row:
                    gmacs = record.once["peaks"][f"{row[variant]['precision']}_gmacs"]
                    needed = macs[row[variant]["precision"]][task]
                    share = share_of_peak(needed, row[variant][TIME]["median"], gmacs)
                    row[variant]["share_of_peak"] = None if rounds[variant][0]["leaves_out"] else share
            faster = {
                v: times_faster(rounds[BASELINE], found) for v, found in rounds.items() if found and rounds.get(BASELINE) and v != BASELINE
            }
            answer[model][task] = {"variants": row, "times_faster_than_e2cnn": faster}
    return answer


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", help="comma-separated; default the eight of Table 1")
    parser.add_argument("--variants", default=",".join([*OURS[:3], *PEERS]), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=processors())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max-minutes", type=float, default=1e6, help="begin no measurement after this; run again to go on")
    parser.add_argument("--baseline-python", default=os.environ.get(VARIABLE), help=f"python of the e2cnn environment (or set {VARIABLE})")
    return parser.parse_args()


def main() -> None:
    """Measure what is missing, and write the summary."""
    options = parse()
    models, variants = model_names(options.models.split(",") if options.models else None), options.variants.split(",")
    for variant in variants:
        if variant not in (*OURS, *PEERS):
            raise SettingRefusal("--variants", f"'{variant}'", ", ".join((*OURS, *PEERS)), "Choose some of these.")
    if not options.baseline_python or not Path(options.baseline_python).exists():
        found = f"no python at {options.baseline_python}" if options.baseline_python else "not given"
        raise SettingRefusal("--baseline-python", found, "the python of an environment with e2cnn", "benchmarks/README.md makes one.")
    end = time.monotonic() + 60 * options.max_minutes
    record = Record(options.out, {"options": {"threads": options.threads}, "machine": facts()})
    if "peaks" not in record.once:
        record.add_once("peaks", run_job({"task": "peaks"}, options.threads))
    for cell in cells(models, variants, options.rounds):
        failed = f"{cell.name}/failed"
        if record.has(cell.name, cell.turn) or failed in record.once or time.monotonic() > end:
            continue
        counted = MEASURES | {"steps": 2 if cell.model in COSTLY else 3}
        try:
            if cell.variant in VARIANTS:
                found = measure_ours(record, cell, counted, options.threads)
            else:
                found = measure_peer(cell, options.baseline_python, options.threads)
        except Refusal as refusal:
            if cell.variant in VARIANTS:
                raise
            record.add_once(failed, {"why": str(refusal)})  # a peer that cannot build or run a model: noted, and the others go on
            continue
        record.add(cell.name, found)
        print(f"round {cell.turn + 1}   {cell.name:45} {found[TIME]:10.2f} ms per image", file=sys.stderr, flush=True)
    record.finish(summary(record))


if __name__ == "__main__":
    run(main)
