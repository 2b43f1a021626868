"""Evaluate a run on one split: predictions, scores, attention maps and a picture to look at."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.claim import Claim, claimed
from equiradio.artefacts.run import Epoch, Run
from equiradio.artefacts.tables import BEARINGS, predictions_schema, write_table
from equiradio.compute.forms import settle_forms
from equiradio.compute.poses import TEST, Poses, draw_poses
from equiradio.datasets.registry import chosen_split
from equiradio.datasets.sources import Sources
from equiradio.errors import RunRefusal
from equiradio.evaluation.calibration import cross_entropy
from equiradio.evaluation.catalogues import by_catalogue
from equiradio.evaluation.scores import Metrics, SoftScores, metrics
from equiradio.inference.member import Member, chunks
from equiradio.inference.team import load
from equiradio.labels import Labels
from equiradio.report.figures import attention_grid, loss_curves, save
from equiradio.verbs.evaluate_asked import check_options, one_run
from equiradio.verbs.stored_maps import map_arrays, write_maps
from equiradio.verbs.trained_data import Purpose, not_held_back, trained_data

BATCH = 64
SHOWN = 12  # sources in the picture

Progress = Callable[[str, int, int], object]  # what is being done, how much of it is done, how much there is


def evaluate(
    folder: Path,
    *,
    data: str | None = None,
    split: str = "test",
    passes: int = 100,
    batches: str = "sorted",
    data_dir: Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    progress: Progress = lambda what, done, total: None,
    claim: Claim | None = None,
) -> Metrics:
    """Evaluate the trained network in a run folder and write predictions, scores, maps and figures into it.

    Parameters
    ----------
    folder, data : the run, and a data set, by default the one it was trained on.
    passes : augmented passes over every source, besides the plain one.
    batches : sorted, shuffled or single: company that each image keeps. Matters only for networks with the habit ``batch-range``.
    claim : a claim on ``folder`` that is held already; else one is taken.

    Returns
    -------
    The metrics, as written to ``RUN/metrics/<data>-<split>.json``.
    """
    check_options(batches, precision, passes)
    run = one_run(folder)
    with claimed(run.folder) if claim is None else nullcontext(claim) as held:
        member = load(folder, device, precision).members[0]
        history = run.history() if run.history_file.is_file() else []  # refused now rather than after an hour of passes
        sources = chosen_split(trained_data(folder, member.card, member.settings.data, data, data_dir, Purpose(scored=True)), split)
        _settle(run, member, precision, progress)
        columns = predict(member, sources, run.settings().training.seed, passes, batches, progress)
        held.check()
        scored = _write(run, member, sources, columns, split, (f"{passes}", batches, precision))
        _draw(run, member, history, sources, columns, progress)
        write_json(run.metrics_file(sources.name, split), scored)  # the last: where they are, everything is
    return scored


def _write(run: Run, member: Member, sources: Sources, columns: dict[str, np.ndarray], split: str, asked: tuple[str, ...]) -> Metrics:
    """Write predictions with what they are of (``asked``: passes, batches, precision), without earlier scores; returns the new ones."""
    if not all(np.isfinite(columns[name]).all() for name in member.labels.columns("logit")):
        found = "the network's answers are not finite numbers"
        raise RunRefusal(run.folder, found, "finite logits", "The weights are damaged; train anew.")
    seed = run.settings().training.seed
    scored = metrics(columns, data=sources.name, split=split, seed=seed, labels=member.labels)
    if blocks := by_catalogue(columns, sources.catalogues, seed, member.labels):
        scored["catalogues"] = blocks
    if sources.soft is not None:
        scored["soft"] = _soft_scores(sources.soft, columns, member.labels)
    if unfinished := member.card.unfinished(run.settings().training.epochs):
        scored["unfinished"] = unfinished
    if seen := not_held_back(member.card, {}, sources.md5, split):
        scored["not_held_back"] = seen
    if sources.left_out:
        scored["left_out"] = list(sources.left_out)
    run.metrics_file(sources.name, split).unlink(missing_ok=True)
    schema = predictions_schema(member.labels)
    bearings = zip(BEARINGS, (member.weights_hash[:12], sources.md5, *asked), strict=True)
    metadata = {**(schema.metadata or {}), **{key.encode(): value.encode() for key, value in bearings}}
    write_table(pa.table(columns, schema=schema.with_metadata(metadata)), run.predictions_file(sources.name, split))
    return scored


def _soft_scores(soft: np.ndarray, columns: dict[str, np.ndarray], labels: Labels) -> SoftScores:
    """Scores against soft labels, of the mean over augmented passes as all scores per source; of the plain image where there are none."""
    p = np.stack([columns[name].reshape(-1, len(soft)) for name in labels.columns()], -1)
    p = p[1:].mean(0) if len(p) > 1 else p[0]
    return {"cross_entropy": cross_entropy(soft, p), "entropy": cross_entropy(soft, soft)}


def _settle(run: Run, member: Member, precision: str, progress: Progress) -> None:
    """Give the network's layers their forms."""
    settle_forms(
        member.network,
        run.forms_file,
        batch=BATCH,
        precision=precision,
        training=False,
        device=member.device.type,
        form=member.settings.training.layer_form,
        progress=progress,
    )


def predict(
    member: Member, sources: Sources, seed: int, passes: int, batches: str = "sorted", progress: Progress = lambda *_: None
) -> dict[str, np.ndarray]:
    """The columns of a predictions table: pass 0 plain, then ``passes`` augmented ones, source by source within a pass."""
    count = len(sources)
    order = np.argsort(sources.labels, kind="stable") if batches != "shuffled" else np.random.default_rng(seed).permutation(count)
    size = 1 if batches == "single" else BATCH
    logits = np.empty((passes + 1, count, len(member.labels)))
    for number in range(passes + 1):
        poses = draw_poses(seed, TEST, order, np.full(count, number)) if number else None
        for rows, pose in _pieces(order, poses, size):
            logits[number, rows] = member.look(sources.images[rows], pose).logits.double().cpu().numpy()
        progress("passes", number + 1, passes + 1)
    probabilities = torch.from_numpy(logits).softmax(-1).numpy()
    return {
        "source_id": np.tile(sources.source_ids, passes + 1),
        "label": np.tile(sources.labels, passes + 1).astype(np.int8),
        "confidence": np.tile(sources.confidence, passes + 1),
        "pass": np.repeat(np.arange(passes + 1, dtype=np.int32), count),
        **{column: logits[..., place].ravel() for place, column in enumerate(member.labels.columns("logit"))},
        **{column: probabilities[..., place].ravel() for place, column in enumerate(member.labels.columns())},
    }


def _pieces(order: np.ndarray, poses: Poses | None, size: int) -> Iterator[tuple[np.ndarray, Poses | None]]:
    for rows in chunks(len(order), size):
        piece = slice(*rows)
        pose = poses and Poses(poses.rotation_deg[piece], poses.mirrored[piece], poses.scale[piece])
        yield order[piece], pose


def _draw(run: Run, member: Member, history: list[Epoch], sources: Sources, columns: dict[str, np.ndarray], progress: Progress) -> None:
    """The loss by epoch, and the attention, as numbers and as a picture."""
    if history:
        save(loss_curves({member.card.model: history}, classes=len(member.labels)), run.figure_file("loss"))
    if not member.network.gate_count:
        return
    arrays = map_arrays(member, sources, raw="raw-figure2" in run.settings().training.compat, progress=progress)
    write_maps(run.maps_file, arrays)
    rows = shown_sources(sources)
    p = np.stack([columns[column][: len(sources)][rows] for column in member.labels.columns()], 1)
    figure = attention_grid(sources.choose(rows), arrays["maps"][rows] / 255, p, member.card.model)
    save(figure, run.figure_file("attention"))


def shown_sources(sources: Sources, count: int = SHOWN) -> np.ndarray:
    """Rows of the sources that are drawn: of each class as many, evenly spaced through the split, not picked by hand."""
    classes = [np.flatnonzero(sources.labels == label) for label in np.unique(sources.labels)]
    share = -(-count // len(classes))
    return np.concatenate([rows[np.linspace(0, len(rows) - 1, min(share, len(rows))).round().astype(int)] for rows in classes])[:count]
