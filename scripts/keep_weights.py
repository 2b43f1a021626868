"""Keep the weights of finished runs in the package: float16 on disk, one card per model that names its members. Members kept before stay.

Usage: python scripts/keep_weights.py c4-attention attention            (from the repository's root, runs in ./runs)
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from equiradio.artefacts.files import write_json
from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import read_weights, write_weights

PACKAGED = Path("src/equiradio/weights")


def main(models: list[str]) -> None:
    for model in models:
        file = PACKAGED / model / "card.json"
        members = {member["seed"]: member for member in (json.loads(file.read_text())["members"] if file.is_file() else [])}
        for folder in sorted(Path("runs").glob(f"{model}-mirabest-fast-seed*")):
            run = Run(folder)
            card = run.card()
            if card.state != "finished":
                continue
            state = read_weights(run.weights_file, model=model, group=card.group)
            halved = {name: value.half() if value.dtype == torch.float32 else value for name, value in state.items()}
            write_weights(PACKAGED / model / f"seed{card.seed}.safetensors", halved, model=model, group=card.group)
            members[card.seed] = asdict(card)
        write_json(file, {"model": model, "members": [members[seed] for seed in sorted(members)]})
        print(f"{model}: seeds {', '.join(map(str, sorted(members)))}")


if __name__ == "__main__":
    main(sys.argv[1:])
