"""A set of finished runs that nobody trained: every statistic of it is known in advance."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from equiradio.artefacts.atomic import write_atomically, write_json
from equiradio.artefacts.card import Card
from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import predictions_schema, write_table
from equiradio.models.names import architecture
from equiradio.settings import change, preset

SOURCES, PASSES = 40, 2
LABELS = np.repeat([0, 1], SOURCES // 2)
NAMES = np.array([f"source-{k:03d}" for k in range(SOURCES)])
CONFIDENT = np.arange(SOURCES) % 4 > 0  # 30 of 40
SIDE, COARSE = 150, 50


def answers(wrong: list[int]) -> np.ndarray:
    """p_frii of every source in every augmented pass, (SOURCES, PASSES): sure and right, but for the sources in ``wrong``."""
    right = np.where(LABELS == 1, 0.9, 0.1)
    right[wrong] = 1 - right[wrong]
    return np.repeat(right[:, None], PASSES, axis=1)


def write_run(folder: Path, model: str, seed: int, p_frii: np.ndarray, **changes) -> Run:
    """A run folder as train and evaluate would leave it, without weights."""
    settings = change(preset("fast"), {"model.name": model, "training.seed": seed} | changes)
    run = Run(folder / f"{model}-mirabest-fast-seed{seed}")
    run.write_settings(settings)
    card = Card(
        model,
        architecture(model).group_name,
        architecture(model).order,
        10,
        {},
        "mirabest",
        "no-such-md5",
        {"train": 856, "validation": 213},
        seed,
        "fast",
        "float32",
        "CPU, 1 threads",
        {},
    )
    rows = [
        {
            "epoch": k,
            "train_loss": 0.7 - 0.02 * k,
            "validation_loss": loss,
            "validation_accuracy": 0.8,
            "learning_rate": 1e-3,
            "seconds": 9.0,
            "images_per_second": 190.0,
        }
        for k, loss in enumerate([0.9, 0.50, 0.44, 0.42, 0.40, 0.45, 0.46, 0.47])
    ]
    card = replace(card, state="finished", epochs=8, best_epoch=4, best_validation_loss=0.40, images_seen=8 * 1712, seconds=72.0)
    card.write(run.card_file)
    run.write_history(rows)
    whole = np.concatenate([p_frii[:, :1], p_frii], axis=1).T.ravel()  # pass 0 as the first augmented one
    logit = np.log(whole / (1 - whole))
    columns = {
        "source_id": np.tile(NAMES, PASSES + 1),
        "label": np.tile(LABELS, PASSES + 1).astype(np.int8),
        "confidence": np.tile(np.where(CONFIDENT, "confident", "uncertain"), PASSES + 1),
        "pass": np.repeat(np.arange(PASSES + 1, dtype=np.int32), SOURCES),
        "logit_fri": np.zeros_like(logit),
        "logit_frii": logit,
        "p_fri": 1 - whole,
        "p_frii": whole,
    }
    write_table(pa.table(columns, schema=predictions_schema()), run.predictions_file("mirabest", "test"))
    write_json(run.metrics_file("mirabest", "test"), {})
    return run


def write_maps(path: Path, odd: float) -> None:
    """Maps whose class difference has this share of its power in a slope; the rest is a hill."""
    rows, columns = np.indices((COARSE, COARSE)) - (COARSE - 1) / 2
    hill, slope = np.exp(-(rows**2 + columns**2) / 100), columns / COARSE
    slope = slope * np.sqrt((hill**2).sum() / (slope**2).sum())
    part = 0.5 + 0.25 * (np.sqrt(1 - odd) * hill + np.sqrt(odd) * slope)
    flat = np.full_like(part, 0.5)
    of_sources = np.stack([part if label == 0 else flat for label in LABELS])
    means = np.stack([part, flat]).repeat(3, 1).repeat(3, 2).astype(np.float32)
    arrays = {
        "source_id": NAMES,
        "label": LABELS,
        "maps": np.round(255 * of_sources.repeat(3, 1).repeat(3, 2)).astype(np.uint8),
        "mean_maps": means,
        "mean_images": np.stack([hill, 0.5 * hill]).repeat(3, 1).repeat(3, 2).astype(np.float16),
        "rotation_maps": np.round(255 * of_sources).astype(np.uint8),
        "rotations": np.array(36),
    }
    write_atomically(path, lambda part: np.savez_compressed(part, **arrays))


def fake_results(folder: Path) -> Path:
    """lenet wrong about 10, 12 and 14 sources; attention about 8, the same in both seeds; c4-attention about 2, once."""
    runs = folder / "runs"
    for seed, number in enumerate((10, 12, 14)):
        write_run(runs, "lenet", seed, answers(list(range(number))))
    for seed in (0, 1):
        run = write_run(runs, "attention", seed, answers(list(range(8))))
        write_maps(run.maps_file, odd=0.5)
    run = write_run(runs, "c4-attention", 0, answers([0, 39]))
    write_maps(run.maps_file, odd=0.0)
    write_maps(folder / "untrained" / "attention-mirabest-fast-seed0" / "maps.npz", odd=0.2)
    for seed in (0, 1):
        write_run(folder / "constant", "lenet", seed, answers([]), **{"training.schedule": "constant", "training.learning_rate": 5e-4})
    return folder
