"""One measurement of speed in a process of its own: ``python -m equiradio.bench.worker JOB`` prints one line of JSON.

JOB is a JSON object: ``task`` (peaks, forms, training or inference) and, except for peaks, ``model``, ``batch``, ``precision`` (auto,
float32 or bf16), ``form`` (null to choose, or the name of one), ``forms`` (layer -> form), ``images`` (sources or noise), ``steps``,
``seconds``, ``keep_blocks`` and, where it is not the CPU, ``device``.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.bench.measurements import ChosenForms, Job, Measurement, Peaks, Times
from equiradio.compute.device import choose_precision
from equiradio.compute.empty_sky import leaves_out_empty_sky, show_empty_sky, would_help
from equiradio.compute.form_timing import choose_forms, islands, shifted, steerable_layers, take
from equiradio.compute.forms import AUTO, take_likely_forms
from equiradio.compute.memory import keep_large_blocks
from equiradio.compute.poses import TRAINING, draw_poses, show
from equiradio.compute.preprocess import Preprocessing, preprocessing
from equiradio.models.names import architecture
from equiradio.models.network import Network
from equiradio.models.registry import build
from equiradio.processes import peak_mib
from equiradio.settings import preset
from equiradio.sky.recipe import MIRABEST

SLOW = 5.0  # seconds: after a first call that took longer no second one is made to warm up
MATRIX, COPY = 2048, 1 << 28  # rows of the matrices, bytes of the copy that show the machine's peak
PEAK_SECONDS = 1.0  # spent on each of them


def do(job: Job) -> Measurement | ChosenForms | Peaks:
    """Carry out a job; the answer is what is printed."""
    if job["task"] == "peaks":
        return peaks()
    torch.manual_seed(0)
    device = job.get("device", "cpu")
    job = {**job, "precision": choose_precision(job["precision"], device), "device": device}
    if job["keep_blocks"]:
        keep_large_blocks()
    start = time.perf_counter()
    settings = preset("fast")
    prepare = preprocessing(settings.data, architecture(job["model"]).published_mask)
    network = build(replace(settings.model, name=job["model"]), blank=prepare.blank).to(device)
    built = time.perf_counter() - start
    if job["task"] == "forms":
        return chosen_forms(network, job)
    take(network, job["forms"], job["precision"], device)
    call = (training if job["task"] == "training" else inference)(network, prepare, job)
    return {
        **timed(call, job),
        "build_seconds": round(built, 3),
        "precision": job["precision"],
        "peak_mib": peak_mib(),
        "leaves_out": job["images"] == "sources" and leaves_out_empty_sky(network),
        "weights": sum(weight.numel() for weight in network.parameters()),
        "torch": torch.__version__,
    }


def chosen_forms(network: Network, job: Job) -> ChosenForms:
    """The forms that the steerable layers take as `train` measures them and as `classify` takes them, and the seconds it took to choose."""
    start = time.perf_counter()
    choices = choose_forms(network, job["batch"], job["precision"], True, job["device"], job["form"])
    take_likely_forms(network, job["form"] or AUTO, job["precision"], job["device"])
    forms = {
        "training": {name: choice.form for name, choice in choices.items()},
        "inference": {name: layer.form.name for name, layer in steerable_layers(network).items()},
    }
    return {"forms": forms, "precision": job["precision"], "seconds": round(time.perf_counter() - start, 3)}


def training(network: Network, prepare: Preprocessing, job: Job) -> Callable[[], object]:
    """A whole step of preset ``fast``: raw uint8, augmentation, forward, loss, backward, clipping, AdamW."""
    learning, batch = preset("fast").training, job["batch"]
    optimiser = torch.optim.AdamW(network.train().parameters(), lr=learning.learning_rate, weight_decay=learning.weight_decay, fused=True)
    device, passes = job["device"], count()
    raw, labels = some_sky(batch, job["images"]).to(device), torch.arange(batch, device=device) % 2

    def step() -> float:
        optimiser.zero_grad()
        poses = draw_poses(0, TRAINING, np.arange(batch), np.array([next(passes)]))
        images = prepare(show(raw, poses.matrices().to(device)))
        with torch.autocast(device, torch.bfloat16, enabled=job["precision"] == "bf16"):
            logits = network(images).logits
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), learning.gradient_clip)
        optimiser.step()
        return loss.item()

    return step


def inference(network: Network, prepare: Preprocessing, job: Job) -> Callable[[], object]:
    """Logits for a batch of raw images, by a network in evaluation, which has been shown an empty sky as `classify` shows it."""
    network.eval()
    device = job["device"]
    raw = some_sky(job["batch"], job["images"]).to(device)

    @torch.inference_mode()
    def call() -> list[float]:
        with torch.autocast(device, torch.bfloat16, enabled=job["precision"] == "bf16"):
            if would_help(network):  # in the precision of the answers: in another one no pixel would be the same
                show_empty_sky(network, prepare(torch.zeros_like(raw[:1, None])))
            return network(prepare(raw[:, None])).logits.float().flatten().tolist()

    return call


def some_sky(batch: int, images: str) -> Tensor:
    """Raw images uint8 (batch, 150, 150): noise over all pixels, or ``sources`` on an empty sky, each image elsewhere."""
    noise = torch.randint(1, 256, (batch, MIRABEST.side, MIRABEST.side), dtype=torch.uint8)
    return noise if images == "noise" else noise * shifted(islands()[0, 0].bool(), batch)


def timed(call: Callable[[], object], job: Job) -> Times:
    """Milliseconds per image of a call, over at least ``steps`` calls and ``seconds`` seconds, after one or two that are not counted."""
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    if first < SLOW:
        call()
    begun, busy, steps = time.perf_counter(), time.process_time(), 0
    while steps < job["steps"] or time.perf_counter() - begun < job["seconds"]:
        call()
        steps += 1
    images = steps * job["batch"]
    return {
        "milliseconds_per_image": round(1000 * (time.perf_counter() - begun) / images, 4),
        "processor_milliseconds_per_image": round(1000 * (time.process_time() - busy) / images, 4),
        "first_seconds": round(first, 3),
        "steps": steps,
        "threads": torch.get_num_threads(),
    }


def peaks() -> Peaks:
    """What the machine can do at most here: multiply-adds a second of large matrix products (in 10^9), and a large copy (GB/s moved).

    Without hardware for bf16 its product is not tried, and None stands for it: emulated, one would take minutes.
    """
    native = choose_precision("auto", "cpu") == "bf16"
    with torch.inference_mode():
        float32, bf16 = _gmacs(torch.float32), _gmacs(torch.bfloat16) if native else None
        source = torch.ones(COPY, dtype=torch.uint8)
        target = torch.empty_like(source)
        copied = round(2e-9 * COPY / _least(lambda: target.copy_(source)), 2)
    return {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "bf16_gmacs": bf16,
        "float32_gmacs": float32,
        "copy_gb_per_second": copied,
    }


def _gmacs(dtype: torch.dtype) -> float:
    """10^9 multiply-adds a second of a large matrix product."""
    left, right = torch.randn(MATRIX, MATRIX).to(dtype), torch.randn(MATRIX, MATRIX).to(dtype)
    return round(1e-9 * MATRIX**3 / _least(lambda: left @ right), 2)


def _least(call: Callable[[], object]) -> float:
    """Least seconds of a call over `PEAK_SECONDS`, after one that is not counted."""
    call()
    times: list[float] = []
    end = time.perf_counter() + PEAK_SECONDS
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(do(json.loads(sys.argv[1]))))
