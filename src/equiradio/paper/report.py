"""The verb ``report``: table, figures and page from finished runs, without torch."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_json, write_text
from equiradio.artefacts.claim import claimed
from equiradio.datasets.registry import open_data
from equiradio.datasets.sources import Sources
from equiradio.errors import DataRefusal, RunRefusal
from equiradio.evaluation.baseline import SizeOnly, size_only
from equiradio.paper import figures as paper_figures
from equiradio.paper.contents import AsymmetryRow, Disputed, Findings, Pick, Table1
from equiradio.paper.map_findings import asymmetries, figure2_sources, images_to_converge, overlaps
from equiradio.paper.page import DISPUTED_PICTURE, PAGE, write_page
from equiradio.paper.published import MODELS, SYMMETRIC
from equiradio.paper.results import Result, Results, read_maps, read_results
from equiradio.paper.table1 import CONVERGED, stored_size_only, table1
from equiradio.paper.table1_text import to_csv, to_latex, to_markdown
from equiradio.report.figures import save
from equiradio.report.montage import save_montage

DPI, FORMATS = 300, (".png", ".pdf")
PATIENCE = 120.0  # seconds that another process's report is waited for
FIGURES = ("figure1", "figure2", "figure3")
STEPS = "report"  # what progress is called

Step = Callable[[str, int, int], object]


def report(
    folder: Path,
    out: Path,
    *,
    preset: str | None = None,
    data: str | None = None,
    data_dir: Path | None = None,
    step: Step = lambda what, done, total: None,
) -> Table1:
    """Write table1.csv, .json, .md, .tex, findings.json, figure1-3.png, .pdf, disputed.png and report.html.

    Parameters
    ----------
    folder, out : finished runs, ``results`` or what ``equiradio reproduce --out`` named; and where to write.
    preset, data : of the runs in the table; by default those with most runs.
    data_dir : where MiraBest lies. Without it images of sources and the overlap are left out, which the page says.

    Returns
    -------
    What table1.json holds.
    """
    with claimed(out, PATIENCE):
        results = read_results(folder, preset, data)
        everything, lacking = _data(results, data_dir)
        step(STEPS, 1, 6)
        return _write(results, out, everything, lacking, step)


def _write(results: Results, out: Path, everything: Sources | None, lacking: str, step: Step) -> Table1:
    """Write all files, the page last: where it is, its neighbours are what it was made of."""
    (out / PAGE).unlink(missing_ok=True)
    table = table1(results, _baseline(results, everything))
    _write_table(table, out)
    step(STEPS, 2, 6)
    test = everything.of_split("test") if everything is not None else None
    findings = _findings(results, test, lacking)
    step(STEPS, 3, 6)
    gated = gated_models(results)
    for name in FIGURES if not gated else ():
        for suffix in FORMATS:
            (out / name).with_suffix(suffix).unlink(missing_ok=True)
    if gated:
        findings["figure2"] = figure2_sources(results, gated)
        _draw(results, gated, findings, findings["figure2"], test, out, step)
    _picture_disputed(table["disputed"], test, out / f"{DISPUTED_PICTURE}.png")
    write_json(out / "findings.json", findings)
    step(STEPS, 5, 6)
    write_page(out, results, table, findings, FIGURES if gated else (), Path(os.path.relpath(results.folder.resolve(), out.resolve())))
    step(STEPS, 6, 6)
    return table


def _findings(results: Results, test: Sources | None, lacking: str) -> Findings:
    """What the maps and histories say; without ``figure2``."""
    return {
        "asymmetry": asymmetries(results),
        "overlap": overlaps(results, test),
        "images_to_converge": images_to_converge(results, CONVERGED),
        "lacking": lacking,
    }


def _write_table(table: Table1, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "table1.json", table)
    write_text(out / "table1.csv", to_csv(table))
    write_text(out / "table1.md", to_markdown(table))
    write_text(out / "table1.tex", to_latex(table))


def _draw(results: Results, models: list[str], findings: Findings, chosen: list[Pick], test: Sources | None, out: Path, step: Step) -> None:
    """Figures 1 to 3 of these models; ``chosen`` are the sources of Figure 2."""
    _save(draw_figure1(results, models), out / "figure1")
    step(STEPS, 4, 6)
    _save(draw_figure2(results, models, chosen, test), out / "figure2")
    _save(draw_figure3(results, models, findings["asymmetry"]), out / "figure3")


def _picture_disputed(disputed: Disputed | None, test: Sources | None, path: Path) -> None:
    """The sources whose labels are in question, where their images are here."""
    path.unlink(missing_ok=True)
    if disputed is not None and disputed["sources"] and test is not None:
        images = _images(test)
        lines = [
            f"{number}. {each['label']}, {each['confidence']}; against it {100 * each['against']:.0f} %"
            for number, each in enumerate(disputed["sources"], 1)
        ]
        save_montage([images[each["source_id"]] for each in disputed["sources"]], lines, path, first=False)


def _images(test: Sources) -> dict[str, np.ndarray]:
    return dict(zip(test.source_ids.tolist(), test.images, strict=True))


def gated_models(results: Results) -> list[str]:
    """Models with maps in the paper's order."""
    names = {result.model for result in results.runs if result.maps is not None}
    return [name for name in MODELS if name in names] + sorted(names - set(MODELS))


def _data(results: Results, data_dir: Path | None) -> tuple[Sources | None, str]:
    try:
        data = results.runs[0].settings.data
        sources = open_data(data.name, data_dir, data.classes)
    except DataRefusal as refusal:
        return None, f"The data are not here ({refusal.where}: {refusal.found}): images and overlaps are left out."
    trained_on = results.runs[0].card.data_md5
    if sources.md5 != trained_on:
        raise RunRefusal(
            results.folder, f"{sources.name} has md5 {sources.md5}, the runs {trained_on}", "the data they saw", "Name it with --data-dir."
        )
    return sources, ""


def _baseline(results: Results, everything: Sources | None) -> SizeOnly | None:
    if everything is None or not np.isfinite(everything.size_arcsec).all():
        return stored_size_only(results.folder)
    return size_only(everything.of_split("train"), everything.of_split("test"))


def _save(figure: Any, stem: Path) -> None:
    for suffix in FORMATS:
        save(figure, stem.with_suffix(suffix), dpi=DPI)


def draw_figure1(results: Results, models: list[str]) -> Any:
    """Loss curves of every attention model."""
    histories = {model: [result.run.history() for result in results.of(model)] for model in models}
    seeds = {model: results.of(model)[0].card.seed for model in models}
    numbers = ", ".join(sorted({f"{seed}" for seed in seeds.values()}))
    note = (
        f"Running mean over 5 epochs, shaded: standard deviation (seed {numbers}); thin: validation loss of other seeds. "
        f"Arrow: lowest validation loss, not smoothed. Preset {results.preset}."
    )
    return paper_figures.figure1(histories, note)


def draw_figure2(results: Results, models: list[str], chosen: list[Pick], test: Sources | None) -> Any:
    """Attention panels of the sources that the rule picked."""
    images = _images(test) if test is not None else {}
    rows = []
    for pick in chosen:
        title = f"{pick['class']}\n{pick['rule']}\n({pick['fitting']} fit)"
        name = pick["source_id"]
        maps = [_map_of(results.shown(model), name) for model in models] if name else []
        rows.append(
            paper_figures.Row(title, images.get(name) if name else None, maps, [pick["right"].get(model, True) for model in models])
        )
    seeds = ", ".join(sorted({f"{results.shown(model).card.seed}" for model in models}))
    note = (
        "Rule: of each class the first source by name that is right by all models, split, wrong by all "
        f"(seed-mean probability over the passes). Maps: seed {seeds}. Contour: lit pixels of the input; dashed: wrong class. "
        "Images: square root of brightness; north up, east left."
    )
    return paper_figures.figure2(rows, models, note)


def _map_of(result: Result, name: str) -> np.ndarray:
    assert result.maps is not None
    return result.maps["maps"][result.maps["source_id"].tolist().index(name)] / 255


def draw_figure3(results: Results, models: list[str], measured: list[AsymmetryRow]) -> Any:
    """Class-differenced mean attention: the first and the most symmetric model, and an untrained network of each where there is one."""
    shown = list(dict.fromkeys((models[0], SYMMETRIC if SYMMETRIC in models else _most_symmetric(results, models))))
    rows = []
    for trained in (True, False):
        panels = []
        for model in shown:
            first = results.shown(model)
            path = first.run.maps_file if trained else results.untrained.get(model)
            if path is None:
                continue
            maps = read_maps(path)
            row = next((row for row in measured if row["file"] == path.relative_to(results.folder).as_posix()), None)
            note = f"asymmetry {row['index']:.3f}, {_p(row['p'])}" if row else "asymmetry not measured"
            title = f"{model}, " + (f"seed {first.card.seed}" if trained else "untrained")
            panels.append(
                paper_figures.Panel(
                    title, note, maps["mean_maps"][0] - maps["mean_maps"][1], np.subtract(*maps["mean_images"].astype(float))
                )
            )
        rows += [panels] if panels else []
    note = (
        "Mean map of FRI less mean map of FRII over 36 rotations of each test source. "
        "Contour: the azimuthal mean of the images' difference is 0. "
        "Asymmetry: share of power in the part that a half turn or a mirror changes; p: class labels of whole sources redrawn. "
        "Colour scales differ. A C_N network's mean over rotations is symmetric under its turns by construction."
    )
    return paper_figures.figure3(rows, note)


def _p(value: float) -> str:
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def _most_symmetric(results: Results, models: list[str]) -> str:
    return max(models, key=lambda model: results.of(model)[0].card.order)
