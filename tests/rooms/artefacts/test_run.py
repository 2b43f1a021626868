"""A run's folder: its files are where the contract says, history and card come back, damage is refused."""

import json
import os
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiradio.artefacts.atomic import write_atomically, write_json, write_text
from equiradio.artefacts.card import Card, read_card
from equiradio.artefacts.run import HISTORY, Run
from equiradio.errors import RunRefusal
from equiradio.settings import change, preset

numbers = st.floats(allow_nan=False, allow_infinity=False)


def a_card(**changes):
    card = Card(
        model="c4-attention",
        group="C4",
        order=4,
        weights=429_606,
        preprocessing={"pixel_mean": 0.0031, "pixel_std": 0.035, "mask_radius": None},
        data="simulated",
        data_md5="0" * 32,
        sources={"train": 24, "validation": 6},
        seed=0,
        preset="quick",
        precision="float32",
        device="CPU, 1 threads",
        versions={"equiradio": "0.1.0"},
    )
    return card.with_changes(**changes)


def refused(call, *arguments):
    with pytest.raises(RunRefusal) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_the_files_are_those_of_the_contract(tmp_path):
    run = Run(tmp_path)
    places = {
        run.settings_file: "settings.toml",
        run.card_file: "card.json",
        run.weights_file: "weights.safetensors",
        run.checkpoint: "last.ckpt",
        run.history_file: "history.csv",
        run.maps_file: "maps.npz",
        run.predictions_file("mirabest", "test"): "predictions/mirabest-test.parquet",
        run.metrics_file("mirabest", "test"): "metrics/mirabest-test.json",
        run.figure_file("attention"): "figures/attention.png",
    }
    assert {place.relative_to(tmp_path).as_posix() for place in places} == set(places.values())


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(HISTORY, numbers)), max_size=4))
def test_the_history_comes_back_to_the_last_digit(tmp_path_factory, rows):
    run = Run(tmp_path_factory.mktemp("run"))
    run.write_history(rows)
    assert run.history() == rows
    assert run.history_file.read_text().splitlines()[0] == (
        "epoch,train_loss,validation_loss,validation_accuracy,learning_rate,seconds,images_per_second"
    )


def test_settings_come_back_and_their_absence_is_refused(tmp_path):
    run = Run(tmp_path)
    assert refused(run.settings) == (
        f"{tmp_path}: no settings.toml in it; expected the folder of a training. Give a folder that 'equiradio train' wrote."
    )
    run.write_settings(preset("fast"))
    assert run.settings() == preset("fast")
    assert "history.csv: no such file; expected a history of at least one epoch" in refused(run.history)


@pytest.mark.parametrize(
    ("name", "decided"),
    [("c4-attention-anchored", {"normalisation": "anchored"}), ("d8-attention-clean", {"downsampling": "antialiased"}), ("attention", {})],
)
def test_settings_have_what_the_model_s_name_decides_whatever_is_written(tmp_path, name, decided):
    run, written = Run(tmp_path), change(preset("fast"), {"model.name": name})
    run.write_settings(written)
    assert run.settings() == change(written, decided)


def test_the_card_comes_back_and_says_what_the_contract_says(tmp_path):
    card = a_card(state="failed", reason="loss is nan", best_validation_loss=0.3)
    card.write(tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card
    promised = {"model", "group", "order", "classes", "preprocessing", "data_md5", "seed", "versions", "seconds", "licence", "citation"}
    assert promised <= json.loads((tmp_path / "card.json").read_text()).keys()


def test_a_card_of_a_later_version_opens(tmp_path):
    write_json(tmp_path / "card.json", json.loads(json.dumps(a_card().__dict__)) | {"members": 5})
    assert read_card(tmp_path / "card.json") == a_card()


@pytest.mark.parametrize("content", [b"", b'{"model": "lenet"', b"[]", b'"card"', b"{}", b"\xff\xfe"])
def test_a_broken_card_is_refused(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    line = refused(read_card, tmp_path / "card.json")
    assert line.startswith(f"{tmp_path / 'card.json'}: cannot be read (")
    assert line.endswith("expected a model card in JSON. The run is damaged; train anew into another folder.")


@pytest.mark.parametrize("name", [spec.name for spec in fields(Card)][:13])
def test_a_card_without_a_field_is_refused_by_its_name(tmp_path, name):
    write_json(tmp_path / "card.json", {key: value for key, value in a_card().__dict__.items() if key != name})
    assert f"'{name}'" in refused(read_card, tmp_path / "card.json")


def test_an_absent_card_is_refused(tmp_path):
    assert "card.json: no such file; expected a model card" in refused(read_card, tmp_path / "card.json")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_history_with_numbers_that_are_not_finite_is_refused(tmp_path, value):
    run = Run(tmp_path)
    row = dict.fromkeys(HISTORY, 1.0)
    run.write_history([row, row | {"validation_loss": value}])
    assert "history.csv: cannot be read (validation_loss is not finite); expected columns epoch," in refused(run.history)


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "file.txt", "old")

    def half(part):
        part.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.txt", half)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file.txt", "old")]


def test_the_atomic_law_catches_a_writer_in_place(tmp_path, monkeypatch):
    from equiradio.artefacts import atomic as files

    monkeypatch.setattr(
        files.tempfile, "mkstemp", lambda dir, prefix, suffix: (os.open(dir / "file.txt", os.O_CREAT), str(dir / "file.txt"))
    )
    with pytest.raises((AssertionError, FileNotFoundError)):
        test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path)


def test_numbers_that_are_not_finite_never_reach_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "file.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_what_is_written_can_be_read_by_others(tmp_path):
    def private(part):
        part.unlink()
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))

    write_atomically(tmp_path / "weights", private)
    assert (tmp_path / "weights").stat().st_mode & 0o777 == 0o644
