"""Data that are not where a run was trained on them, and data that the user names, are refused in the user's own words."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from equiradio.artefacts.run import Run
from equiradio.datasets.registry import open_data
from equiradio.errors import DataRefusal, RunRefusal, SettingRefusal
from equiradio.sky.conditions import Condition
from equiradio.sky.recipe import recipe_of
from equiradio.verbs.calibrate import calibrate
from equiradio.verbs.evaluate import evaluate
from equiradio.verbs.explain import explain
from equiradio.verbs.transfer import transfer


@pytest.fixture
def moved(untrained, tmp_path, monkeypatch):
    """A run whose data were in ./sky."""
    run = shutil.copytree(untrained("attention", kernel_size=3), tmp_path / "run")
    settings = run / "settings.toml"
    settings.write_text(settings.read_text().replace('name = "mirabest"', 'name = "gone/sky"'))
    assert "gone/sky" in settings.read_text()
    monkeypatch.chdir(tmp_path)
    return run


@pytest.mark.parametrize(
    "verb", [evaluate, lambda run: calibrate([run], run.with_name("team")), lambda run: explain(run, run.with_name("out"), members=[])]
)
def test_moved_data_name_the_run_and_where_they_were_looked_for(moved, verb, tmp_path):
    with pytest.raises(RunRefusal) as refusal:
        verb(moved)
    assert str(refusal.value) == (
        f"{moved}: was trained on 'gone/sky', which is no data set and no folder here (looked for {tmp_path / 'gone' / 'sky'}); "
        "expected the data that it was trained on. Name the folder by --data, wherever it is now."
    )


@pytest.mark.parametrize(
    "verb",
    [lambda team: transfer(team, [Condition()]), lambda team: explain(team, team.with_name("out"), members=[])],
    ids=["through", "explain"],
)
@pytest.mark.parametrize(
    ("names", "looked_for"), [({"data": "gone"}, "gone"), ({"data": "simulated", "data_named": "./simulated"}, "./simulated")]
)
def test_a_team_is_asked_about_the_data_that_its_members_learned_from(untrained, tmp_path, verb, names, looked_for):
    run, team = Run(untrained("attention", kernel_size=3)), tmp_path / "team"
    team.mkdir()
    shutil.copy(run.weights_file, team / "seed0.safetensors")
    member = json.loads(run.card_file.read_text()) | names
    save_file({"centre": np.zeros((1, 2), np.float32), "precision": np.eye(2, dtype=np.float32)[None]}, team / "distance.safetensors")
    chosen = {"temperature": 1.0, "threshold": 0.5, "out_of_distribution": {"file": "distance.safetensors", "reach": 1.0}}
    card = {"model": "attention", "members": [member], "settings": {"model.kernel_size": 3}, "poses": 1} | chosen
    (team / "card.json").write_text(json.dumps(card))
    with pytest.raises(RunRefusal, match=f"team: was trained on '{looked_for}', which is no data set and no folder here"):
        verb(team)


@pytest.fixture
def few(sky, tmp_path, monkeypatch):
    """A folder of simulated sources without a test split, named by the user as few."""
    shutil.copytree(sky, tmp_path / "few")
    table = tmp_path / "few" / "catalogue.csv"
    table.write_text(table.read_text().replace(",test,", ",train,"))
    monkeypatch.chdir(tmp_path)
    return "few"


def test_a_folder_is_called_as_it_was_named(few, untrained):
    run = untrained("attention", kernel_size=3)
    with pytest.raises(DataRefusal, match=r"^few: no source is of split 'test'; expected train \(30\), validation \(6\)\."):
        evaluate(run, data=few)
    with pytest.raises(SettingRefusal, match=r"^data\.classes: 'Ring' is no class of few; expected FRI, FRII\."):
        open_data(few, classes=("Ring",))
    three = untrained("attention", classes=("A", "B", "C"), kernel_size=3)
    with pytest.raises(RunRefusal, match="few has the classes FRI, FRII, but it was trained on A, B, C; expected the same classes"):
        evaluate(three, data=few)


def split_anew(folder):
    """Swap two training sources with two test sources in a data set's table: the images, and so their checksum, stay."""
    table = folder / "catalogue.csv"
    lines = table.read_text().splitlines()
    for before, after in ((",train,", ",test,"), (",test,", ",train,")):
        rows = [place for place, line in enumerate(lines) if before in line and not line.endswith("#")][:2]
        for place in rows:
            lines[place] = lines[place].replace(before, after) + "#"
    table.write_text("".join(line.removesuffix("#") + "\n" for line in lines))
    return folder


@pytest.fixture
def own(sky, trained, tmp_path, monkeypatch):
    """A run of a data set of one's own, ./mine."""
    shutil.copytree(sky, tmp_path / "mine")
    run = shutil.copytree(trained("lenet"), tmp_path / "run")
    settings = run / "settings.toml"
    settings.write_text(settings.read_text().replace(f'name = "{sky}"', 'name = "mine"'))
    assert '"mine"' in settings.read_text()
    monkeypatch.chdir(tmp_path)
    return run


@pytest.mark.parametrize("verb", [evaluate, lambda run: calibrate([run], run.with_name("team"))])
def test_test_sources_that_were_trained_on_before_a_new_split_are_not_scored(own, verb):
    split_anew(own.with_name("mine"))
    with pytest.raises(RunRefusal) as refusal:
        verb(own)
    assert str(refusal.value) == (
        f"{own}: mine has other training sources, labels or images now than it was trained on; expected the same data. "
        "Put them back, or say --data mine if that is meant."
    )


def test_labels_of_training_sources_that_changed_are_noticed(own):
    table = own.with_name("mine") / "catalogue.csv"
    lines = table.read_text().splitlines()
    row = next(place for place, line in enumerate(lines) if ",0,train," in line)
    lines[row] = lines[row].replace(",0,train,", ",1,train,")
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunRefusal, match="other training sources, labels or images now"):
        evaluate(own, passes=0)


def test_test_sources_by_which_the_epoch_was_chosen_are_warned_of(own, caplog):
    table = own.with_name("mine") / "catalogue.csv"
    evaluate(own, passes=0)
    assert "validation sources" not in caplog.text
    swapped = table.read_text().replace(",test,", ",?,").replace(",validation,", ",test,").replace(",?,", ",validation,")
    table.write_text(swapped)
    evaluate(own, passes=0)
    assert (
        f"{own}: mine has other validation sources or labels now than the run's best epoch was chosen by; "
        "those that it is scored on may be among them"
    ) in caplog.text


def test_after_a_start_or_a_teacher_other_validation_sources_are_warned_of_as_well(own, caplog):
    """Such a run names data in its card from which nothing had to be left out."""
    card, table = json.loads((own / "card.json").read_text()), own.with_name("mine") / "catalogue.csv"
    (own / "card.json").write_text(json.dumps(card | {"start_data": {"mine": card["data_md5"]}}))
    evaluate(own, passes=0)
    assert "other validation sources" not in caplog.text
    table.write_text(table.read_text().replace(",test,", ",?,").replace(",validation,", ",test,").replace(",?,", ",validation,"))
    evaluate(own, passes=0)
    assert "mine has other validation sources or labels now than the run's best epoch was chosen by" in caplog.text


def test_a_new_split_that_is_meant_is_scored_with_a_warning(own, caplog):
    split_anew(own.with_name("mine"))
    evaluate(own, data="mine", passes=0)
    assert "mine has other training sources, labels or images now" in caplog.text
    assert "it may have learned from some that are held back now" in caplog.text


def test_sources_that_a_run_learned_from_are_left_out_of_the_test_of_other_data(own, caplog):
    other = split_anew(shutil.copytree(own.with_name("mine"), own.with_name("other")))
    scored = evaluate(own, data=str(other), passes=0)
    assert scored["sources"] == 4
    assert "2 test sources left out" in caplog.text
    assert "which the network learned from" in caplog.text


def test_the_same_data_in_another_folder_are_all_scored(own, caplog):
    scored = evaluate(own, data=str(own.with_name("mine").rename(own.with_name("moved"))), passes=0)
    assert (scored["sources"], caplog.text) == (6, "")


def test_images_that_are_made_otherwise_than_those_learned_from_are_warned_of(own, caplog):
    other = shutil.copytree(own.with_name("mine"), own.with_name("finer"))
    about = json.loads((other / "dataset.json").read_text())
    about["recipe"] = recipe_of({"scale_arcsec": 1.5, "beam_arcsec": 6.0}).as_card()
    (other / "dataset.json").write_text(json.dumps(about))
    evaluate(own, data="finer", passes=0)
    words = "beam_arcsec 6 in place of 5.4; scale_arcsec 1.5 in place of 1.8"
    assert f"finer: images made otherwise than those that {own} learned from ({words})" in caplog.text


def test_what_is_written_of_it_has_the_data_set_s_name(few):
    assert open_data(few).name == "simulated"
