"""The verb ``reproduce``."""

import json
from pathlib import Path
from typing import Any

import typer

from equiradio.cli import completion
from equiradio.cli.interruption import Interrupted
from equiradio.cli.options import DATA_DIR, DEVICE, JSON, Device, Preset, check_data
from equiradio.errors import RunRefusal, SettingRefusal


def reproduce(
    models: str = typer.Option(
        "all",
        "--models",
        help="Names, comma-separated, or all: the eight of Table 1.",
        autocompletion=completion.listed(completion.models),
    ),
    seeds: str = typer.Option("0,1,2,3,4", "--seeds", help="Numbers, comma-separated."),
    preset: Preset = typer.Option("fast", "--preset", help="Settings of the trainings."),
    data: str = typer.Option("mirabest", "--data", help="A data set or a folder.", autocompletion=completion.data_sets),
    passes: int = typer.Option(100, "--passes", help="Augmented passes over every test source."),
    audit: bool = typer.Option(False, "--audit", help="Also measure what the published code's habits do."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan, with hours from a short measurement on this machine, and stop."),
    part: int = typer.Option(
        None, "--part", help="Only run K of the plan, counted from 0, and no page: for arrays of jobs.", show_default=False
    ),
    out: Path = typer.Option(..., "--out", help="Folder of runs and page; may be shared by several machines.", show_default=False),
    device: Device = DEVICE,
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Train what is missing, evaluate it, and write Table 1, Figures 1 to 3 and one page. The same command goes on where it stopped.

    Example: equiradio reproduce --models lenet,attention --seeds 0,1,2 --out reproduced
    """
    from equiradio.models.names import TABLE1
    from equiradio.paper.plan import plan
    from equiradio.paper.reproduce import check_part

    check_data(data)
    names = list(TABLE1) if models == "all" else [name.strip() for name in models.split(",")]
    items = plan(names, _numbers(seeds), preset, data, out, passes=passes, audit=audit)
    check_part(part, len(items))
    from equiradio.compute.device import choose_device

    where = choose_device(device)
    if dry_run:
        _print_plan(items, data_dir, as_json)
        return
    try:
        outcome = _carry_out(items if part is None else items[part : part + 1], out, passes, where, data_dir, part is None)
        if part is not None or not outcome.done:
            if outcome.failed:
                raise RunRefusal(out, f"{len(outcome.failed)} runs failed", "runs that finish", "The lines above say why.")
            typer.echo(f"done here: {', '.join(outcome.done) or 'none'}; worked on elsewhere: {', '.join(outcome.elsewhere) or 'none'}")
            return
        if audit:
            _audit(items, out, where, data_dir, as_json)
        data_of_runs = next(item.data for item in items if item.name in outcome.done)  # a folder's own name
        _report(out, outcome, preset, data_of_runs, data_dir, as_json)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. Finished runs and epochs are kept in {out}; run the same command to go on.") from None


def _numbers(seeds: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(seed) for seed in seeds.split(",")))
    except ValueError:
        raise SettingRefusal("--seeds", f"'{seeds}'", "whole numbers, comma-separated", "For example --seeds 0,1,2.") from None


def _carry_out(items: list, out: Path, passes: int, where: str, data_dir: Path | None, controls: bool) -> Any:
    from equiradio.cli.progress import bars
    from equiradio.paper.reproduce import carry_out, untrained_maps

    with bars() as step:
        outcome = carry_out(
            items, data_dir=data_dir, device=where, passes=passes, on_line=lambda line: typer.echo(line, err=True), step=step
        )
        if controls:
            untrained_maps(items, out, data_dir=data_dir, device=where, step=step)
    return outcome


def _audit(items: list, out: Path, where: str, data_dir: Path | None, as_json: bool) -> None:
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table
    from equiradio.paper.audit import audit_runs
    from equiradio.paper.table1_text import AUDIT, audit_rows

    with bars() as step:
        audit = audit_runs(items, out / "audit.json", data_dir=data_dir, device=where, step=step)
    if not as_json:  # it lies in audit.json
        print_table(AUDIT, audit_rows(audit), audit["what"])


def _report(out: Path, outcome: Any, preset: str, data: str, data_dir: Path | None, as_json: bool) -> None:
    from equiradio.cli.progress import bars
    from equiradio.cli.report import show
    from equiradio.paper.report import report

    with bars() as step:
        table = report(out, out, preset=preset, data=data, data_dir=data_dir, step=step)
    show(table, out, as_json)
    if outcome.elsewhere:
        typer.echo(f"{len(outcome.elsewhere)} runs are worked on elsewhere; run the same command again when they are done.", err=True)
    if outcome.failed:
        typer.echo(f"{len(outcome.failed)} runs failed: {', '.join(outcome.failed)}; their cards say why.", err=True)


def _print_plan(items: list, data_dir: Path | None, as_json: bool) -> None:
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table
    from equiradio.datasets.registry import open_data
    from equiradio.paper import plan

    sources = open_data(items[0].settings.data.name, data_dir)
    with bars():
        times = plan.measure([item.model for item in items], lambda line: typer.echo(line, err=True))
    seconds = plan.estimate(items, sources, times)
    if as_json:
        typer.echo(json.dumps(plan.as_json(items, seconds, times), indent=2))
        return
    print_table(plan.COLUMNS, plan.rows(items, seconds), "Plan")
