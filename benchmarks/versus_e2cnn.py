"""Time a training step of ours against the same network on e2cnn's layers, in turn, each measurement in a process of its own.

Theirs: e2cnn_network.py beside this file, in its own environment, untouched defaults, float32, images augmented already. Ours: the whole
step, from raw uint8 images through augmentation to the optimiser, in float32 and in bf16. README.md says how to make the environment.
"""

import argparse
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from equiradio.errors import Refusal, SettingRefusal

BASELINE = Path(__file__).with_name("e2cnn_network.py")
VARIABLE = "EQUIRADIO_E2CNN_PYTHON"
PRECISIONS = ("float32", "bf16")
WARM_UP = 2  # steps that fill allocator caches; never counted


def training_step(model: str, precision: str, batch: int) -> tuple[Callable[[], float], int]:
    """One whole step of our training, preset `fast`, as a call that returns its loss; and the number of trainable weights."""
    import numpy as np
    import torch
    from torch.nn import functional

    from equiradio import models
    from equiradio.data.augment import TRAINING, draw_poses, show
    from equiradio.data.preprocess import SIDE, preprocessing
    from equiradio.layers.memory import keep_large_blocks
    from equiradio.settings import preset

    keep_large_blocks()
    torch.manual_seed(0)
    settings = preset("fast")
    preprocess = preprocessing(settings.data, model)
    network = models.build(replace(settings.model, name=model), blank=preprocess.blank).train()
    learning = settings.training
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning.learning_rate, weight_decay=learning.weight_decay)
    raw, labels = torch.randint(0, 256, (batch, SIDE, SIDE), dtype=torch.uint8), torch.arange(batch) % 2
    passes = count()

    def step() -> float:
        optimiser.zero_grad()
        poses = draw_poses(0, TRAINING, np.arange(batch), np.array([next(passes)]))
        images = preprocess(show(raw, poses.matrices()))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = network(images).logits
        loss = functional.cross_entropy(logits.float(), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), learning.gradient_clip)
        optimiser.step()
        return loss.item()

    return step, sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def time_ours(model: str, precision: str, batch: int, steps: int, threads: int) -> dict[str, object]:
    """Milliseconds per image of our whole training step on this process's processor."""
    import torch

    torch.set_num_threads(threads)
    step, weights = training_step(model, precision, batch)
    for _ in range(WARM_UP):
        step()
    start, busy_before = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy_before
    return {
        "model": model,
        "milliseconds_per_image": round(1000 * seconds / (steps * batch), 3),
        "processor_milliseconds_per_image": round(1000 * busy / (steps * batch), 3),
        "steps": steps,
        "batch": batch,
        "threads": torch.get_num_threads(),
        "precision": precision,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "weights": weights,
        "torch": torch.__version__,
    }


def measure(command: list[str], threads: int) -> dict:
    """Run one worker to its end and read the line of JSON it prints."""
    answer = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Refusal(Path(command[0]).name, f"a worker ended with {answer.returncode} ({last})", "a timing", "Run it alone to see why.")
    return json.loads(answer.stdout.splitlines()[-1])


def summarise(rounds: list[dict]) -> dict:
    """Median, least and most milliseconds per image over the rounds, and every round; processor time is summed over threads."""
    times = [found["milliseconds_per_image"] for found in rounds]
    busy = [found["processor_milliseconds_per_image"] for found in rounds]
    return {
        "milliseconds_per_image": times,
        "processor_milliseconds_per_image": busy,
        "median": statistics.median(times),
        "min": min(times),
        "max": max(times),
        "processor_median": statistics.median(busy),
        "peak_mib": max(found["peak_mib"] for found in rounds),
        "precision": rounds[0]["precision"],
        "weights": rounds[0]["weights"],
        "torch": rounds[0]["torch"],
        "threads": rounds[0]["threads"],
    }


def compare(baseline_python: str, options: argparse.Namespace) -> dict[str, object]:
    """Theirs, ours in float32, ours in bf16, and again, `rounds` times: slow drifts of the machine fall on all alike."""
    shared = ["--model", options.model, "--batch", str(options.batch), "--steps", str(options.steps), "--threads", str(options.threads)]
    ours = [sys.executable, __file__, "--worker", *shared, "--precision"]
    commands = {"e2cnn": [baseline_python, "-W", "ignore", str(BASELINE), "--time", *shared]}
    commands |= {f"equiradio {precision}": [*ours, precision] for precision in PRECISIONS}
    found: dict[str, list[dict]] = {who: [] for who in commands}
    load_before = os.getloadavg()[0]
    for turn in range(options.rounds):
        for who, command in commands.items():
            found[who].append(measure(command, options.threads))
            print(f"round {turn + 1}  {who:18} {found[who][-1]['milliseconds_per_image']:9.1f} ms per image", file=sys.stderr)
    results = {who: summarise(rounds) for who, rounds in found.items()}
    script = Path(__file__).parent.name + "/" + Path(__file__).name
    return {
        "command": shlex.join(["python", script, *shared, "--rounds", str(options.rounds)]),
        "model": options.model,
        "batch": options.batch,
        "steps": options.steps,
        "rounds": options.rounds,
        "processor": processor(),
        "load_before": round(load_before, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "results": results,
        "times_faster": times_faster(results, "median"),
        "times_less_processor_time": times_faster(results, "processor_median"),
    }


def times_faster(results: dict[str, dict], column: str) -> dict[str, float]:
    """e2cnn's time over ours, for each of ours."""
    return {who: round(results["e2cnn"][column] / row[column], 2) for who, row in results.items() if who != "e2cnn"}


def processor() -> str:
    """The processor's name and how many of its threads this process may use."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.exists()
        else []
    )
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} threads"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baseline-python", default=os.environ.get(VARIABLE), help=f"python of the e2cnn environment (or set {VARIABLE})")
    parser.add_argument("--model", default="c4-attention")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5, help="counted steps of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    parser.add_argument("--worker", action="store_true", help="time ours once and print one line of JSON")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="with --worker")
    return parser.parse_args()


def main() -> None:
    """Print the comparison as JSON."""
    options = parse()
    if options.worker:
        print(json.dumps(time_ours(options.model, options.precision, options.batch, options.steps, options.threads)))
        return
    if not options.baseline_python or not Path(options.baseline_python).exists():
        found = f"no python at {options.baseline_python}" if options.baseline_python else "not given"
        raise SettingRefusal("--baseline-python", found, "the python of an environment with e2cnn", "benchmarks/README.md makes one.")
    text = json.dumps(compare(options.baseline_python, options), indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    try:
        main()
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)
