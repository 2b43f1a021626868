"""Train in two processes on the CPU, which talk by gloo. Lightning starts the second one with the same arguments.

Run by test_two_processes.py in a process of its own. Arguments: data folder, run folder, views of every validation image.
"""

import sys
from pathlib import Path

from equiradio.settings import change, preset
from equiradio.training.fit import train


def main(data: str, out: str, passes: int) -> None:
    small = {"model.name": "lenet", "data.name": data, "epochs": 1, "batch_size": 2, "validation_passes": passes, "precision": "float32"}
    train(change(preset("quick"), small), Path(out), device="cpu", trainer_options={"devices": 2, "strategy": "ddp"})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
