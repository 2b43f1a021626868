"""The paper's networks on e2cnn's own layers: the baseline that `versus_e2cnn.py` times.

Runs in an environment of its own (README.md) and imports nothing from equiradio. Built from the text of Bowles et al. 2021.
"""

import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional

SIDE = 150  # pixels of a MiraBest image
FIELDS = (6, 16, 32, 64)
CONVOLUTIONS = (3, 3, 3, 2)
HIDDEN = 64  # channels inside a gate
CLASSES = 2
WARM_UP = 2  # steps that fill allocator caches and pick convolution algorithms; never counted


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
    """e2cnn's steerable convolutions on regular fields: image (batch, 1, 150, 150) -> the four blocks' outputs, group-max-pooled.

    Convolutions carry no bias: with it, the number of weights is not the paper's.
    """

    def __init__(self, mirrors: bool, order: int) -> None:
        super().__init__()
        from e2cnn import gspaces
        from e2cnn import nn as e2

        space = gspaces.FlipRot2dOnR2(order) if mirrors else gspaces.Rot2dOnR2(order)
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
            self.pools.append(e2.PointwiseMaxPool(after, kernel_size=2))
            self.group_pools.append(e2.GroupPooling(after))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        field, features = self.mask(self.wrap(images, self.image_type)), []
        for depth, block in enumerate(self.blocks):
            field = block(self.pools[depth - 1](field) if depth else field)
            features.append(self.group_pools[depth](field).tensor)
        return features


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


def build(name: str) -> nn.Module:
    """`lenet`, `attention`, or `cN-attention` / `dN-attention` for a group order N."""
    if name == "lenet":
        return lenet()
    if name == "attention":
        return GatedNetwork(PlainFeatures())
    group = name.removesuffix("-attention")
    return GatedNetwork(EquivariantFeatures(group[0] == "d", int(group[1:])))


def time_training(name: str, batch: int, steps: int, threads: int) -> dict[str, object]:
    """Milliseconds per image of whole float32 training steps (forward, cross-entropy, backward, Adam) on random images."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = build(name).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5, weight_decay=1e-6)
    images, labels = torch.randn(batch, 1, SIDE, SIDE), torch.arange(batch) % CLASSES

    def step() -> None:
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimiser.step()
        loss.item()

    for _ in range(WARM_UP):
        step()
    start, busy_before = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy_before
    return {
        "model": name,
        "milliseconds_per_image": round(1000 * seconds / (steps * batch), 3),
        "processor_milliseconds_per_image": round(1000 * busy / (steps * batch), 3),
        "steps": steps,
        "batch": batch,
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "weights": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "torch": torch.__version__,
    }


def main() -> None:
    """Print one line of JSON: the time of a training step here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", action="store_true", required=True, help="time training steps and print one line of JSON")
    parser.add_argument("--model", default="c4-attention")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(json.dumps(time_training(options.model, options.batch, options.steps, options.threads)))


if __name__ == "__main__":
    main()
