"""Files that are not the published MiraBest are refused in one line, before anything in them can act."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_mirabest import a_batch, md5, pack, publish, refused, small_mirabest, unpack

from equiradio.datasets import mirabest
from equiradio.datasets.mirabest import ARCHIVE, FILE_MD5, RestrictedUnpickler, verify
from equiradio.errors import DataRefusal


@pytest.fixture
def files(monkeypatch):
    return small_mirabest(monkeypatch)


HOSTILE = {
    "os.system": b"cos\nsystem\n(Vtouch {}\ntR.",
    "builtins.eval": b"cbuiltins\neval\n(Vopen('{}', 'w').close()\ntR.",
    "numpy.save": b"cnumpy\nsave\n(V{}\nVx\ntR.",
    "numpy.core.multiarray.fromfile": b"cnumpy.core.multiarray\nfromfile\n(V{}\ntR.",
    "numpy._core.multiarray.scalar": b"cnumpy._core.multiarray\nscalar\n(V{}\ntR.",
}


def law_of_no_trace(name, files, folder, monkeypatch):
    trace = folder / "ran.npy"
    files["data_batch_3"] = b"\x80\x03" + HOSTILE[name].replace(b"{}", str(trace).encode())
    publish(monkeypatch, files)
    unpack(files, folder / "mirabest")
    refused(folder, "data_batch_3: ", f"the pickle asks for {name}; expected NumPy arrays alone")
    assert not trace.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_nothing_runs(name, files, tmp_path, monkeypatch):
    law_of_no_trace(name, files, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "numpy.save"])
def test_the_law_catches_a_plain_unpickler(name, files, tmp_path, monkeypatch):
    monkeypatch.setattr(mirabest, "RestrictedUnpickler", lambda content, where: pickle.Unpickler(io.BytesIO(content)))
    with pytest.raises(AssertionError):
        law_of_no_trace(name, files, tmp_path, monkeypatch)
    assert (tmp_path / "ran.npy").exists()


@settings(deadline=None)
@given(st.sampled_from(["numpy", "numpy.core.multiarray", "numpy._core.multiarray", "os", "builtins", "copyreg"]) | st.text(), st.text())
def test_only_four_names_are_admitted(module, name):
    if (module, name) not in mirabest.ADMITTED:
        with pytest.raises(DataRefusal):
            RestrictedUnpickler(b"", "file").find_class(module, name)
    assert len(mirabest.ADMITTED) == 4


def test_a_file_with_another_md5_is_not_opened(files, tmp_path, monkeypatch):
    unpack(files, tmp_path / "mirabest")
    other = files["test_batch"][:-1] + b"!"
    (tmp_path / "mirabest" / "test_batch").write_bytes(other)
    monkeypatch.setattr(mirabest, "RestrictedUnpickler", None)
    line = refused(tmp_path)
    assert line == (
        f"{tmp_path / 'mirabest' / 'test_batch'}: md5 is {md5(other)}; expected {md5(files['test_batch'])} as published "
        "(doi:10.5281/zenodo.4288837). Fetch it again with 'equiradio data fetch mirabest'."
    )


def test_absent_and_oversized_files_are_refused(files, tmp_path):
    unpack(files, tmp_path / "mirabest")
    (tmp_path / "mirabest" / "data_batch_2").unlink()
    refused(tmp_path, "data_batch_2: md5 is missing; expected ")
    (tmp_path / "mirabest" / "data_batch_2").write_bytes(bytes(mirabest.LARGEST + 1))
    refused(tmp_path, "data_batch_2: md5 is not taken (more than 8,388,608 bytes)")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": [0, 1, 2, 3, 4, 6, 5, 7, 8, 9]}, ["has label 6; expected the label of class 200"]),
        ({"labels": [0, 1, 2, 3, 4, 5, 6, 7, 8, -1]}, ["has label -1; expected the label of class 310"]),
        ({"labels": list(range(9))}, ["10 names, 9 labels, uint8 images of shape (10, 150, 150)"]),
        ({"data": [np.zeros((150, 150))] * 10}, ["float64 images"]),
        ({"data": [np.zeros((3, 3), np.uint8)] * 10}, ["shape (10, 3, 3)"]),
        ({"data": []}, ["no batch of MiraBest (ValueError)"]),
        ({"filenames": ["100_1_2_3"] * 10}, ["name 100_1_2_3; expected class_position_redshift_size"]),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_batch_at_odds_with_itself_is_refused(changes, words, files, tmp_path, monkeypatch):
    files["data_batch_5"] = a_batch(4, **changes)
    publish(monkeypatch, files)
    unpack(files, tmp_path / "mirabest")
    refused(tmp_path, "data_batch_5: ", *words)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1]), a_batch(4)[:1000]])
def test_a_file_that_is_no_batch_is_refused(content, files, tmp_path, monkeypatch):
    files["data_batch_5"] = content
    publish(monkeypatch, files)
    unpack(files, tmp_path / "mirabest")
    refused(tmp_path, "data_batch_5: no batch of MiraBest (")


def a_member(name, kind=tarfile.REGTYPE, target="", size=1):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


@pytest.mark.parametrize(
    "member",
    [
        a_member("../evil"),
        a_member("/tmp/evil"),
        a_member("batches/../../evil"),
        a_member("batches/evil.py"),
        a_member("batches/data_batch_1", tarfile.SYMTYPE, "/etc/passwd", 0),
        a_member("batches/data_batch_1", tarfile.LNKTYPE, "batches/test_batch", 0),
        a_member("batches/data_batch_1", size=mirabest.LARGEST + 1),
        a_member("elsewhere", tarfile.DIRTYPE, size=0),
    ],
    ids=["parent", "absolute", "through", "stranger", "symlink", "hard link", "large", "folder"],
)
def test_an_archive_with_a_strange_member_is_refused(member, files, tmp_path, monkeypatch):
    pack(monkeypatch, files, tmp_path, [member])
    refused(tmp_path, f"it holds {member.name!r} (", "Do not unpack it.")
    assert [path.name for path in tmp_path.rglob("*")] == ["mirabest", ARCHIVE]


def test_a_truncated_archive_is_refused_by_its_md5(files, tmp_path, monkeypatch):
    archive = pack(monkeypatch, files, tmp_path)
    (tmp_path / "mirabest" / ARCHIVE).write_bytes(archive[:5000])
    refused(tmp_path, f"{ARCHIVE}: md5 is {md5(archive[:5000])}; expected {md5(archive)} as published")
    assert verify(tmp_path) == [(ARCHIVE, md5(archive), md5(archive[:5000]))]


@pytest.mark.parametrize("keep", [slice(0), slice(5), slice(5000), slice(-2000), slice(20, None)], ids=str)
def test_an_archive_that_breaks_off_is_refused_whatever_its_md5(keep, files, tmp_path, monkeypatch):
    pack(monkeypatch, files, tmp_path, keep=keep)
    refused(tmp_path, f"{ARCHIVE}: the archive breaks off or is damaged (", "expected a whole .tar.gz. Fetch it again")


def test_an_unreadable_file_is_refused(files, tmp_path, monkeypatch):
    unpack(files, tmp_path / "mirabest")

    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mirabest, "_head", forbidden)
    refused(tmp_path, "it cannot be read (Permission denied)")


def test_verify_lists_every_file(files, tmp_path, monkeypatch):
    archive = pack(monkeypatch, files, tmp_path)
    checks = verify(tmp_path)
    assert [check.file for check in checks] == [ARCHIVE, *FILE_MD5]
    assert all(check.actual == check.expected for check in checks)
    assert checks[0].actual == md5(archive)
    unpack(files | {"test_batch": b"other"}, tmp_path / "else" / "mirabest" / "batches")
    assert [check.file for check in verify(tmp_path / "else") if check.actual != check.expected] == ["test_batch"]
