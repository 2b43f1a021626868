"""Keep the weights of finished runs: float16 on disk, one card per model that names its members.

Members kept before stay. Then calibrate the team, and list it with `list_weights.py`.

Usage: python scripts/keep_weights.py c4-attention attention            (from the repository's root, runs in ./runs)
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import read_weights, write_weights

PACKAGED = Path("src/equiradio/weights")
OUTSIDE = Path("weights")  # those that are fetched


def home_of(model: str) -> Path:
    """The folder of a model's weights: outside the package where they are there already, else in it."""
    return OUTSIDE / model if (OUTSIDE / model).is_dir() else PACKAGED / model


def main(models: list[str]) -> None:
    for model in models:
        file = home_of(model) / "card.json"
        card = json.loads(file.read_text()) if file.is_file() else {"model": model, "members": []}
        before = {member["seed"]: member for member in card["members"]}
        members = dict(before)
        for folder in sorted(Path("runs").glob(f"{model}-mirabest-fast-seed*")):
            run = Run(folder)
            trained = run.card() if run.card_file.is_file() else None  # a lock, or a run that has just begun
            if trained is None or trained.state != "finished":
                continue
            state = read_weights(run.weights_file, model=model, group=trained.group)
            halved = {name: value.half() if value.dtype == torch.float32 else value for name, value in state.items()}
            write_weights(home_of(model) / f"seed{trained.seed}.safetensors", halved, model=model, group=trained.group)
            members[trained.seed] = asdict(trained)
        if not members:
            raise SystemExit(f"{model}: no finished run in runs/ and none kept; expected runs/{model}-mirabest-fast-seed<k>. Train first.")
        kept = card if members == before else {"model": model}  # what was chosen for other members is not for these
        write_json(file, kept | {"members": [members[seed] for seed in sorted(members)]})
        print(f"{model}: seeds {', '.join(map(str, sorted(members)))}")


if __name__ == "__main__":
    main(sys.argv[1:])
