"""A network learns from a trained team: whose answers count, on what images, and that an interrupted lesson goes on."""

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
from equiradio.labels import labels_of
from equiradio.settings import DataSettings
from equiradio.training.batches import SourcesModule
from equiradio.training.fit import train
from equiradio.training.task import ClassificationTask
from equiradio.training.teacher import ask_teacher, open_teacher


@pytest.fixture
def pupil(tiny, trained):
    """Settings of a LeNet that learns from a trained one."""
    return lambda **changes: tiny("lenet", **{"teacher": str(trained("lenet")), "teacher_share": 0.7, "skies": 3, **changes})


def taught(settings, folder):
    sources = open_data(settings.data.name)
    team = open_teacher(settings.training, sources.classes, "cpu")
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
        open_teacher(settings.training, labels_of(classes, ""), "cpu")
    assert DataSettings().classes == ()
