"""The files in configs/ say the same as the command line: one for each row of Table 1 and each preset that trains on real data."""

from pathlib import Path

import pytest

from equiradio.cli.train import gather
from equiradio.models.names import TABLE1
from equiradio.settings import Settings, change

CONFIGS = Path(__file__).parents[2] / "configs"
PRESETS = ("fast", "paper")
CONSTANT = ("lenet", "attention", "c4-attention")  # with these models
ROWS = [(preset, model) for preset in PRESETS for model in TABLE1]


def settings_of(*, config: Path | None = None, model: str | None = None, preset: str | None = None) -> Settings:
    """What ``equiradio train`` trains with."""
    return gather(model, None, preset, config, [], None, None, None, "")


def check_config(path: Path, model: str, preset: str) -> None:
    assert settings_of(config=path) == settings_of(model=model, preset=preset)


@pytest.mark.parametrize(("preset", "model"), ROWS)
def test_a_config_says_the_same_as_the_options(preset, model):
    check_config(CONFIGS / preset / f"{model}.toml", model, preset)


def test_there_is_one_config_per_row_and_preset():
    present = {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.toml")}
    assert present == {f"{preset}/{model}.toml" for preset, model in ROWS} | {f"constant/{model}.toml" for model in CONSTANT}


@pytest.mark.parametrize("model", CONSTANT)
def test_constant_learning_rates_change_nothing_else(model):
    """But for the length: what images seen until convergence are counted with."""
    found = settings_of(config=CONFIGS / "constant" / f"{model}.toml")
    usual = settings_of(model=model, preset="fast")
    assert found.training.schedule == "constant"
    restored = {"schedule": usual.training.schedule, "learning_rate": usual.training.learning_rate, "epochs": usual.training.epochs}
    assert change(found, restored) == usual


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('name = "c4-attention"', 'name = "c8-attention"'),  # another row
        ("preset = ", "epochs = 7\npreset = "),  # a surplus setting
        ("preset = ", "seed = 3\npreset = "),
    ],
)
def test_the_law_catches_a_config_that_says_something_else(tmp_path, preset, found, instead):
    text = (CONFIGS / preset / "c4-attention.toml").read_text(encoding="utf-8")
    assert found in text
    (tmp_path / "wrong.toml").write_text(text.replace(found, instead), encoding="utf-8")
    with pytest.raises(AssertionError):
        check_config(tmp_path / "wrong.toml", "c4-attention", preset)


def test_the_law_catches_a_config_of_another_preset():
    with pytest.raises(AssertionError):
        check_config(CONFIGS / "paper" / "c4-attention.toml", "c4-attention", "fast")
