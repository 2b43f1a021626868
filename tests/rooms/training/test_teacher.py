"""A network learns from a trained team: whose answers count, on what images, and that an interrupted lesson goes on."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from equiradio.compute.preprocess import preprocessing
from equiradio.datasets.registry import open_data
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.evaluation.choosing import probabilities
from equiradio.inference import asking
from equiradio.inference.team import load
from equiradio.labels import FANAROFF_RILEY, labels_of
from equiradio.settings import DataSettings
from equiradio.sky.recipe import MIRABEST
from equiradio.training.batches import SourcesModule
from equiradio.training.fit import train
from equiradio.training.task import ClassificationTask
from equiradio.training.teacher import ask_teacher, open_teacher
from equiradio.verbs.calibrate import calibrate


@pytest.fixture
def pupil(tiny, trained):
    """Settings of a LeNet that learns from a trained one."""
    return lambda **changes: tiny("lenet", **{"teacher": str(trained("lenet")), "teacher_share": 0.7, "skies": 3, **changes})


def taught(settings, folder):
    sources = open_data(settings.data.name)
    team = open_teacher(settings.training, sources.classes, sources.recipe, "cpu")
    return team, sources, ask_teacher(team, settings.training, sources.of_split("train"), folder, lambda what, done, total: None)


def test_targets_are_labels_and_the_teachers_answers_and_skies_have_these_alone(pupil, tmp_path):
    team, sources, lesson = taught(pupil(), tmp_path)
    train_sources = sources.of_split("train")
    said = lambda images: np.mean([probabilities(team_logits(team, images, pose)) for pose in range(4)], axis=0)  # a run has four poses
    expected = 0.3 * np.eye(2)[train_sources.labels] + 0.7 * said(train_sources.images)
    assert lesson.targets.shape == (24 + 3, 2)
    np.testing.assert_allclose(lesson.targets[:24], expected, atol=1e-6)
    np.testing.assert_allclose(lesson.targets[24:], said(lesson.skies), atol=1e-6)
    assert lesson.skies.dtype == np.uint8
    simulated = {image.tobytes() for image in open_data(str(sources.folder)).images}
    assert not simulated & {image.tobytes() for image in lesson.skies}


def team_logits(team, images, pose):
    from equiradio.inference.posed import in_pose

    return in_pose(team.members[0], images, pose).logits


def test_a_batch_holds_skies_and_the_loss_is_the_cross_entropy_against_them(pupil, tmp_path):
    settings = pupil()
    _, sources, lesson = taught(settings, tmp_path)
    module = SourcesModule(sources, settings.training, preprocessing(settings.data, None))
    module.lesson = lesson
    assert module.images_per_epoch == 27
    assert len(module.train_dataloader().dataset) == 27
    images, targets = module._on_device("train", torch.device("cpu"))
    assert images[24:].numpy().tobytes() == lesson.skies.tobytes()
    assert targets.dtype == torch.float32
    assert module._on_device("validation", torch.device("cpu"))[1].dtype == torch.int64

    class Fixed(torch.nn.Module):
        def forward(self, images):
            from equiradio.models.network import Output

            return Output(torch.tensor([[1.0, -1.0], [0.5, 2.0]]), [], [], [], [])

    loss, _ = ClassificationTask(Fixed(), settings)._loss((images[:2], targets[:2]))
    logs = F.log_softmax(torch.tensor([[1.0, -1.0], [0.5, 2.0]]), 1)
    assert loss.item() == pytest.approx(-(targets[:2] * logs).sum(1).mean().item())


def test_a_run_names_its_teacher_and_goes_on_with_no_other(pupil, trained, untrained, tmp_path):
    run = train(pupil(epochs=1), tmp_path / "run", device="cpu")
    card = run.card()
    assert card.teacher == load(trained("lenet"), "cpu").name
    assert card.images_seen == 27
    assert card.sources == {"train": 24, "validation": 6}
    settings = run.settings_file.read_text()
    other = pupil(teacher=str(untrained("lenet", 5)), epochs=1)
    run.settings_file.write_text(settings.replace(str(trained("lenet")), other.training.teacher))
    with pytest.raises(RunRefusal, match=r"learned so far from .*, but training\.teacher is"):
        train(other, run.folder, resume=True, device="cpu")


def test_an_interrupted_lesson_goes_on(pupil, tmp_path, monkeypatch):
    asked, original = [], asking.in_pose

    def until_the_third(member, images, pose, **options):
        asked.append(pose)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return original(member, images, pose, **options)

    monkeypatch.setattr(asking, "in_pose", until_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(pupil(epochs=1), tmp_path / "run", device="cpu")
    run = train(pupil(epochs=1), tmp_path / "run", resume=True, device="cpu")
    assert asked == [0, 1, 2, 2, 3, 0, 1, 2, 3], "poses 0 and 1 of the training sources are not asked again"
    whole = train(pupil(epochs=1), tmp_path / "whole", device="cpu")
    assert run.card().weights_hash == whole.card().weights_hash


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": ""}, "3, and no training.teacher"),
        ({"classes": ("FRII", "FRI")}, r"tells FRI, FRII apart"),
    ],
)
def test_what_cannot_be_taught_is_refused(pupil, tmp_path, changes, words):
    with pytest.raises(SettingRefusal, match=words):
        train(pupil(**changes), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "settings.toml").exists()


def test_skies_are_of_two_classes_only(pupil, untrained):
    classes = ("FRI", "FRII", "bent")
    settings = pupil(teacher=str(untrained("lenet", classes=classes)))
    with pytest.raises(SettingRefusal, match="skies are FRI and FRII"):
        open_teacher(settings.training, labels_of(classes, ""), MIRABEST, "cpu")
    assert DataSettings().classes == ()


@pytest.fixture
def small(sky, tmp_path):
    """The data folder as if its images were made by another recipe, of half the side."""
    folder = Path(shutil.copytree(sky, tmp_path / "small"))
    images = np.load(folder / "images.npy")[:, 1:149:2, 1:149:2]
    np.save(folder / "images.npy", images)
    about = json.loads((folder / "dataset.json").read_text())
    recipe = replace(MIRABEST, side=74, scale_arcsec=3.6)
    changed = {"recipe": recipe.as_card(), "md5": hashlib.md5(images.tobytes()).hexdigest(), "masks_md5": ""}
    (folder / "dataset.json").write_text(json.dumps(about | changed))
    return folder


@pytest.mark.parametrize("sky_shown", ["first", "wide"])
def test_images_by_another_recipe_than_the_teachers_are_refused_before_any_work(pupil, small, untrained, tmp_path, sky_shown):
    words = r"training\.teacher: the data's images are made by another recipe than those of .*: scale_arcsec 3\.6 and 1\.8, side 74 and 150"
    settings = pupil(**{"data.name": str(small), "sky": sky_shown, "teacher": str(untrained("lenet"))})
    with pytest.raises(SettingRefusal, match=words if sky_shown == "first" else r"training\.sky: wide for"):
        train(settings, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "settings.toml").exists()
    assert not (tmp_path / "run" / "teacher").exists()


def test_skies_are_made_as_mirabests_images_alone(pupil, trained, monkeypatch):
    recipe = replace(MIRABEST, stretch="asinh")
    team = load(trained("lenet"), "cpu")
    monkeypatch.setattr(type(team), "recipe", recipe)
    words = r"training\.skies: 3 beside images by another recipe than MiraBest's: stretch asinh and mirabest; expected 0"
    with pytest.raises(SettingRefusal, match=words):
        open_teacher(pupil().training, FANAROFF_RILEY, recipe, "cpu")
    assert open_teacher(pupil(skies=0).training, FANAROFF_RILEY, recipe, "cpu") is not None


def test_a_teacher_that_was_never_calibrated_is_noted(pupil, trained, tmp_path):
    calibrate([trained("lenet")], tmp_path / "team", most_poses=1)
    assert train(pupil(epochs=1, teacher=str(tmp_path / "team")), tmp_path / "taught", device="cpu").card().notes == []
    (note,) = train(pupil(epochs=1), tmp_path / "run", device="cpu").card().notes
    name = load(trained("lenet"), "cpu").name
    assert note == f"training.teacher: {name} is not calibrated: what is learned are its probabilities at temperature 1, in 4 poses"
