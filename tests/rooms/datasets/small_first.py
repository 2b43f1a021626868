"""A small file in the published form of the FIRST radio galaxy data set."""

import hashlib
import io
import zipfile

import h5py
import numpy as np

from equiradio.datasets import first


def an_image(number):
    """uint8 (300, 300): a source in the middle that peaks at 200, and a brighter one beyond the central 150 pixels."""
    image = np.zeros((300, 300), np.uint8)
    image[140 : 150 + number % 9, 145:155] = 50
    image[149, 149] = 200
    image[10, 10] = 255
    return image


def entries(count=24, split=lambda k: ("train", "valid")[k % 3 == 2]):
    """Columns of each source: image, label, split, catalogue, position."""
    return [(an_image(k), k % 4, split(k), ("Gendre", "MiraBest")[k % 2], 100 + k / 4, 20 + k / 4) for k in range(count)]


def packed(rows, inside="data.h5"):
    """The bytes of the zip."""
    plain = io.BytesIO()
    with h5py.File(plain, "w") as file:
        for number, (image, label, split, catalogue, ra, dec) in enumerate(rows):
            group = file.create_group(f"data_{number}")
            group["Img"], group["Label_literature"], group["Split_literature"] = image, float(label), split.encode()
            group["Img"].attrs.update({"RA": ra, "DEC": dec, "Source": catalogue})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr(inside, plain.getvalue())
    return archive.getvalue()


def put(monkeypatch, folder, name, content):
    """Write a file into a data folder; its md5 counts as published."""
    (folder / "first").mkdir(parents=True, exist_ok=True)
    (folder / "first" / name).write_bytes(content)
    monkeypatch.setitem(first.FILE_MD5, name, hashlib.md5(content).hexdigest())
