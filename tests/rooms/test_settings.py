"""Settings: what is written comes back, and what is none of ours is refused in one line with the nearest."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiradio.errors import SettingRefusal
from equiradio.settings import HABITS, PRESETS, Settings, change, from_toml, keys, parse_assignment, preset, to_toml, with_habits

KEYS = keys()
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def values(spec):
    """Every value that a setting may take."""
    choices, low, high = (spec.metadata[name] for name in ("choices", "low", "high"))
    if isinstance(spec.default, tuple):
        return st.lists(st.sampled_from(choices) if choices else words, max_size=3).map(tuple)
    if choices:
        return st.sampled_from(choices)
    if isinstance(spec.default, bool):
        return st.booleans()
    if isinstance(spec.default, int):
        return st.integers(int(low), 10**9 if high is None else int(high))
    return st.floats(low, high, allow_nan=False, allow_infinity=False) if isinstance(spec.default, float) else words


any_settings = st.fixed_dictionaries({key: values(spec) for key, spec in KEYS.items()}).map(lambda changes: change(Settings(), changes))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("settings") / "d16.toml"


def written(file, text):
    file.write_text(text, encoding="utf-8")
    return file


def refused(call, *arguments, **named):
    with pytest.raises(SettingRefusal) as caught:
        call(*arguments, **named)
    line = str(caught.value)
    assert "\n" not in line
    return line


@given(any_settings)
def test_toml_comes_back_the_same(file, settings):
    assert from_toml(written(file, to_toml(settings))) == settings


def test_toml_keeps_names_that_toml_escapes(file):
    for name in ('a "quoted" path', "back\\slash", "tab\tand\x7fdelete", "emoji 🔭", "new\nline"):
        settings = change(Settings(), {"data.name": name})
        assert from_toml(written(file, to_toml(settings))) == settings


def test_toml_holds_every_setting_by_its_section():
    text = to_toml(preset("fast"))
    for key in KEYS:
        assert f"\n{key.split('.')[1]} = " in text.partition(f"[{key.split('.')[0]}]")[2]


def test_an_unknown_key_is_refused_with_the_nearest(file):
    line = refused(from_toml, written(file, "[training]\nlearning_rte = 0.1\n"))
    assert line == (
        "d16.toml: training.learning_rte is not a setting; expected preset, seed, epochs, passes, validation_passes, batch_size, "
        "optimiser, learning_rate, weight_decay, schedule, gradient_clip, averaging, patience, precision, sky, teacher, teacher_share, "
        "skies, start_from, freeze, last_layers, body_rate, layer_form, compat. Did you mean learning_rate?"
    )


def test_an_unknown_section_is_refused_with_the_nearest(file):
    line = refused(from_toml, written(file, "[trainng]\nepochs = 1\n"))
    assert line == "d16.toml: trainng is not a section; expected model, data, training. Did you mean training?"
    assert "seed is not a section" in refused(from_toml, written(file, "seed = 3\n"))


@given(words.filter(lambda word: word not in KEYS and word not in {key.split(".")[1] for key in KEYS}))
def test_no_unknown_key_is_taken(word):
    assert "is not a setting" in refused(change, Settings(), {word.replace("\n", " "): 1}, where="--set")


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_another_type_is_refused(key):
    for wrong in ([], {"a": 1}, None, "text", 1.5, True):
        if type(wrong) is type(KEYS[key].default) or (isinstance(KEYS[key].default, tuple) and wrong == []):
            continue
        line = refused(change, Settings(), {key: wrong})
        assert line.startswith(f"--set: {key} is ")


def test_the_wording_of_a_wrong_value_is_pinned():
    says = lambda key, value: refused(change, Settings(), {key: value})
    assert says("epochs", "ten") == '--set: training.epochs is "ten"; expected a whole number. Correct the value.'
    assert says("epochs", True) == "--set: training.epochs is true; expected a whole number. Correct the value."
    assert says("epochs", 0) == "--set: training.epochs is 0; expected 1 to 1000000. Correct the value."
    assert says("dropout", 1) == "--set: model.dropout is 1.0; expected 0 to 0.95. Correct the value."
    assert says("gates", 4) == "--set: model.gates is 4; expected one of 0, 1, 2, 3. Choose one of these."
    assert says("optimiser", "adm") == '--set: training.optimiser is "adm"; expected one of adam, adamw. Did you mean adam?'
    assert says("name", "lenet") == (
        "--set: name is a setting of several sections; expected model.name or data.name. Name the section too."
    )


@pytest.mark.parametrize("key", [key for key, spec in KEYS.items() if isinstance(spec.default, float)])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused(key, value):
    assert f"{key} is {value}" in refused(change, Settings(), {key: value})


def test_a_whole_number_is_taken_where_a_number_is_wanted():
    taken = change(Settings(), {"learning_rate": 1}).training.learning_rate
    assert taken == 1.0
    assert isinstance(taken, float)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[training\n", "d16.toml: not TOML ("),
        ("[training]\ncompat = [1979-05-27]\n", 'd16.toml: training.compat is "1979-05-27"; expected one'),
    ],
)
def test_what_cannot_be_understood_is_refused(file, content, says):
    assert refused(from_toml, written(file, content)).startswith(says)


def test_bytes_folders_and_absent_files_are_refused(file, tmp_path):
    file.write_bytes(b"\xff\xfe[training]")
    assert refused(from_toml, file).startswith("d16.toml: not TOML (")
    assert refused(from_toml, tmp_path / "none.toml") == f"{tmp_path / 'none.toml'}: no such file; expected a TOML file. Check the path."
    assert refused(from_toml, tmp_path).startswith(f"{tmp_path}: cannot be read (")


def test_a_file_stands_on_its_preset_or_on_the_one_given(file):
    assert from_toml(written(file, '[training]\npreset = "quick"\nseed = 4\n')) == change(preset("quick"), {"seed": 4})
    assert from_toml(written(file, "[training]\nseed = 4\n"), preset("fast")) == change(preset("fast"), {"seed": 4})
    assert "'fats' is not a preset" in refused(from_toml, written(file, '[training]\npreset = "fats"\n'))


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("training.epochs=20", ("training.epochs", 20)),
        ("learning_rate = 1e-3", ("learning_rate", 1e-3)),
        ("head_relu=false", ("head_relu", False)),
        ("model.name=c4-attention", ("model.name", "c4-attention")),
        ('compat=["floor-150"]', ("compat", ["floor-150"])),
        ("data.name=a=b", ("data.name", "a=b")),
    ],
)
def test_assignments_are_read_as_toml_or_else_as_text(text, pair):
    assert parse_assignment(text) == pair


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1" * 5000, "[" * 3000])
def test_numbers_and_lists_that_nobody_can_mean_are_refused(value):
    with pytest.raises(SettingRefusal, match=r"training\.learning_rate is "):
        change(preset("fast"), dict([parse_assignment(f"training.learning_rate={value}")]))


def test_an_assignment_without_equals_is_refused():
    assert refused(parse_assignment, "epochs") == "--set: 'epochs' has no '='; expected key=value. For example --set training.epochs=20."


def test_the_paper_preset_says_what_the_audit_says():
    training, model, data = preset("paper").training, preset("paper").model, preset("paper").data
    assert (training.optimiser, training.learning_rate, training.weight_decay, training.batch_size) == ("adam", 1e-5, 1e-6, 16)
    assert (training.passes, training.validation_passes, training.schedule, training.precision) == (8, 8, "constant", "float32")
    assert (model.gates, model.normalisation, model.aggregation, model.kernel_size) == (3, "range", "fine-tuned", 5)
    assert (model.dropout, model.pooling, model.head_relu, model.side) == (0.5, "sum", True, 152)
    assert model.downsampling == "max"
    assert (data.mask, data.pixel_mean, data.pixel_std) == ("published", 0.0031, 0.0350)
    assert training.compat == ()


def test_the_fast_presets_are_ours():
    fast, quick = preset("fast"), preset("quick")
    assert (fast.model.pooling, fast.model.head_relu, fast.training.schedule, fast.training.validation_passes) == (
        "mean",
        False,
        "one-cycle",
        2,
    )
    assert fast.training.learning_rate >= 100 * preset("paper").training.learning_rate
    assert quick.model == fast.model
    assert quick.training.epochs * quick.training.passes < fast.training.epochs * fast.training.passes
    assert {name: kept.training.preset for name, kept in PRESETS.items()} == {name: name for name in PRESETS}


def test_a_preset_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("fast").training.epochs = 1


HABIT_EFFECTS = {
    "batch-range": {"model.normalisation": "batch-range"},
    "floor-150": {"model.side": 150},
    "sixteen-passes": {"training.passes": 16, "training.validation_passes": 16},
    "raw-figure2": {},
}


@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_changes_what_it_says_and_is_recorded(habit):
    expected = change(preset("paper"), HABIT_EFFECTS[habit] | {"training.compat": (habit,)})
    assert with_habits(preset("paper"), [habit]) == expected


def test_no_habit_is_a_default_and_an_unknown_one_is_refused():
    for settings in PRESETS.values():
        assert settings.training.compat == ()
        assert settings.model.normalisation != "batch-range"
        assert settings.model.side == 152
    assert "Did you mean floor-150?" in refused(with_habits, Settings(), ["floor150"])


def test_classes_are_a_list_of_text(file):
    settings = from_toml(written(file, '[data]\nclasses = ["Ring", "Two dots"]\n'))
    assert settings.data.classes == ("Ring", "Two dots")
    assert Settings().data.classes == ()
    assert refused(from_toml, written(file, '[data]\nclasses = ["Ring", 3]\n')) == (
        "d16.toml: data.classes holds 3; expected a list of text. Correct the value."
    )
    assert 'data.classes is "Ring"; expected a list of text' in refused(change, Settings(), {"data.classes": "Ring"})
