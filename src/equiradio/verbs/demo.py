"""The main job on simulated sources, small: train, evaluate, one page to look at."""

from collections.abc import Callable
from pathlib import Path

from equiradio.artefacts.atomic import write_text
from equiradio.artefacts.run import Epoch, Run
from equiradio.evaluation.scores import Metrics
from equiradio.printable import duration
from equiradio.report.figures import save, sources_montage
from equiradio.report.page import Page
from equiradio.report.table import metrics_tables
from equiradio.settings import Settings, change, preset

MODEL = "c4-attention"
PASSES = 9  # augmented passes over the test split


def demo_settings() -> Settings:
    """Preset ``quick`` on the embedded data."""
    return change(preset("quick"), {"model.name": MODEL, "data.name": "simulated"})


def demo(
    out: Path,
    *,
    device: str = "auto",
    on_epoch: Callable[[Epoch], object] | None = None,
    step: Callable[[str, int, int], None] | None = None,
) -> tuple[Path, Metrics]:
    """Train and evaluate on `simulated`; a demo that was interrupted goes on.

    Returns
    -------
    page, metrics : the HTML page, and the scores on the test split.
    """
    from equiradio.compute.device import choose_device
    from equiradio.datasets.registry import open_data
    from equiradio.training.fit import train
    from equiradio.verbs.evaluate import evaluate

    settings, run = demo_settings(), Run(out / "run")
    where = choose_device(device)
    if not (run.card_file.is_file() and run.card().state == "finished" and run.settings() == settings):
        train(settings, run.folder, resume=run.settings_file.is_file(), device=where, on_epoch=on_epoch, step=step)
    metrics = evaluate(run.folder, passes=PASSES, device=where, precision=run.card().precision, progress=step or (lambda *_: None))
    sky = save(sources_montage(open_data("simulated").of_split("test")), out / "sources.png")
    page = out / "index.html"
    write_text(page, _page(run, metrics, sky))
    return page, metrics


def _page(run: Run, metrics: Metrics, sky: Path) -> str:
    card = run.card()
    page = Page("equiradio: the main job on simulated radio galaxies")
    page.text(
        f"{card.model} ({card.weights:,} weights) saw {card.images_seen:,} augmented images of {card.sources['train']} simulated "
        f"sources in {duration(card.seconds)} ({card.device}, {card.precision}). It is then asked about "
        f"{metrics['sources']} sources that it has not seen."
    )
    page.heading("The sources")
    page.picture(sky, "Simulated test sources at FIRST's beam, noise and clipping: FRI above, FRII below.")
    page.heading("Scores on the test split")
    for table in metrics_tables(metrics):
        page.table(table.columns, table.rows)
    calibration = metrics["calibration"]
    assert calibration is not None  # simulated sources all have a class
    page.text(
        f"In brackets 95 % intervals over sources. Per source: negative log-likelihood {calibration['nll']:.3f}, "
        f"Brier score {calibration['brier']:.3f}, expected calibration error {calibration['ece']:.3f}."
    )
    page.heading("Where it looked")
    page.picture(
        run.figure_file("attention"), "Test sources and the mean of the network's attention gates; white: the lit pixels of the image."
    )
    page.heading("How it was trained")
    page.picture(run.figure_file("loss"), "Loss against epoch; the weights of the lowest validation loss are kept.")
    page.text(f"All files: {run.folder}.")
    page.text(f"The same on real data: equiradio train --model {card.model} --data mirabest, then equiradio evaluate RUN.")
    return page.render()
