"""Stamps of files change when the files do, and a file's content is not read again for nothing."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from equiradio.artefacts import job
from equiradio.artefacts.job import catalogue_hash, file_stamps, fingerprint


@pytest.fixture
def read_files(monkeypatch):
    """Names of the files whose content is read; what is stamped counts as settled."""
    read, of = [], job.content_hash
    monkeypatch.setattr(job, "content_hash", lambda file: read.append(file.name) or of(file))
    monkeypatch.setattr(job, "MOMENT", 0)
    job._hash_of_state.cache_clear()
    return read


def test_by_content_a_file_is_read_once_until_it_changes(tmp_path, read_files):
    first, second = tmp_path / "a.fits", tmp_path / "b.fits"
    first.write_bytes(b"pixels")
    second.write_bytes(b"others")
    stamps = [file_stamps([first, second], contents=True) for _ in range(3)]
    assert stamps[0] == stamps[1] == stamps[2]
    assert read_files == ["a.fits", "b.fits"]


def test_another_content_of_the_same_size_and_time_is_seen(tmp_path, read_files):
    file = tmp_path / "a.fits"
    file.write_bytes(b"pixels")
    before, about = file_stamps([file], contents=True), file.stat()
    while file.stat().st_ctime_ns == about.st_ctime_ns:  # the system counts in ticks of some milliseconds
        file.write_bytes(b"slexip")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert file_stamps([file], contents=True) != before
    assert file_stamps([file]) == [f"6 {about.st_mtime_ns}"]


def test_the_same_content_copied_anew_has_the_same_stamp(tmp_path, read_files):
    file = tmp_path / "a.fits"
    file.write_bytes(b"pixels")
    before = file_stamps([file], contents=True)
    file.unlink()
    file.write_bytes(b"pixels")
    assert file_stamps([file], contents=True) == before


def test_a_file_that_changed_just_now_is_read_every_time(tmp_path, read_files, monkeypatch):
    monkeypatch.setattr(job, "MOMENT", 3_600_000_000_000)
    file = tmp_path / "a.fits"
    file.write_bytes(b"pixels")
    for _ in range(2):
        file_stamps([file], contents=True)
    assert read_files == ["a.fits", "a.fits"]


def test_what_is_not_there_has_a_stamp_of_its_own(tmp_path):
    assert file_stamps([tmp_path / "a.fits", tmp_path / ("a" * 300)]) == ["FileNotFoundError", "OSError"]


def listed(soft=None):
    words, sizes = np.array(["a", "b"]), np.array([1.0, np.nan])
    columns = {"source_ids": words, "labels": np.array([0, 1]), "confidence": words, "split": words, "size_arcsec": sizes, "masks": None}
    return SimpleNamespace(**columns, soft=soft)


def test_other_soft_labels_are_another_catalogue():
    soft = np.array([[0.9, 0.1], [0.2, 0.8]])
    hashes = {catalogue_hash(listed(each)) for each in (None, soft, np.array([[0.8, 0.2], [0.2, 0.8]]))}
    assert len(hashes) == 3
    assert catalogue_hash(listed(soft), listed()) != catalogue_hash(listed(), listed())


def test_without_soft_labels_the_hash_is_what_it_was():
    part = listed()
    columns = (part.source_ids, part.labels, part.confidence, part.split, part.size_arcsec, part.masks)
    assert catalogue_hash(part) == fingerprint(*columns)
