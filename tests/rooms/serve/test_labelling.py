"""Labels that a person gives: on disk after each of them, taken back one by one, read by data import, least sure and most unlike first."""

import csv

import numpy as np
import pytest

from equiradio.artefacts.claim import Claimed, claimed
from equiradio.cli.main import main
from equiradio.datasets.imports.building import read_source
from equiradio.datasets.simulated import simulate
from equiradio.errors import DataRefusal, RunRefusal, SettingRefusal
from equiradio.serve import asking_order
from equiradio.serve.asking_order import AskingOrder, doubt, ordered
from equiradio.serve.labelling import Labelling
from equiradio.serve.networks import Networks, offered
from equiradio.serve.offers import gather, with_desk
from equiradio.serve.refusals import NotOffered, RequestRefusal
from equiradio.serve.sets import ImageFolder

COUNT = 12


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled") / "new"
    folder.mkdir()
    for number, image in enumerate(simulate(COUNT, 3).images):
        np.save(folder / f"J{number:02d}.npy", image)
    return folder


@pytest.fixture
def labelling(images, tmp_path):
    return Labelling(tmp_path / "labels.csv", ImageFolder(images), ["jets", "lobes"], "Fanaroff")


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as content:
        return list(csv.DictReader(content))


def test_every_label_is_on_disk_at_once_with_who_and_when(labelling, images):
    labelling.give("new/J03.npy", "lobes", 'bright\ncore, "odd"')
    row = rows_of(labelling.file)[0]
    assert (row["label"], row["comment"], row["who"]) == ("lobes", 'bright core, "odd"', "Fanaroff")
    assert (labelling.file.parent / row["file"]).resolve() == images / "J03.npy"
    assert row["when"].endswith("Z")
    labelling.give("new/J01.npy", "jets")
    labelling.give("new/J03.npy", "jets")
    assert [row["label"] for row in rows_of(labelling.file)] == ["jets", "jets"]
    assert labelling.counts() == {"jets": 2, "lobes": 0}
    assert labelling.labelled() == {"new/J01.npy", "new/J03.npy"}


def test_labels_are_taken_back_one_by_one(labelling):
    for key, label in (("new/J03.npy", "lobes"), ("new/J01.npy", "jets"), ("new/J03.npy", "jets")):
        labelling.give(key, label)
    assert labelling.undo() == "new/J03.npy"
    assert labelling.given("new/J03.npy").label == "lobes"
    assert labelling.undo() == "new/J01.npy"
    assert labelling.given("new/J01.npy") is None
    assert [row["label"] for row in rows_of(labelling.file)] == ["lobes"]
    labelling.undo()
    assert rows_of(labelling.file) == []
    with pytest.raises(RequestRefusal, match="no label of this viewer"):
        labelling.undo()


def test_a_table_is_gone_on_with(labelling, images):
    labelling.give("new/J03.npy", "lobes")
    again = Labelling(labelling.file, ImageFolder(images), ["jets", "lobes"], "Riley")
    again.give("new/J04.npy", "jets")
    assert [row["who"] for row in rows_of(labelling.file)] == ["Fanaroff", "Riley"]


def test_keys_stay_with_their_classes_from_session_to_session(labelling, images):
    labelling.give("new/J03.npy", "lobes")
    classes = lambda *chosen: Labelling(labelling.file, ImageFolder(images), chosen, "Riley").classes
    assert classes("jets", "lobes") == ["jets", "lobes"], "one that no row has yet keeps its key"
    assert classes("odd", "jets") == ["odd", "jets", "lobes"]
    labelling.give("new/J04.npy", "jets")
    assert classes() == ["jets", "lobes"]
    labelling.give("new/J03.npy", "lobes")  # its row is the last one now
    assert classes() == ["jets", "lobes"]


def test_the_same_command_goes_on_with_the_classes_of_the_model(images, untrained, tmp_path):
    opened = lambda: with_desk(gather([str(untrained("lenet"))], [], [], images, []), tmp_path / "labels.csv", [], "Riley").desk.labelling
    assert opened().classes == ["FRI", "FRII"]
    opened().give("new/J03.npy", "FRII")
    assert opened().classes == ["FRI", "FRII"]


def test_the_table_is_a_data_set(labelling, images, tmp_path):
    truth = simulate(COUNT, 3).labels
    for number, label in enumerate(truth):
        labelling.give(f"new/J{number:02d}.npy", ("jets", "lobes")[label], "a comment")
    sources, report = read_source(labelling.file)
    assert not report.lines
    names = np.array(sources.classes.names)[sources.labels]
    assert dict(zip(sources.source_ids, names, strict=True)) == {f"J{k:02d}": ("jets", "lobes")[label] for k, label in enumerate(truth)}
    first = sources.images[list(sources.source_ids).index("J00")]
    assert np.array_equal(first, np.load(images / "J00.npy"))
    assert main(["data", "import", str(labelling.file), "--out", str(tmp_path / "set")]) == 0


def test_what_is_no_label_is_refused_and_changes_nothing(labelling):
    labelling.give("new/J03.npy", "lobes")
    before = labelling.file.read_bytes()
    with pytest.raises(RequestRefusal, match="'bent'; expected jets, lobes"):
        labelling.give("new/J01.npy", "bent")
    for key in ("new/none.npy", "other/J01.npy", "new/../J01.npy"):
        with pytest.raises(NotOffered):
            labelling.give(key, "jets")
    assert labelling.file.read_bytes() == before


def test_nothing_is_written_without_the_claim(images, tmp_path):
    def lost():
        raise Claimed(tmp_path, "another process took it over", "a claim", "Leave it.")

    labelling = Labelling(tmp_path / "labels.csv", ImageFolder(images), ["jets", "lobes"], "Riley", lost)
    with pytest.raises(RunRefusal, match="took it over"):
        labelling.give("new/J03.npy", "lobes")
    assert not labelling.file.exists()
    assert not labelling.labelled()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("name,class\na,b\n", "columns name, class"),
        ("file,label,redshift\na,b,1\n", "further columns redshift, which would be lost"),
        ("file,label\na,b\na,c\n", "1 files twice"),
    ],
)
def test_other_tables_are_refused(content, line, images, tmp_path):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DataRefusal, match=line):
        Labelling(tmp_path / "labels.csv", ImageFolder(images), ["jets", "lobes"], "Riley")
    assert (tmp_path / "labels.csv").read_text() == content


def test_two_viewers_of_one_table_are_refused(images, untrained, tmp_path, capsys):
    asked = ["serve", "--model", str(untrained("lenet")), "--images", str(images), "--label", str(tmp_path / "labels.csv"), "--port", "0"]
    with claimed(tmp_path / "labels.csv"):
        assert main(asked) == 2
    assert "labels.csv: process" in capsys.readouterr().err
    assert main([*asked[:3], "--label", str(tmp_path / "labels.csv")]) == 2
    assert "--label: no images to label; expected --images FOLDER" in capsys.readouterr().err
    assert main([*asked[:5], "--classes", "a,b"]) == 2
    assert "--classes: given without --label" in capsys.readouterr().err
    assert main([*asked, "--classes", "only"]) == 2
    assert "1 classes (only); expected 2 to" in capsys.readouterr().err
    with pytest.raises(SettingRefusal, match=r"ends in \.csv"):
        Labelling(tmp_path / "labels.txt", ImageFolder(images), ["a", "b"], "")


def test_the_least_sure_and_the_most_unlike_come_by_turns():
    assert [doubt(np.array(p)) for p in ([0.5, 0.5], [1.0, 0.0], [0.2, 0.5, 0.3], [np.nan, np.nan])] == pytest.approx([1, 0, 0.8, 1])
    doubts, unlike = np.array([0.1, 0.9, 0.5, 0.2, 0.3]), np.array([7, 1, 0, 9, 2])
    assert ordered(doubts, unlike) == [1, 3, 2, 0, 4]


def test_the_order_is_the_networks(images, untrained, monkeypatch):
    (images / "broken.npy").write_bytes(b"\x93NUMPY broken")
    networks, folder = Networks([offered(str(untrained("lenet")))]), ImageFolder(images)
    (images / "broken.npy").unlink()
    (images / "broken.npy").write_bytes(b"")
    monkeypatch.setattr(asking_order, "ENOUGH", 5)
    order = AskingOrder(networks, networks.get(""), folder)
    assert order.first(set(), 3) == ["new/J00.npy", "new/J01.npy", "new/J02.npy"], "by name as long as nothing was asked"
    order.ask_all()
    (images / "broken.npy").unlink()
    assert order.asked == COUNT + 1
    assert list(order.unreadable) == ["new/broken.npy"]
    team = networks.get("").open()
    p = team.in_poses(1).answer(simulate(COUNT, 3).images).p
    best = order.first(set(), COUNT)
    assert best[0] == f"new/J{np.argmin(abs(p[:, 1] - 0.5)):02d}.npy"
    assert len(set(best)) == COUNT
    assert order.first({best[0]}, 2) == best[1:3]


def test_without_a_network_the_order_is_that_of_names(images):
    order = AskingOrder(Networks([]), None, ImageFolder(images))
    order.start()
    assert order.first({"new/J00.npy"}, 2) == ["new/J01.npy", "new/J02.npy"]
