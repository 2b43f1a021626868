"""Typed settings of a run, their presets, and TOML in and out. Unknown keys are refused with the nearest known one."""

import json
import math
import tomllib
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from equiradio.errors import SettingRefusal, nearest

__all__ = ["Settings", "change", "preset"]

BY_NAME: dict[str, dict[str, Any]] = {  # by how a model's name ends
    "-anchored": {"normalisation": "anchored"},
    "-clean": {"downsampling": "antialiased"},
}
HABITS = ("batch-range", "floor-150", "sixteen-passes", "raw-figure2")  # of the published code; see docs/reference/settings.md


def _setting(default: Any, *, choices: tuple[object, ...] = (), low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"choices": choices, "low": low, "high": high})


@dataclass(frozen=True)
class ModelSettings:
    """What is built. ``name`` is a key of the registry, such as ``c4-attention``."""

    name: str = _setting("c4-attention")
    gates: int = _setting(3, choices=(0, 1, 2, 3))
    normalisation: str = _setting("range", choices=("range", "sigmoid", "softmax", "std-mean", "tanh", "anchored", "batch-range"))
    aggregation: str = _setting("fine-tuned", choices=("fine-tuned", "mean", "concat", "deep-supervision"))
    kernel_size: int = _setting(5, choices=(3, 5, 7, 9))
    dropout: float = _setting(0.5, low=0.0, high=0.95)
    downsampling: str = _setting("max", choices=("max", "antialiased"))
    pooling: str = _setting("mean", choices=("sum", "mean"))
    head_relu: bool = _setting(False)
    side: int = _setting(152, choices=(150, 152))


@dataclass(frozen=True)
class DataSettings:
    """What it is trained on.

    ``classes``: those of the data set to distinguish, in this order; all of them where none is named. ``mask``: circle = the
    inscribed circle; published = what the paper's code did for the model at hand. ``weighing``: of a union, catalogue = sources are drawn
    so that the catalogue says less about the class (`equiradio.datasets.union.balanced`); none = all alike.
    """

    name: str = _setting("mirabest")
    classes: tuple[str, ...] = _setting(())
    mask: str = _setting("none", choices=("none", "circle", "published"))
    weighing: str = _setting("catalogue", choices=("catalogue", "none"))
    pixel_mean: float = _setting(0.0031)
    pixel_std: float = _setting(0.0350, low=1e-6)


@dataclass(frozen=True)
class TrainingSettings:
    """How it is trained. One epoch shows every training image ``passes`` times, each time turned, mirrored and scaled anew.

    ``averaging``: what is validated and kept is a moving average of the weights, which keeps this share of itself at each step.
    ``sky``: as FIRST has it, or wide: each time through another beam, depth, clipping and field too (`equiradio.compute.wide_sky`).
    ``teacher``: a team, by name or folder, whose calibrated answers count for ``teacher_share`` of every label and are all that is told
    of ``skies`` further, simulated sources (distillation). ``start_from``: a team or run, whose weights are begun with (fine-tuning); its
    body learns at ``body_rate`` times the learning rate, or not at all where ``freeze`` is blocks. ``last_layers``: for other classes than
    its own they begin with the best linear reading of its features, or are drawn.
    """

    preset: str = _setting("fast", choices=("paper", "fast", "quick"))
    seed: int = _setting(0, low=0, high=2**32 - 1)
    epochs: int = _setting(16, low=1, high=1_000_000)
    passes: int = _setting(2, low=1, high=10_000)
    validation_passes: int = _setting(2, low=1, high=10_000)
    batch_size: int = _setting(32, low=1, high=100_000)
    optimiser: str = _setting("adamw", choices=("adam", "adamw"))
    learning_rate: float = _setting(2e-3, low=0.0)
    weight_decay: float = _setting(1e-2, low=0.0)
    schedule: str = _setting("one-cycle", choices=("constant", "one-cycle"))
    gradient_clip: float = _setting(1.0, low=0.0)
    averaging: float = _setting(0.0, low=0.0, high=0.99999)
    patience: int = _setting(0, low=0)
    precision: str = _setting("auto", choices=("auto", "float32", "bf16"))
    sky: str = _setting("first", choices=("first", "wide"))
    teacher: str = _setting("")
    teacher_share: float = _setting(0.5, low=0.0, high=1.0)
    skies: int = _setting(0, low=0, high=1_000_000)
    start_from: str = _setting("")
    freeze: str = _setting("none", choices=("none", "blocks"))
    last_layers: str = _setting("fitted", choices=("fitted", "drawn"))
    body_rate: float = _setting(0.1, low=0.0, high=1.0)
    layer_form: str = _setting("auto")  # auto or a form of layers/forms, which is asked where a network is built
    compat: tuple[str, ...] = _setting((), choices=HABITS)


@dataclass(frozen=True)
class Settings:
    """Everything needed to repeat a training; as it stands, preset ``fast``."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)


_PAPER = Settings(
    ModelSettings(pooling="sum", head_relu=True),
    DataSettings(mask="published"),
    TrainingSettings(
        preset="paper",
        epochs=1000,
        passes=8,
        validation_passes=8,
        batch_size=16,
        optimiser="adam",
        learning_rate=1e-5,
        weight_decay=1e-6,
        schedule="constant",
        gradient_clip=0.0,
        patience=50,
        precision="float32",
    ),
)
PRESETS = {
    "paper": _PAPER,
    "fast": Settings(),
    "quick": replace(Settings(), training=replace(TrainingSettings(), preset="quick", epochs=6, passes=1, validation_passes=1)),
}


def preset(name: str) -> Settings:
    """The settings of a preset: ``paper`` (the paper's text), ``fast`` (ours) or ``quick`` (demo and tests)."""
    if name not in PRESETS:
        raise SettingRefusal("preset", f"'{name}' is not a preset", ", ".join(PRESETS), nearest(name, list(PRESETS)))
    return PRESETS[name]


def as_named(model: ModelSettings) -> ModelSettings:
    """Settings of a model with those that its name decides, whatever they were: older runs of such names were written without them."""
    decided = next((values for ending, values in BY_NAME.items() if model.name.endswith(ending)), {})
    return replace(model, **decided)


def beginning(name: str, start_from: str | None) -> Settings:
    """The settings of a preset; of a training that begins with trained weights without dropout.

    Last layers that were fitted to features would have to learn anew to do without half of them (`docs/notebook/fine-tuning.md`).
    """
    return change(preset(name), {"model.dropout": 0.0}) if start_from else preset(name)


def _check(where: str, key: str, spec: Field[Any], value: Any) -> Any:
    """The value as its field's type, or a refusal."""
    wanted = type(spec.default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1e300 else math.inf
    if wanted is tuple and isinstance(value, list):
        value = tuple(value)
    if type(value) is not wanted:
        kinds = {str: "text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of text"}
        raise SettingRefusal(where, f"{key} is {json.dumps(value, default=str)}", kinds[wanted], "Correct the value.")
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingRefusal(where, f"{key} is {value}", "a finite number", "Correct the value.")
    choices, low, high = (spec.metadata[name] for name in ("choices", "low", "high"))
    items: Any = value if wanted is tuple else [value]
    for item in items:
        if wanted is tuple and not choices and not isinstance(item, str):
            raise SettingRefusal(where, f"{key} holds {json.dumps(item, default=str)}", "a list of text", "Correct the value.")
        if choices and item not in choices:
            words = [str(choice) for choice in choices]
            raise SettingRefusal(
                where, f"{key} is {json.dumps(item, default=str)}", f"one of {', '.join(words)}", nearest(str(item), words)
            )
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low:g}" if high is None else f"{low:.10g} to {high:.10g}"
        raise SettingRefusal(where, f"{key} is {value}", bounds, "Correct the value.")
    return value


SECTIONS = {"model": ModelSettings, "data": DataSettings, "training": TrainingSettings}


def keys() -> dict[str, Field[Any]]:
    """Every setting by its full name, such as ``training.learning_rate``."""
    return {f"{section}.{spec.name}": spec for section, kind in SECTIONS.items() for spec in fields(kind)}


def change(settings: Settings, changes: dict[str, Any], where: str = "--set") -> Settings:
    """Settings with some values changed; a key may leave out its section where that is clear.

    Raises
    ------
    SettingRefusal : a key that is no setting, or a value that it cannot take.
    """
    every = keys()
    for key, value in changes.items():
        full = [name for name in every if key in (name, name.split(".")[1])]
        if len(full) > 1:
            raise SettingRefusal(where, f"{key} is a setting of several sections", " or ".join(full), "Name the section too.")
        if not full:
            section = key.split(".")[0] if "." in key else ""
            siblings = [name.split(".")[1] for name in every if name.startswith(f"{section}.")] if section in SECTIONS else list(every)
            raise SettingRefusal(
                where, f"{key} is not a setting", ", ".join(siblings), nearest(key.split(".")[-1] if section in SECTIONS else key, siblings)
            )
        section, name = full[0].split(".")
        value = _check(where, full[0], every[full[0]], value)
        settings = replace(settings, **{section: replace(getattr(settings, section), **{name: value})})
    return settings


def with_habits(settings: Settings, habits: list[str]) -> Settings:
    """Settings with habits of the published code switched on, and recorded in ``training.compat``."""
    settings = change(settings, {"training.compat": tuple(habits)}, where="--compat")
    effects: dict[str, dict[str, Any]] = {
        "batch-range": {"model.normalisation": "batch-range"},
        "floor-150": {"model.side": 150},
        "sixteen-passes": {"training.passes": 16, "training.validation_passes": 16},
        "raw-figure2": {},  # acts where maps are drawn
    }
    for habit in habits:
        settings = change(settings, effects[habit], where="--compat")
    return settings


def parse_assignment(text: str) -> tuple[str, Any]:
    """``key=value`` from the command line; the value is read as TOML, or as plain text where that fails."""
    key, equals, value = text.partition("=")
    if not equals:
        raise SettingRefusal("--set", f"'{text}' has no '='", "key=value", "For example --set training.epochs=20.")
    try:
        return key.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except (ValueError, RecursionError):  # not TOML, or a number of thousands of digits
        return key.strip(), value.strip()


def to_toml(settings: Settings) -> str:
    """The settings as TOML text; strings, numbers, booleans and lists of strings read the same in JSON, but for two escapes."""
    lines = []
    for section, values in asdict(settings).items():
        lines += [f"[{section}]", *(f"{key} = {_toml_value(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _toml_value(value: Any) -> str:
    # TOML knows no surrogate pairs, and wants delete escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def from_toml(path: Path, base: Settings | None = None, start_from: str | None = None) -> Settings:
    """Settings from a TOML file on top of ``base`` (or of the preset that the file names, or of ``fast``, as they are `beginning`).

    Raises
    ------
    SettingRefusal : not a TOML file, or a key or value that is none of ours.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingRefusal(path, "no such file", "a TOML file", "Check the path.") from None
    except OSError as error:
        raise SettingRefusal(path, f"cannot be read ({error.strerror})", "a TOML file", "Check the path.") from None
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, not text, or a number without end
        raise SettingRefusal(path.name, f"not TOML ({error})", "sections [model], [data], [training]", "Correct the file.") from None
    changes: dict[str, Any] = {}
    for section, values in tables.items():
        if section not in SECTIONS or not isinstance(values, dict):
            raise SettingRefusal(path.name, f"{section} is not a section", ", ".join(SECTIONS), nearest(section, list(SECTIONS)))
        changes |= {f"{section}.{key}": value for key, value in values.items()}
    if base is None:
        named, start = changes.get("training.preset", MISSING), changes.get("training.start_from", start_from)
        base = beginning(named if isinstance(named, str) else "fast", start)
    return change(base, changes, where=path.name)
