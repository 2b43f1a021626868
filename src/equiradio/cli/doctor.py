"""The verb ``doctor``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, JSON


def doctor(data_dir: Path = DATA_DIR, as_json: bool = JSON) -> None:
    """Say what this installation is, whether it is well, and what would make it quicker. Nothing is fetched or written.

    Example: equiradio doctor
    """
    from equiradio.verbs.doctor import examine

    health = examine(data_dir)
    if as_json:
        typer.echo(json.dumps(health.facts | {"well": health.well, "faults": health.faults, "hints": health.hints}, indent=2))
    else:
        for line in _lines(health.facts):
            say(line)
        for line in health.hints:
            say(f"hint: {line}")
        for line in health.faults:
            say(f"wrong: {line}")
        say("well: what is needed to classify works" if health.well else "not well: see above")
    if not health.well:
        raise typer.Exit(2)


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    """The facts, a line for each."""
    ours, torch = facts["equiradio"], facts["torch"]
    yield f"equiradio {ours['version']}" + (f", from {ours['checkout']}" if ours["checkout"] else "")
    yield f"Python {facts['python']['version']}, {facts['python']['system']}"
    if torch is not None:
        yield f"PyTorch {torch['version']}, threads {torch['threads']} of {torch['processors']} processors, {torch['processor']}"
        device, kernels = facts["device"], facts["kernels"]
        yield f"device: {device['gpu'] or device['name']}" + (f" ({device['why']})" if device["why"] else "")
        resampling = "compiled" if kernels["resampling"] else "not compiled"
        yield f"kernels: {kernels['used'] or 'none, ' + kernels['why']}; resampling of images: {resampling}"
        yield f"bf16: {'quick here' if facts['bf16'] else 'not quick here'}"
    yield f"teams: {_listed(facts['teams'])}"
    data = facts["data"]
    yield f"data: {data['folder']}" + ("" if data["exists"] else " (not there)")
    places: dict[str, list[str]] = {}
    for each in data["sets"]:
        checksums = {True: ", checksums agree", False: ", checksums differ", None: ""}[each["whole"]]
        places.setdefault(f"{each['where'] or 'its module does not say where'}{checksums}", []).append(each["name"])
    yield from (f"{', '.join(names)}: {place}" for place, names in places.items())
    installed = facts["extras"]
    yield "extras: " + (
        ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in installed.items()) or "the package is not installed"
    )
    yield f"cache: {facts['cache']['folder']}, {'writable' if facts['cache']['writable'] else 'not writable'}"


def _listed(teams: list[dict[str, Any]]) -> str:
    """Those that open, the default marked; then those whose weights are elsewhere or damaged."""
    whole = [team["name"] + (" (default)" if team["default"] else "") for team in teams if team["whole"]]
    parts = [", ".join(whole) or "none opens"]
    for words, chosen in (
        ("damaged", [team for team in teams if team["whole"] is False]),
        ("not here", [t for t in teams if not t["here"]]),
    ):
        parts += [f"{words}: {', '.join(team['name'] for team in chosen)}"] if chosen else []
    return "; ".join(parts)
