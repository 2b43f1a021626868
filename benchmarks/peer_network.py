"""The paper's networks on the layers of e2cnn, or of its successor escnn: the peers that `peers.py` times.

e2cnn runs in an environment of its own (README.md). Nothing is imported from equiradio. Built from the text of Bowles et al. 2021.
"""

import argparse
import ctypes
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

SIDE = 150  # pixels of a MiraBest image
FIELDS = (6, 16, 32, 64)
CONVOLUTIONS = (3, 3, 3, 2)
HIDDEN = 64  # channels inside a gate
CLASSES = 2
SLOW = 5.0  # seconds: after a first call that took longer no second one is made to warm up
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # of glibc's mallopt


class PlainFeatures(nn.Module):
    """Ordinary convolutions: image (batch, 1, 150, 150) -> the four blocks' outputs before their pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks, before = nn.ModuleList(), 1
        for fields, depth in zip(FIELDS, CONVOLUTIONS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(depth):
                layers += [nn.Conv2d(before, fields, 5, padding=2), nn.ReLU(), nn.BatchNorm2d(fields)]
                before = fields
            self.blocks.append(nn.Sequential(*layers))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        features = [self.blocks[0](images)]
        for block in self.blocks[1:]:
            features.append(block(functional.max_pool2d(features[-1], 2)))
        return features


class EquivariantFeatures(nn.Module):
    """Steerable convolutions on regular fields: image (batch, 1, 150, 150) -> the four blocks' outputs, group-max-pooled.

    Convolutions carry no bias: with it, the number of weights is not the paper's.
    """

    def __init__(self, mirrors: bool, order: int, library: str) -> None:
        super().__init__()
        space, e2, max_pool = plane(mirrors, order, library)
        self.image_type = e2.FieldType(space, [space.trivial_repr])
        self.wrap = e2.GeometricTensor
        self.mask = e2.MaskModule(self.image_type, SIDE, margin=0)
        self.blocks, self.pools, self.group_pools = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        before = self.image_type
        for fields, depth in zip(FIELDS, CONVOLUTIONS, strict=True):
            after, layers = e2.FieldType(space, fields * [space.regular_repr]), []
            for _ in range(depth):
                layers += [e2.R2Conv(before, after, 5, padding=2, bias=False), e2.ReLU(after, inplace=True), e2.InnerBatchNorm(after)]
                before = after
            self.blocks.append(e2.SequentialModule(*layers))
            self.pools.append(max_pool(after, kernel_size=2))
            self.group_pools.append(e2.GroupPooling(after))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        field, features = self.mask(self.wrap(images, self.image_type)), []
        for depth, block in enumerate(self.blocks):
            field = block(self.pools[depth - 1](field) if depth else field)
            features.append(self.group_pools[depth](field).tensor)
        return features


def plane(mirrors: bool, order: int, library: str) -> tuple[Any, Any, Any]:
    """The group acting on the plane, the library's layers, and its max pooling."""
    if library == "escnn":
        for name in (
            "lie_learn",
            "lie_learn.representations",
            "lie_learn.representations.SO3",
            "lie_learn.representations.SO3.wigner_d",
            "py3nj",
        ):
            sys.modules.setdefault(name, ModuleType(name))  # rotations of space need compiled packages; those of the plane do not
        vars(sys.modules["lie_learn.representations.SO3.wigner_d"]).setdefault("wigner_D_matrix", None)
    spaces, layers = (importlib.import_module(f"{library}.{part}") for part in ("gspaces", "nn"))
    if library == "escnn":
        return (spaces.flipRot2dOnR2(order) if mirrors else spaces.rot2dOnR2(order)), layers, layers.PointwiseMaxPool2D
    return (spaces.FlipRot2dOnR2(order) if mirrors else spaces.Rot2dOnR2(order)), layers, layers.PointwiseMaxPool


class Gate(nn.Module):
    """Additive gate with range normalisation over the whole batch: (features, context) -> attended features and their map."""

    def __init__(self, features: int, context: int) -> None:
        super().__init__()
        self.from_features = nn.Conv2d(features, HIDDEN, 1, bias=False)
        self.from_context = nn.Conv2d(context, HIDDEN, 1, bias=False)
        self.to_score = nn.Conv2d(HIDDEN, 1, 1, bias=False)

    def forward(self, features: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raised = functional.interpolate(self.from_context(context), features.shape[-2:], mode="bilinear", align_corners=False)
        score = self.to_score(functional.relu(self.from_features(features) + raised))
        attention = (score - score.min()) / (score.max() - score.min())
        return features * attention, attention


class GatedNetwork(nn.Module):
    """Three gates on blocks 1-3, each gated by block 4: images (batch, 1, 150, 150) -> logits (batch, 2)."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.gates = nn.ModuleList([Gate(fields, FIELDS[-1]) for fields in FIELDS[:-1]])
        self.heads = nn.ModuleList([nn.Linear(fields, CLASSES) for fields in FIELDS[:-1]])
        self.drop = nn.Dropout(0.5)
        self.join = nn.Linear(CLASSES * len(self.gates), CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        *shallow, deep = self.features(images)
        votes = []
        for gate, head, features in zip(self.gates, self.heads, shallow, strict=True):
            attended, _ = gate(features, deep)
            votes.append(functional.relu(head(self.drop(attended.sum((-2, -1))))))
        return self.join(torch.cat(votes, 1))


def lenet() -> nn.Module:
    """LeNet-5 at 150 pixels: images (batch, 1, 150, 150) -> logits (batch, 2)."""
    convolutions = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    dense = [nn.Linear(16 * (SIDE // 4) ** 2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Dropout(0.5), nn.Linear(84, CLASSES)]
    return nn.Sequential(*convolutions, nn.Flatten(), *dense)


def build(name: str, library: str) -> nn.Module:
    """`lenet`, `attention`, or `cN-attention` / `dN-attention` for a group order N."""
    if name == "lenet":
        return lenet()
    if name == "attention":
        return GatedNetwork(PlainFeatures())
    group = name.removesuffix("-attention")
    return GatedNetwork(EquivariantFeatures(group[0] == "d", int(group[1:]), library))


def training(network: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    """A float32 step on images that are augmented already: forward, cross-entropy, backward, Adam."""
    optimiser = torch.optim.Adam(network.train().parameters(), lr=1e-5, weight_decay=1e-6)
    labels = torch.arange(len(images)) % CLASSES

    def step() -> float:
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def inference(network: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    """Logits of a network in evaluation, which expands its filters once."""
    network.eval()

    @torch.no_grad()  # e2cnn's layers cannot be switched to evaluation inside inference_mode
    def call() -> list[float]:
        return network(images).flatten().tolist()

    return call


def timed(call: Callable[[], object], batch: int, steps: int) -> dict[str, object]:
    """Milliseconds per image over `steps` calls, after one or two that are not counted."""
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    if first < SLOW:
        call()
    begun, busy = time.perf_counter(), time.process_time()
    for _ in range(steps):
        call()
    return {
        "milliseconds_per_image": round(1000 * (time.perf_counter() - begun) / (steps * batch), 4),
        "processor_milliseconds_per_image": round(1000 * (time.process_time() - busy) / (steps * batch), 4),
        "first_seconds": round(first, 3),
        "steps": steps,
        "threads": torch.get_num_threads(),
    }


def peak_mib() -> int:
    """Most memory that this process has held, MiB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)


def main() -> None:
    """Print one line of JSON: the time of a training step or of an answer here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["training", "inference"])
    parser.add_argument("--library", choices=["e2cnn", "escnn"], default="e2cnn")
    parser.add_argument("--model", default="c4-attention")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--keep-blocks", action="store_true", help="with the malloc setting that equiradio makes")
    options = parser.parse_args()
    if options.keep_blocks:
        mallopt = ctypes.CDLL(None).mallopt
        assert mallopt(MMAP_THRESHOLD, 1 << 30)
        assert mallopt(TRIM_THRESHOLD, -1)
    torch.manual_seed(0)
    start = time.perf_counter()
    network = build(options.model, options.library)
    built = time.perf_counter() - start
    call = (training if options.task == "training" else inference)(network, torch.randn(options.batch, 1, SIDE, SIDE))
    found = timed(call, options.batch, options.steps) | {
        "build_seconds": round(built, 3),
        "precision": "float32",
        "peak_mib": peak_mib(),
        "leaves_out": False,
        "weights": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "torch": torch.__version__,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
