"""What refusals say of files that are sound but of no use, and of other kinds of files."""

import bz2
import io
import lzma
import sys

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write

from equiradio.errors import ImageRefusal, Refusal, RunRefusal, refused_as
from equiradio.sky.fits import read_cutout


def refusal(file, **options):
    with pytest.raises(ImageRefusal) as caught:
        read_cutout(file, **options)
    assert "\n" not in str(caught.value)
    return caught.value.flag, str(caught.value)


def content(*hdus):
    file = io.BytesIO()
    fits.HDUList([*hdus]).writeto(file)
    return file.getvalue()


def test_a_small_field_is_told_in_arcsec_and_no_scale_is_made_up(tmp_path):
    flag, words = refusal(write(tmp_path / "a.fits", sky(24, 2.4), header(24, 2.4)))
    assert (flag, "field smaller than 60 arcsec (57.6 x 57.6 arcsec, 24 x 24 pixels of 2.4)" in words) == ("too_small", True)
    flag, words = refusal(write(tmp_path / "b.fits", sky(30), fits.Header()))
    assert (flag, "30 x 30 pixels without a scale in the header" in words) == ("too_small", True)


@pytest.mark.parametrize(("scale", "words"), [(61.0, "too coarse for the networks"), (0.09, "too fine"), (1e6, "Correct CDELT or CD")])
def test_a_sound_header_is_not_to_be_corrected(tmp_path, scale, words):
    side = 3010 if scale < 1 else 300
    pixels = np.zeros((side, side), np.float32) if scale < 1 else sky()
    flag, line = refusal(write(tmp_path / "a.fits", pixels, header(side, scale)))
    assert flag == "absurd_scale"
    assert words in line
    assert ("Correct" in line) == (scale == 1e6)


def test_all_planes_are_offered(tmp_path):
    assert "--plane 0 to --plane 4" in refusal(write(tmp_path / "a.fits", np.stack([sky()] * 5)))[1]
    assert "--plane 0 or --plane 1." in refusal(write(tmp_path / "b.fits", np.stack([sky()] * 2)))[1]


def test_uvfits_holds_visibilities(tmp_path):
    data = fits.GroupData(np.zeros((3, 1, 4, 3), np.float32), bitpix=-32, parnames=["UU", "VV"], pardata=[np.zeros(3), np.zeros(3)])
    fits.GroupsHDU(data).writeto(tmp_path / "a.uvfits")
    flag, words = refusal(tmp_path / "a.uvfits")
    assert flag == "no_image"
    assert "0 PRIMARY holds visibilities" in words
    assert "Make an image of the visibilities first." in words
    table = fits.BinTableHDU.from_columns([fits.Column("UU", "D", array=np.zeros(4))], name="UV_DATA")
    assert "1 UV_DATA holds visibilities" in refusal(content(fits.PrimaryHDU(), table))[1]


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (bz2.compress, "bzip2-compressed"),
        (lzma.compress, "xz-compressed"),
        (lambda data: b"\x89HDF\r\n\x1a\n" + data, "an HDF5 file"),
        (lambda data: b"<?xml version='1.0'?>" + data, "an XML file"),
    ],
)
def test_other_files_are_named(pack, words):
    flag, line = refusal(pack(content(fits.PrimaryHDU(sky(), header()))))
    assert flag == "not_an_image_file"
    assert words in line
    assert "no FITS;" not in line


def test_a_missing_package_is_no_fault_of_the_file(tmp_path, monkeypatch):
    file = write(tmp_path / "a.fits", sky(), header())
    monkeypatch.setitem(sys.modules, "astropy.wcs", None)
    with pytest.raises(Refusal) as caught:
        read_cutout(file)
    assert not isinstance(caught.value, ImageRefusal)  # which would be a row with a flag, and the next file
    line = f"{file}: astropy cannot be imported to read it (ModuleNotFoundError: import of astropy.wcs halted; None in sys.modules)"
    assert str(caught.value) == f"{line}; expected a whole installation. Install it again: pip install astropy."


def test_nor_of_a_file_of_ours():
    with (
        pytest.raises(Refusal, match=r"^card.json: pyarrow cannot be imported .* pip install pyarrow\.$") as caught,
        refused_as(RunRefusal, "card.json", "", ""),
    ):
        raise ImportError("no such symbol", name="pyarrow.lib")
    assert type(caught.value) is Refusal
