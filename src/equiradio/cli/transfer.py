"""The verb ``evaluate`` with ``--through``: scores under other conditions, as tables or JSON."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from equiradio.cli.lines import say
from equiradio.cli.options import check_data
from equiradio.errors import SettingRefusal
from equiradio.printable import with_interval

if TYPE_CHECKING:
    from equiradio.evaluation.transfer import ConditionScores, Part, Score
    from equiradio.verbs.transfer import Transfer

COLUMNS = ("seen", "sources", "right", "balanced", "calibration error", "answered", "right of these", "flags")
STRATA = ("seen", "beams across", "sources", "right", "balanced", "answered", "right of these")


def evaluate_through(given: list[Path], through: list[str], *, device: str, as_json: bool, **options: Any) -> None:
    """Score every run and team; conditions that stand behind the first as words of their own count as such."""
    from equiradio.sky.conditions import conditions, is_condition

    more = [str(path) for path in given if is_condition(str(path)) and not path.exists()]
    asked, named = conditions([*through, *more]), [path for path in given if str(path) not in more]
    if not named:
        raise SettingRefusal(
            "RUN|TEAM", "nothing to evaluate", "the folder of a run or team, or a team's name", "Name one before --through."
        )
    files: dict[Path, Path | None] = {}

    def score(what: Path, **more: Any) -> "Transfer":
        from equiradio.verbs.transfer import transfer

        result, files[what] = transfer(what, asked, **more, **options)
        return result

    def show(what: Path, result: "Transfer") -> None:
        if not as_json:
            _print(result)
        file = files[what]
        say(f"written to {file}" if file else f"{what} is a team by name: nothing is written; --json prints all of it", err=as_json)

    score_each(named, score, show, data=options["data"], device=device, as_json=as_json)


def score_each(
    named: list[Path], score: Callable[..., Any], show: Callable[[Path, Any], None], *, data: str | None, device: str, as_json: bool
) -> None:
    """Score one after the other and show each; that a training is unfinished is said before, and JSON of all printed at the end."""
    from equiradio.artefacts.shelf import check_trained

    check_data(data)
    check_trained(*named)
    from equiradio.cli.progress import bars
    from equiradio.compute.device import choose_device
    from equiradio.verbs.evaluate_asked import cautions

    where, answers = choose_device(device), {}
    for each in named:
        with bars() as step:
            answers[str(each)] = score(each, device=where, progress=step)
        for line in cautions(each, answers[str(each)]):
            say(line, err=True)
        show(each, answers[str(each)])
    if as_json:
        typer.echo(json.dumps(answers, indent=2))


def _print(result: "Transfer") -> None:
    from equiradio.cli.tables import print_table

    title = f"{result['model']}: {result['data']}, {result['split']}, 95 % intervals over sources"
    title += f", answers for {result['prior']}" if "prior" in result else ""
    print_table(COLUMNS, [_row(each) for each in result["conditions"]], title)
    print_table(STRATA, [row for each in result["conditions"] for row in _strata(each)], "By size over beam")


def _row(scores: "ConditionScores") -> list[str]:
    part = scores["all"]
    if part is None:
        return [scores["condition"], f"0, {scores['blank']} blank", *[""] * (len(COLUMNS) - 2)]
    sources, *cells = part_cells(part)
    return [scores["condition"], sources + (f", {scores['blank']} blank" if scores["blank"] else ""), *cells]


def part_cells(part: "Part") -> list[str]:
    """Of some sources how many, their scores and their flags, as `COLUMNS` has them behind the first."""
    flags = ", ".join(f"{name} {100 * share:.0f} %" for name, share in part["flags"].items())
    whole = [part["accuracy"], part["balanced_accuracy"], part["calibration_error"], part["answered"], part["right_of_answered"]]
    return [f"{part['sources']}", *map(shown_score, whole), flags]


def _strata(scores: "ConditionScores") -> Iterator[list[str]]:
    for stratum in scores["strata"]:
        part: Part = stratum["part"]
        high = "or more" if stratum["high"] is None else f"to {stratum['high']:g}"
        shown = map(shown_score, (part["accuracy"], part["balanced_accuracy"], part["answered"], part["right_of_answered"]))
        yield [scores["condition"], f"{stratum['low']:g} {high}", str(part["sources"]), *shown]


def shown_score(score: "Score") -> str:
    """Such as ``84.0 (79.3-88.7)``, in percent."""
    return with_interval(score["value"], score["interval95"], 1, 100.0)
