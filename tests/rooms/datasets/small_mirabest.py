"""A small set in the published form of MiraBest, for machines without the real one."""

import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest

from equiradio.datasets import mirabest
from equiradio.datasets.mirabest import ARCHIVE, BATCHES, DIGITS, FILE_MD5, read_mirabest
from equiradio.errors import DataRefusal


def small_mirabest(monkeypatch):
    """Nine files like the published ones, ten sources a batch; their md5s count as published."""
    made = {name: a_batch(number) for number, name in enumerate(BATCHES)} | {"batches.meta": pickle.dumps({"num_vis": 22500}, 3)}
    training = [name for number in range(7) for name in names(number)]
    monkeypatch.setattr(mirabest, "frozen_split", lambda: {name: ("validation", "train")[k % 5 > 0] for k, name in enumerate(training)})
    publish(monkeypatch, made)
    return made


def names(number):
    return [
        f"{digits}_{100 + number:03d}.{row:03d}{'+-'[row % 2]}045.500_0.1000_{10 * row + number:04d}.25"
        for row, digits in enumerate(DIGITS)
    ]


def a_batch(number, **changes):
    images = np.random.default_rng(number).integers(0, 256, (10, 150, 150), dtype=np.uint8)
    batch = {
        "labels": list(range(10)),
        "data": list(images),
        "filenames": [np.str_(f"./MiraBest_data/{name}.png") for name in names(number)],
    }
    # NumPy 2 writes numpy._core; the published files were written by NumPy 1
    return pickle.dumps(batch | changes, 3).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def publish(monkeypatch, made, archive=b""):
    for name, content in made.items():
        monkeypatch.setitem(FILE_MD5, name, md5(content))
    monkeypatch.setattr(mirabest, "ARCHIVE_MD5", md5(archive))


def md5(content):
    return hashlib.md5(content).hexdigest()


def unpack(files, place):
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content)


def pack(monkeypatch, files, folder, extra=(), keep=slice(None)):
    """Write an archive of the files and of extra members; its md5 counts as published."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        top = tarfile.TarInfo("batches")
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for name, content in files.items():
            member = tarfile.TarInfo(f"batches/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    archive = stream.getvalue()[keep]
    (folder / "mirabest").mkdir(parents=True)
    (folder / "mirabest" / ARCHIVE).write_bytes(archive)
    publish(monkeypatch, files, archive)
    return archive


def refused(folder, *words):
    """The one line of the refusal that reading this folder must give; it holds all the words."""
    with pytest.raises(DataRefusal) as caught:
        read_mirabest(folder, download=False)
    line = str(caught.value)
    assert "\n" not in line
    for word in words:
        assert word in line
    return line
