"""Time and memory of whole training steps and of inference on a GPU, for the eight networks of Table 1.

Run: python benchmarks/gpu.py --out results/speed/gpu-h200.json [--models c4-attention,d4-attention] [--device cuda]
By the worker of `equiradio bench`: raw images, augmentation, forward, backward, clipping and AdamW of preset fast, forms by the clock.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from ending import run

from equiradio.bench.run import model_names
from equiradio.bench.worker import do
from equiradio.compute.device import choose_device
from equiradio.compute.machine import machine
from equiradio.settings import preset

TASKS = ("training", "inference")
KEPT = ("milliseconds_per_image", "first_seconds", "steps")


def measure(model: str, device: str, batch: int, seconds: float) -> dict[str, Any]:
    """Both tasks of one network: milliseconds per image, and the most memory of the GPU that tensors took, MiB."""
    job = {"model": model, "batch": batch, "precision": "auto", "form": None, "keep_blocks": False, "images": "sources", "device": device}
    chosen = do(job | {"task": "forms"})
    answer: dict[str, Any] = {"precision": chosen["precision"], "forms_seconds": chosen["seconds"], "forms": chosen["forms"]}
    for task in TASKS:
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        found = do(job | {"task": task, "forms": chosen["forms"][task], "steps": 3, "seconds": seconds})
        answer[task] = {name: found[name] for name in KEPT}
        if device == "cuda":
            answer[task]["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return answer


def main() -> None:
    """Measure what is asked for, one network after the other; the file is written after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", help="comma-separated; default the eight of Table 1")
    parser.add_argument("--batch", type=int, default=preset("fast").training.batch_size)
    parser.add_argument("--seconds", type=float, default=2, help="least time that each task is measured for")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    device = choose_device(asked.device)
    options = {"device": device, "batch": asked.batch, "seconds": asked.seconds}
    result: dict[str, Any] = {"options": options, "machine": machine(device), "models": {}}
    for model in model_names(asked.models.split(",") if asked.models else None):
        result["models"][model] = found = measure(model, device, asked.batch, asked.seconds)
        asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        told = ", ".join(f"{task} {found[task]['milliseconds_per_image']:.3f} ms per image" for task in TASKS)
        print(f"{model}: {told}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
