"""Pack the run folders of one machine for another: an archive per model, without checkpoints, weights as float16.

Each card holds the hash of the weights that it is packed with; predictions keep that of those that they were made with.

Usage: python scripts/pack_runs.py RUNS OUT [--without-weights MODEL ...]
"""

import argparse
import io
import json
import tarfile
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load, save

from equiradio.artefacts.weights import hash_of


@lru_cache(maxsize=1)  # a run's card and its weights ask for it, one behind the other
def halved(path: Path) -> bytes:
    """The file's weights as float16, with the same header."""
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return save(
            {name: value.half() if value.dtype == torch.float32 else value for name, value in state.items()}, metadata=file.metadata()
        )


def of_halved(card: Path, weights: bytes) -> bytes:
    """The card of a run as that of halved weights."""
    content = json.loads(card.read_text(encoding="utf-8")) | {"weights_hash": hash_of(load(weights))}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def packed(path: Path) -> bytes:
    """A file of a run as it is packed."""
    weights = path.with_name("weights.safetensors")
    if path.name == "card.json" and weights.exists():
        return of_halved(path, halved(weights))
    return halved(path) if path.suffix == ".safetensors" else path.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without-weights", nargs="*", default=[])
    asked = parser.parse_args()
    by_model = defaultdict(list)
    for card in sorted(asked.runs.glob("*/card.json")):
        by_model[card.parent.name.split("-mirabest")[0]].append(card.parent)
    asked.out.mkdir(parents=True, exist_ok=True)
    for model, folders in by_model.items():
        with tarfile.open(asked.out / f"{model}.tar.gz", "w:gz", compresslevel=1) as archive:
            for folder in folders:
                for path in sorted(folder.rglob("*")):
                    if path.is_dir() or path.name == "last.ckpt" or (path.suffix == ".safetensors" and model in asked.without_weights):
                        continue
                    content = path.read_bytes() if model in asked.without_weights else packed(path)
                    entry = tarfile.TarInfo(str(path.relative_to(asked.runs)))
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
