"""Soft labels are read, stored, learned from and scored as they are: how probable each class is, and not the largest alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from own_images import KINDS, file_table

from equiradio.cli.main import main
from equiradio.compute.preprocess import Preprocessing
from equiradio.datasets.folder import read_folder, write_folder
from equiradio.datasets.imports.building import read_source
from equiradio.datasets.imports.choices import Choices
from equiradio.datasets.registry import open_data
from equiradio.errors import DataRefusal
from equiradio.evaluation.calibration import cross_entropy
from equiradio.settings import TrainingSettings
from equiradio.training.batches import SourcesModule
from equiradio.training.fit import train
from equiradio.training.task import ClassificationTask

COUNT = 24
FIRST = [round(0.9 - 0.03 * (n % 10), 3) if n % 2 == 0 else round(0.1 + 0.02 * (n % 10), 3) for n in range(COUNT)]
SOFT = {"p_Bar": FIRST, "p_Dot": [round(1 - p, 3) for p in FIRST]}


@pytest.fixture
def table(tmp_path):
    return file_table(tmp_path, label=None, **SOFT)


class Stage:
    """The little that the module asks of a Trainer."""

    world_size, global_rank, current_epoch = 1, 0, 0

    def __init__(self, training):
        self.training = training


def test_a_column_for_each_class_is_read_stored_and_read_again(table, tmp_path):
    sources, _ = read_source(table)
    assert sources.classes.names == KINDS
    rows = [int(name[1:]) for name in sources.source_ids]
    np.testing.assert_allclose(sources.soft[:, 0], np.array(FIRST)[rows])
    assert sources.labels.tolist() == sources.soft.argmax(1).tolist()
    again = read_folder(write_folder(sources, tmp_path / "again"))
    np.testing.assert_array_equal(again.soft, sources.soft)
    turned, _ = read_source(table, Choices(classes=("Dot", "Bar")))
    np.testing.assert_array_equal(turned.soft, turned.shares)
    np.testing.assert_array_equal(turned.soft[:, ::-1], sources.soft)
    np.testing.assert_allclose(sources.only(["Dot", "Bar"]).soft, sources.soft[:, ::-1])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"p_Bar": [0.5, *FIRST[1:]]}, "soft labels that add up to [0.6] in row 1 (1 of 24 rows); expected a sum of 1."),
        ({"p_Bar": [1.5, *FIRST[1:]]}, "soft labels outside 0 to 1 in row 1 (1 of 24 rows); expected probabilities."),
        ({"p_Bar": ["", *FIRST[1:]]}, "soft labels outside 0 to 1 in row 1"),
        ({"p_Bar": ["likely", *FIRST[1:]]}, "p_Bar is 'likely' in row 1: no number; expected probabilities."),
        ({"p_Dot": None}, "no column of classes among file, ra, dec, p_Bar"),
    ],
)
def test_what_are_no_probabilities_is_refused(tmp_path, capsys, changes, line):
    path = file_table(tmp_path, label=None, **(SOFT | changes))
    assert main(["data", "import", str(path), "--out", str(tmp_path / "out")]) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_label_that_is_not_the_largest_is_refused(table, tmp_path):
    folder = write_folder(read_source(table)[0], tmp_path / "again")
    text = (folder / "catalogue.csv").read_text()
    (folder / "catalogue.csv").write_text(text.replace("s00,0,", "s00,1,"))
    with pytest.raises(DataRefusal, match=r"the label is not the most probable class in row 1 \(1 rows\)"):
        read_folder(folder)


def three(tmp_path, third):
    """Soft labels of three classes; ``third`` are the shares of Ring, which the others give."""
    shares = {"p_Bar": FIRST, "p_Dot": [1 - p for p in FIRST], "p_Ring": third}
    rest = [1 - share for share in third]
    shares |= {name: [round(p * r, 6) for p, r in zip(shares[name], rest, strict=True)] for name in ("p_Bar", "p_Dot")}
    return file_table(tmp_path, label=None, **shares)


def test_a_class_that_is_never_the_likeliest_does_not_vanish(tmp_path):
    table = three(tmp_path, [0.25] * 12 + [0.0] * 12)
    line = r"too few sources of Ring 0 \(of 3 classes, each source by its likeliest\); expected 3 or more of each class"
    for classes in ((), ("Bar", "Dot", "Ring")):
        with pytest.raises(DataRefusal, match=line):
            read_source(table, Choices(classes=classes))


def test_a_class_that_is_left_out_takes_its_shares_with_it_in_the_report(tmp_path):
    sources, report = read_source(three(tmp_path, [0.25] * 12 + [0.8] + [0.0] * 11), Choices(classes=("Dot", "Bar")))
    rows = [int(name[1:]) for name in sources.source_ids]
    assert 12 not in rows
    np.testing.assert_allclose(sources.soft[:, 1], np.array(FIRST)[rows], atol=1e-5)
    assert report.lost == {"of a class that is not wanted": ["s12"]}
    line = "12 of 23 sources lose shares of Ring, which --classes leaves out, 0.25 on average and up to 0.25: "
    assert line + "the others are made to add up to 1" in report.notes


def test_every_soft_class_is_one_where_each_is_the_likeliest_of_some(tmp_path):
    sources, _ = read_source(three(tmp_path, [0.8] * 6 + [0.1] * 18))
    assert (sources.classes.names, sources.soft.shape) == (("Bar", "Dot", "Ring"), (24, 3))
    assert np.bincount(sources.labels)[2] == 6


@pytest.mark.parametrize("split", ["train", "validation"])
def test_batches_hold_them_and_padding_has_none(table, split):
    sources, _ = read_source(table)
    module = SourcesModule(sources, TrainingSettings(passes=1, validation_passes=1), Preprocessing(0.0, 1.0, None))
    module.trainer = Stage(split == "train")
    part = module.splits[split]
    views = torch.tensor([1, 0, len(part)]) if split == "validation" else torch.tensor([1, 0])
    answers = module.on_after_batch_transfer(views, 0)[1]
    np.testing.assert_allclose(answers[:2].numpy(), part.soft[[1, 0]], rtol=1e-6)
    assert split == "train" or answers[2].tolist() == [0, 0]


class Fixed(torch.nn.Module):
    """Answers with the first pixels of an image."""

    def forward(self, images):
        from equiradio.models.network import Output

        return Output(images[:, 0, 0, :2], [], [], [], [])


def law_of_validation(tiny):
    task = ClassificationTask(Fixed(), tiny())
    logits, soft = torch.tensor([[2.0, -1.0], [0.5, 0.0], [9.0, 9.0]]), torch.tensor([[0.7, 0.3], [0.2, 0.8], [0.0, 0.0]])
    images = torch.zeros(3, 1, 2, 2)
    images[:, 0, 0] = logits
    task.validation_step((images, soft), 0)
    total, count = task._sums["validation"]
    expected = -(soft[:2] * F.log_softmax(logits[:2], 1)).sum()
    assert float(total) == pytest.approx(float(expected))
    assert float(count) == 2
    assert task._sums["correct"].tolist() == [1, 2]


def test_validation_is_scored_against_them(tiny):
    law_of_validation(tiny)


def test_the_law_catches_a_score_of_the_largest_alone(tiny, monkeypatch):
    whole = F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", lambda logits, labels, **named: whole(logits[:2], labels[:2].argmax(1), **named))
    with pytest.raises(AssertionError):
        law_of_validation(tiny)


def test_a_network_learns_and_is_scored_by_them(table, tiny, tmp_path, capsys):
    """The lowest training loss that soft labels allow is their entropy, far above 0; the score says both."""
    run = train(tiny("lenet", epochs=1, **{"data.name": str(table)}), tmp_path / "run", device="cpu")
    assert main(["evaluate", str(run.folder), "--split", "validation", "--passes", "1"]) == 0
    assert "against soft labels: cross-entropy" in capsys.readouterr().out
    scores = json.loads((run.folder / "metrics" / "table-validation.json").read_text())["soft"]
    soft = open_data(str(table)).of_split("validation").soft
    assert scores["entropy"] == pytest.approx(cross_entropy(soft, soft))
    assert scores["cross_entropy"] >= scores["entropy"] > 0.3


def test_without_soft_labels_a_label_is_certain(table):
    sources = replace(read_source(table)[0], soft=None)
    np.testing.assert_array_equal(sources.shares, np.eye(2)[sources.labels])
    sources.labels[0] = -1
    assert sources.shares[0].tolist() == [0, 0]
