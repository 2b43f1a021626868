"""The verb ``train``."""

from pathlib import Path
from typing import Any, Literal

import typer

from equiradio.artefacts.run import Epoch, Run
from equiradio.cli import completion
from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, DEVICE, Device, Preset
from equiradio.errors import SettingRefusal


def train(
    model: str = typer.Option(
        None,
        "--model",
        help="lenet, attention, c4-attention ... d16-attention; default c4-attention.",
        show_default=False,
        autocompletion=completion.models,
    ),
    data: str = typer.Option(
        None,
        "--data",
        help="A data set, a folder or table of images, or several joined by +; default mirabest.",
        show_default=False,
        autocompletion=completion.data_sets,
    ),
    start: str = typer.Option(
        None,
        "--from",
        help="A team by name, or the folder of a team or run, to begin with its weights (fine-tuning).",
        metavar="TEAM|RUN",
        show_default=False,
        autocompletion=completion.teams,
    ),
    freeze: Literal["none", "blocks"] = typer.Option(
        None, "--freeze", help="With --from: blocks trains gates and heads alone.", show_default=False
    ),
    preset: Preset = typer.Option(None, "--preset", help="Of settings; default fast, or what --config says.", show_default=False),
    config: Path = typer.Option(None, "--config", help="Settings in TOML, on top of the preset.", show_default=False),
    assign: list[str] = typer.Option(
        [],
        "--set",
        help="One setting, as key=value, such as training.sky=wide; may be repeated.",
        show_default=False,
        autocompletion=completion.settings,
    ),
    seed: int = typer.Option(None, "--seed", help="Of weights, order and augmentation; default 0.", show_default=False),
    epochs: int = typer.Option(None, "--epochs", help="Instead of the preset's.", show_default=False),
    out: Path = typer.Option(None, "--out", help="Run folder; default runs/MODEL-DATA-PRESET-seedS.", show_default=False),
    resume: bool = typer.Option(False, "--resume", help="Go on with the training in the run folder."),
    device: Device = DEVICE,
    precision: Literal["auto", "float32", "bf16"] = typer.Option(
        None, "--precision", help="Instead of the preset's; auto takes bf16 where the hardware has it.", show_default=False
    ),
    compat: str = typer.Option(
        "",
        "--compat",
        help="Habits of the published code, comma-separated.",
        show_default=False,
        autocompletion=completion.listed(completion.habits),
    ),
    max_minutes: float = typer.Option(
        None, "--max-minutes", min=0, help="Stop cleanly after the epoch in which this time runs out.", show_default=False
    ),
    data_dir: Path = DATA_DIR,
) -> None:
    """Train a network and leave it in a run folder.

    Example: equiradio train --model c4-attention --data mirabest --preset fast --seed 0
    """
    settings = gather(model, data, preset, config, assign, seed, epochs, precision, compat, start, freeze)
    _check_names(settings)
    if settings.training.start_from:
        settings = _fitted(settings, model)
    out = out or default_folder(settings)

    from equiradio.cli.progress import bars
    from equiradio.training.fit import train as fit  # lightning takes seconds to import

    with bars() as step:

        def on_epoch(row: Epoch) -> None:
            if row["epoch"] == 0:
                card = Run(out).card()
                for line in (*card.left_out, *card.notes):
                    say(line, err=True)
            step("epochs", row["epoch"] + 1, settings.training.epochs)
            typer.echo(epoch_line(row, settings.training.epochs), err=True)

        try:
            run = fit(settings, out, data_dir=data_dir, resume=resume, device=device, on_epoch=on_epoch, step=step, max_minutes=max_minutes)
        except KeyboardInterrupt:
            raise Interrupted(f"Interrupted. Finished epochs are kept in {out}; add --resume to go on.") from None
    say(run.folder)


def epoch_line(row: Epoch, epochs: int) -> str:
    """One epoch of the history in a line."""
    return (
        f"epoch {row['epoch'] + 1:3d} of {epochs}   training loss {row['train_loss']:.4f}   validation loss {row['validation_loss']:.4f}   "
        f"validation accuracy {100 * row['validation_accuracy']:.1f} %   {row['images_per_second']:.0f} images/s"
    )


def gather(
    model: str | None,
    data: str | None,
    preset: str | None,
    config: Path | None,
    assign: list[str],
    seed: int | None,
    epochs: int | None,
    precision: str | None,
    compat: str,
    start: str | None = None,
    freeze: str | None = None,
) -> Any:
    """Settings from the command line: the preset, then the file, then the options, then --set, then the habits."""
    from equiradio import settings as s

    assigned = dict(map(s.parse_assignment, assign))
    begun = start or next((str(value) for key, value in assigned.items() if key.split(".")[-1] == "start_from"), None)
    base = s.beginning(preset or "fast", begun)
    settings = s.from_toml(config, base if preset else None, begun) if config else base
    options = {"model.name": model, "data.name": data, "training.seed": seed, "training.epochs": epochs, "training.precision": precision}
    options |= {"training.start_from": start, "training.freeze": freeze}
    settings = s.change(settings, {key: value for key, value in options.items() if value is not None}, where="command line")
    for key in assigned:
        if key.split(".")[-1] in ("preset", "compat"):
            raise SettingRefusal(
                "--set", f"{key} names other settings and would change none of them", "another setting", f"Use --{key.split('.')[-1]}."
            )
    settings = s.change(settings, assigned)
    if preset:
        settings = s.change(settings, {"training.preset": preset})  # also where the file names another
    habits = [habit.strip() for habit in compat.split(",")] if compat else settings.training.compat
    return s.with_habits(settings, list(dict.fromkeys(habits)))


def _check_names(settings: Any) -> None:
    """Refuse a model, data set or start that is none, before PyTorch is opened."""
    from equiradio.artefacts.shelf import check_trained
    from equiradio.datasets.registry import check_name
    from equiradio.models.names import architecture

    architecture(settings.model.name)
    check_name(settings.data.name)
    if settings.training.start_from:
        check_trained(settings.training.start_from)


def _fitted(settings: Any, model: str | None) -> Any:
    """The settings with the model that is begun with; another model that was asked for is refused where its weights would be loaded."""
    from equiradio.training.start import fitted, start_of

    begun = start_of(settings)
    return settings if begun is None or model not in (None, begun.settings.model.name) else fitted(settings, begun)


def default_folder(settings: Any) -> Path:
    """``runs/<model>-<data>-<preset>-seed<k>``."""
    from equiradio.datasets.folds import fold_of
    from equiradio.datasets.registry import parts_of

    data, (_, fold) = "+".join(Path(part).name for part in parts_of(settings.data.name)), fold_of(settings.data.name)
    return Path("runs") / f"{settings.model.name}-{data}{fold or ''}-{settings.training.preset}-seed{settings.training.seed}"
