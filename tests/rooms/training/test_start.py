"""Fine-tuning: whose weights a training begins with, which of them learn and how fast, and that an interrupted one goes on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from typer.testing import CliRunner

import equiradio
from equiradio.artefacts.job import training_hash
from equiradio.artefacts.run import Run
from equiradio.cli.main import app
from equiradio.cli.train import gather
from equiradio.datasets.folder import write_folder
from equiradio.errors import DataRefusal, RunRefusal, SettingRefusal
from equiradio.inference.team import load
from equiradio.settings import change, from_toml
from equiradio.sky.recipe import MIRABEST
from equiradio.training.fit import train
from equiradio.training.start import begin_with, fitted, other_recipe, start_of
from equiradio.training.task import ClassificationTask
from equiradio.verbs.evaluate import evaluate


def weights(folder):
    return load(folder, "cpu").members[0].network.state_dict()


@pytest.fixture
def further(tiny, trained):
    """Settings of a training that begins with a trained network of the same name."""

    def settings(model="attention", **changes):
        return tiny(model, **{"start_from": str(trained(model)), "epochs": 1, "dropout": 0.25, **changes})

    return settings


@pytest.mark.parametrize("model", ["lenet", "attention"])
def test_a_training_begins_with_the_weights_of_another(further, trained, tmp_path, model):
    """Nothing learned and nothing lost: with a learning rate of 0 every weight stays, the heads' too where the classes are the same."""
    run = train(further(model, learning_rate=0.0, schedule="constant"), tmp_path / "run", device="cpu")
    before, after = weights(trained(model)), weights(run.folder)
    learned = [name for name in before if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.equal(before[name], after[name]) for name in learned)
    assert run.card().started_from == load(trained(model), "cpu").members[0].name
    assert Run(trained(model)).card().started_from == ""


@pytest.mark.parametrize("model", ["lenet", "attention"])
def test_for_other_classes_the_last_layers_are_drawn_anew(untrained, model):
    start = load(untrained(model, classes=("a", "b", "c")), "cpu").members[0]
    network = load(untrained(model, seed=1), "cpu").members[0].network
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    taken = begin_with(network, start, load(untrained(model), "cpu").labels)
    assert not taken
    for name, value in network.state_dict().items():
        origin = fresh if name.startswith(network.last) else start.network.state_dict()
        assert torch.equal(value, origin[name]), name


@pytest.mark.parametrize("model", ["lenet", "attention", "c4-attention-anchored"])
def test_a_frozen_body_stays_bit_for_bit_and_the_rest_learns(tiny, untrained, tmp_path, model):
    start = untrained(model)
    frozen = tiny(model, start_from=str(start), freeze="blocks", epochs=1, **vars_of(start))
    run = train(frozen, tmp_path / "run", device="cpu")
    before, after = weights(start), weights(run.folder)
    body = load(start, "cpu").members[0].network.body
    of_body = [name for name in before if name.startswith(tuple(f"{part}." for part in body))]
    assert all(torch.equal(before[name], after[name]) for name in of_body)
    assert not any(torch.equal(before[name], after[name]) for name in before.keys() - of_body if name.endswith("weight"))


def vars_of(folder):
    """Settings of a run's model, as `change` takes them."""
    settings = from_toml(folder / "settings.toml")
    return {f"model.{name}": value for name, value in vars(settings.model).items() if name != "name"}


def test_the_body_learns_more_slowly(further, trained):
    settings = change(further(), {"training.learning_rate": 0.01, "training.body_rate": 0.3})
    network = load(trained("attention"), "cpu").members[0].network
    rest, body = ClassificationTask(network, settings)._groups()
    assert (rest["lr"], body["lr"]) == (0.01, pytest.approx(0.003))
    assert {id(weight) for weight in body["params"]} == {id(weight) for weight in network.blocks.parameters()}
    assert len(rest["params"]) + len(body["params"]) == len(list(network.parameters()))
    alone = ClassificationTask(network, change(settings, {"training.start_from": ""}))._groups()
    assert [len(group["params"]) for group in alone] == [len(list(network.parameters()))]


@pytest.mark.parametrize("freeze", ["none", "blocks"])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(further, tmp_path, freeze):
    settings = further(epochs=2, freeze=freeze)
    whole = train(settings, tmp_path / "whole", device="cpu")
    train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    run = train(settings, tmp_path / "run", device="cpu", resume=True)
    assert run.card().weights_hash == whole.card().weights_hash


def test_it_goes_on_from_no_other_start(further, untrained, tmp_path):
    settings = further(epochs=2)
    run = train(settings, tmp_path / "run", device="cpu", max_minutes=0)
    other = change(settings, {"training.start_from": str(untrained("attention", seed=3))})
    run.settings_file.write_text(run.settings_file.read_text().replace(settings.training.start_from, other.training.start_from))
    with pytest.raises(RunRefusal, match=r"began with attention seed 0 .*, but training\.start_from is attention seed 3"):
        train(other, run.folder, device="cpu", resume=True)


def test_of_a_team_every_seed_begins_with_a_member_of_its_own(tiny, monkeypatch, untrained):
    members = [load(untrained("lenet", seed=seed), "cpu").members[0] for seed in (0, 2, 5)]
    monkeypatch.setattr("equiradio.training.start.load", lambda *_: type("Two", (), {"members": members}))
    begun = [start_of(tiny("lenet", start_from="team", seed=seed)).card.seed for seed in (0, 1, 2, 3, 5)]
    assert begun == [0, 2, 2, 0, 5]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"freeze": "blocks", "start_from": ""}, "training.freeze: blocks, and no training.start_from"),
        ({"kernel_size": 3}, "model.kernel_size: 3, but attention seed 0 .* has 5"),
        ({"model.name": "c4-attention"}, "model.name: c4-attention, but attention seed 0 .* has attention"),
        ({"pixel_std": 0.5}, "data.pixel_std: 0.5, but attention seed 0 .* has 0.035"),
    ],
)
def test_what_does_not_go_with_the_start_is_refused_before_anything_is_written(further, tmp_path, changes, words):
    with pytest.raises(SettingRefusal, match=words):
        train(further(**changes), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "settings.toml").exists()


def test_the_model_is_that_of_the_start_and_its_images_are_prepared_alike(tiny, untrained):
    start = load(untrained("c8-attention", kernel_size=3), "cpu").members[0]
    settings = fitted(tiny("c4-attention", dropout=0.1, pixel_std=0.7), start)
    assert (settings.model.name, settings.model.kernel_size, settings.model.dropout) == ("c8-attention", 3, 0.1)
    assert settings.data.name == tiny("lenet").data.name
    assert settings.data.pixel_std == 0.7, "what was asked for is left to be refused"


def test_the_command_takes_the_model_of_the_start(sky, trained, tmp_path):
    out = tmp_path / "run"
    small = ["--set", "batch_size=8", "--preset", "quick", "--epochs", "1", "--precision", "float32", "--device", "cpu"]
    asked = ["train", "--from", str(trained("lenet")), "--freeze", "blocks", "--data", str(sky), "--out", str(out), *small]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    run = Run(out)
    assert (run.card().model, run.settings().training.freeze) == ("lenet", "blocks")
    assert run.settings().model.dropout == 0
    for other in (["--model", "attention"], ["--set", "kernel_size=3"]):
        with pytest.raises(SettingRefusal, match="but lenet seed 0"):
            CliRunner().invoke(app, [*asked, *other, "--out", str(tmp_path / "other")], catch_exceptions=False)


def test_fine_tune_gives_a_team_of_the_new_network(sky, trained, tmp_path):
    options = {"epochs": 1, "batch_size": 8, "precision": "float32"}
    team = equiradio.fine_tune(trained("lenet"), sky, tmp_path / "run", seed=4, device="cpu", **options)
    assert team.members[0].card.started_from == load(trained("lenet"), "cpu").members[0].name
    assert team.members[0].card.seed == 4
    assert len(team.classify(equiradio.open_data(str(sky)).images[:2])) == 2


def placed_sky(sky, folder, offset_arcsec, side=150, **recipe):
    """The simulated sources with positions a degree apart, all beside those of offset 0; as large and made as is asked."""
    plain, cut = equiradio.open_data(str(sky)), (150 - side) // 2
    ra = 10 + np.arange(len(plain)) + offset_arcsec / 3600
    images = np.ascontiguousarray(plain.images[:, cut : cut + side, cut : cut + side])
    made = replace(MIRABEST, side=side, **recipe)
    return write_folder(replace(plain, images=images, masks=None, ra_deg=ra, dec_deg=np.zeros(len(plain)), recipe=made), folder)


@pytest.fixture
def leaking(tiny, untrained, sky, tmp_path):
    """Settings of a training whose start has learned from sources beside 4 of the 12 that are held back."""
    old = placed_sky(sky, tmp_path / "old", 0)
    table, held_back = old / "catalogue.csv", 0
    lines = table.read_text().splitlines()
    for number, line in enumerate(lines):
        if ",validation," in line or ",test," in line:
            held_back += 1
            lines[number] = line.replace(",validation,", ",train,").replace(",test,", ",train,") if held_back % 3 == 0 else line
    table.write_text("\n".join(lines) + "\n")
    start = Path(shutil.copytree(untrained("attention", kernel_size=3), tmp_path / "start"))
    start_settings, card = start / "settings.toml", json.loads((start / "card.json").read_text())
    start_settings.write_text(start_settings.read_text().replace('name = "mirabest"', f'name = "{old}"'))
    (start / "card.json").write_text(json.dumps(card | {"data_md5": equiradio.open_data(str(old)).md5}))
    new = placed_sky(sky, tmp_path / "new", 20)
    return tiny("attention", kernel_size=3, dropout=0.0, start_from=str(start), epochs=2, **{"data.name": str(new)})


LEFT_OUT = (
    "simulated: 2 validation and 2 test sources left out, within 45 arcsec of training sources of simulated, which the start learned from"
)


def test_what_the_start_has_learned_from_is_held_back_from_validation_and_test(leaking, tmp_path, caplog):
    train(leaking, tmp_path / "run", device="cpu", max_minutes=0)
    run = train(leaking, tmp_path / "run", device="cpu", resume=True)
    card = run.card()
    assert (card.state, card.sources, card.left_out) == ("finished", {"train": 24, "validation": 4}, [LEFT_OUT])
    assert list(card.start_data) == [str(tmp_path / "old")]
    assert evaluate(run.folder, passes=1)["sources"] == 4
    assert LEFT_OUT in caplog.messages
    assert "other validation sources" not in caplog.text, "its epoch was chosen by those that are left"
    further = train(change(leaking, {"training.start_from": str(run.folder), "epochs": 1}), tmp_path / "further", device="cpu")
    assert list(further.card().start_data) == [str(tmp_path / "old"), str(tmp_path / "new")]
    shutil.rmtree(tmp_path / "old")
    caplog.clear()
    assert evaluate(run.folder, passes=1)["sources"] == 6
    assert "no data set and no folder here); test sources may be among its own" in caplog.text


def team_of(run, folder, **changes):
    """A team of one run, whose settings do not hold the name of its data."""
    folder.mkdir()
    shutil.copy(Run(run).weights_file, folder / "seed0.safetensors")
    member = json.loads((run / "card.json").read_text()) | changes
    save_file({"centre": np.zeros((1, 2)), "precision": np.eye(2)[None]}, folder / "distance.safetensors")
    chosen = {"temperature": 1.0, "threshold": 0.5, "out_of_distribution": {"file": "distance.safetensors", "reach": 1.0}}
    card = {"model": "attention", "members": [member], "settings": {"model.kernel_size": 3}, "poses": 1} | chosen
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_what_a_team_has_learned_from_is_held_back_as_what_a_run_has(leaking, tmp_path):
    team = team_of(tmp_path / "start", tmp_path / "team", data=str(tmp_path / "old"))
    card = train(change(leaking, {"training.start_from": str(team), "epochs": 1}), tmp_path / "run", device="cpu").card()
    assert (card.left_out, list(card.start_data)) == ([LEFT_OUT], [str(tmp_path / "old")])


def test_what_a_teacher_has_learned_from_is_held_back_as_what_a_start_has(leaking, tmp_path):
    taught = change(leaking, {"training.start_from": "", "training.teacher": str(tmp_path / "start"), "epochs": 1})
    card = train(taught, tmp_path / "run", device="cpu").card()
    assert (card.left_out, list(card.start_data)) == ([LEFT_OUT.replace("the start", "the teacher")], [str(tmp_path / "old")])
    both = train(change(taught, {"training.start_from": str(tmp_path / "start")}), tmp_path / "both", device="cpu").card()
    assert (both.left_out, list(both.start_data)) == ([LEFT_OUT], [str(tmp_path / "old")])


def test_a_team_of_a_folder_that_has_the_name_of_a_data_set_is_not_taken_for_one_of_that(leaking, tmp_path):
    team = team_of(tmp_path / "start", tmp_path / "team", data="simulated", data_named="./simulated")
    card = train(change(leaking, {"training.start_from": str(team), "epochs": 1}), tmp_path / "run", device="cpu").card()
    (line,) = card.left_out
    assert line.startswith("simulated: not compared with ./simulated, which the start learned from (./simulated: no data set and no folder")
    assert (list(card.start_data), card.data_named) == (["./simulated"], "./simulated")


def test_a_teacher_that_has_learned_from_all_that_would_validate_is_refused(leaking, tmp_path):
    table = tmp_path / "old" / "catalogue.csv"
    table.write_text(table.read_text().replace(",validation,", ",train,"))
    taught = change(leaking, {"training.start_from": "", "training.teacher": str(tmp_path / "start")})
    with pytest.raises(DataRefusal, match=r"expected some that the teacher has not learned from\. .* choose another teacher"):
        train(taught, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "settings.toml").exists()


def test_a_team_goes_on_with_its_own_data_and_nothing_is_left_out(leaking, tmp_path):
    new = equiradio.open_data(str(tmp_path / "new"))
    team = team_of(tmp_path / "start", tmp_path / "team", data="new", data_md5=new.md5, training_hash=training_hash(new))
    card = train(change(leaking, {"training.start_from": str(team), "epochs": 1}), tmp_path / "run", device="cpu").card()
    assert (card.left_out, card.start_data, card.notes) == ([], {}, [])


def test_data_that_were_split_anew_since_the_start_learned_from_them_are_noted(leaking, tmp_path):
    start, new = tmp_path / "start" / "card.json", equiradio.open_data(str(tmp_path / "new"))
    start.write_text(json.dumps(json.loads(start.read_text()) | {"data_md5": new.md5, "training_hash": "other"}))
    (note,) = train(change(leaking, {"epochs": 1}), tmp_path / "run", device="cpu").card().notes
    assert "learned from other training sources or labels of sky than it has now" in note
    assert note.endswith("some that are held back may be among them")


def test_a_start_that_learned_from_all_validation_sources_is_refused(leaking, tmp_path):
    table = tmp_path / "old" / "catalogue.csv"
    table.write_text(table.read_text().replace(",validation,", ",train,"))
    with pytest.raises(DataRefusal, match=r"no validation source is left .*6 validation and 2 test sources left out"):
        train(leaking, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "settings.toml").exists()


def test_images_of_another_recipe_are_a_note_and_another_side_is_refused_where_the_weights_have_one(tiny, untrained, sky, tmp_path):
    small = placed_sky(sky, tmp_path / "small", 0, side=76, scale_arcsec=3.6)
    further = lambda model, **changes: tiny(model, epochs=1, dropout=0.5, start_from=str(untrained(model)), **{"data.name": str(small)})
    with pytest.raises(SettingRefusal) as refusal:
        train(further("lenet"), tmp_path / "lenet", device="cpu")
    assert "has weights for images of 150 x 150 pixels, and these have 76 x 76; expected 150 x 150. Import them" in str(refusal.value)
    assert not (tmp_path / "lenet" / "settings.toml").exists()
    card = train(further("attention"), tmp_path / "gated", device="cpu").card()
    (note,) = card.notes
    assert note.endswith("(scale_arcsec 3.6 in place of 1.8; side 76 in place of 150); they are normalised as those were")
    stretched = placed_sky(sky, tmp_path / "stretched", 0, stretch="asinh")
    start = load(untrained("lenet"), "cpu").members[0]
    assert "(stretch asinh in place of mirabest)" in other_recipe(equiradio.open_data(str(stretched)), start)[0]
    assert other_recipe(equiradio.open_data(str(sky)), start) == []


def test_it_begins_without_dropout_unless_that_is_set(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("[training]\nepochs = 3\n")
    asked = lambda config=None, assign=(), start="quick", preset=None: (
        gather(None, None, preset, config, list(assign), None, None, None, "", start).model.dropout
    )
    assert asked() == asked(preset="quick") == asked(file) == asked(file, preset="paper") == 0
    assert asked(assign=["dropout=0.5"]) == asked(start=None) == asked(file, start=None) == 0.5
    assert asked(assign=["training.start_from=quick"], start=None) == 0
    file.write_text('[model]\ndropout = 0.3\n[training]\nstart_from = "quick"\n')
    assert asked(file) == asked(file, start=None) == 0.3
