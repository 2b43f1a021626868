"""Train and evaluate many runs side by side on one machine, stop cleanly in time, and go on at the next call.

Usage: python scripts/train_many.py --minutes 9 --workers 5 --runs runs --data mirabest --preset fast c4-attention:0,1,2 lenet:0,1,2

Each item is MODEL:SEEDS. A run whose card says "finished" is not trained again, and one whose metrics are there is not evaluated again.
"""

import argparse
import multiprocessing
import os
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

SLACK = 20  # seconds before the end after which no evaluation is begun


def do(model: str, seed: int, data: str, preset: str, folder: Path, device: str, end: float) -> str:
    """Train (or go on training) one run, then evaluate it; says how far it got."""
    import torch

    torch.set_num_threads(1)
    from equiradio.artefacts.run import Run
    from equiradio.paper.plan import Item
    from equiradio.settings import change
    from equiradio.settings import preset as settings_of
    from equiradio.training.fit import train
    from equiradio.verbs.evaluate import evaluate

    settings = change(settings_of(preset), {"model.name": model, "data.name": data, "training.seed": seed})
    run = Run(folder / f"{model}-{data}-{preset}-seed{seed}")
    try:
        if not run.card_file.is_file() or run.card().state != "finished":
            if time.time() > end:
                return f"{run.folder.name}: not begun"
            train(settings, run.folder, resume=run.settings_file.is_file(), device=device, max_minutes=max(0.0, (end - time.time()) / 60))
        card = run.card()
        state = f"{run.folder.name}: {card.state}, {card.epochs} epochs, {card.seconds:.0f} s, validation loss {card.best_validation_loss}"
        if card.state != "finished" or time.time() > end - SLACK:
            return state
        if not Item(settings, run).evaluated:
            evaluate(run.folder, device=device, precision="bf16")
        return f"{state}, evaluated"
    except Exception:  # one failed run must not stop the others; its card says why
        return f"{run.folder.name}: {traceback.format_exc()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", nargs="+", metavar="MODEL:SEEDS")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--data", default="mirabest")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args()
    end = time.time() + 60 * asked.minutes
    jobs = [(item.split(":")[0], int(seed)) for item in asked.items for seed in item.split(":")[1].split(",")]
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    with ProcessPoolExecutor(asked.workers, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [pool.submit(do, model, seed, asked.data, asked.preset, asked.runs, asked.device, end) for model, seed in jobs]
        for future in as_completed(futures):
            print(future.result(), flush=True)


if __name__ == "__main__":
    main()
