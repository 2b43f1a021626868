"""Train in children that are killed at random moments, and resume until the training is finished.

Run by test_resume.py in a process of its own. Arguments: data folder, run folder, seed. Prints how often it killed.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from equiradio.artefacts.run import Run
from equiradio.settings import change, preset
from equiradio.training.fit import train

SLOWEST, MOST = 0.9, 25  # seconds before a kill, kills


def main(data: str, out: str, seed: int) -> None:
    small = {"model.name": "lenet", "data.name": data, "epochs": 3, "batch_size": 8, "precision": "float32"}
    settings, run, chance = change(preset("quick"), small), Run(Path(out)), random.Random(seed)
    kills = 0
    while kills < MOST:
        child = os.fork()
        if child == 0:
            train(settings, run.folder, resume=run.settings_file.is_file(), device="cpu")
            os._exit(0)
        time.sleep(chance.uniform(0.1, SLOWEST))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            print(kills)
            sys.exit(os.WEXITSTATUS(status))
        kills += 1
    train(settings, run.folder, resume=True, device="cpu")
    print(kills)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
