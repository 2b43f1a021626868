"""Files to MiraBest images: bit for bit where the truth is known, on the sky where it can be computed, refused in one line elsewhere."""

import csv
import gzip
import hashlib
import io
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from PIL import Image
from sky_files import DEC, RA, damaged, header, sky, write

from equiradio.artefacts.flags import BITS, FATAL, FLAGS, bits, names
from equiradio.errors import ImageRefusal
from equiradio.folders import data_folder
from equiradio.sky import cutout
from equiradio.sky.fits import mirabest_image, read_cutout, read_image
from equiradio.sky.positions import position, steps


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    return damaged(tmp_path_factory.mktemp("bad"))


@pytest.fixture(scope="module")
def samples():
    file = data_folder() / "fits" / "manifest.csv"
    if not file.is_file():
        pytest.skip("no FIRST cutouts in the data folder")
    return [(file.parent / row["file"], row["md5_pixels"]) for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())]


def test_first_cutouts_become_the_published_images_bit_for_bit(samples):
    found = {path.name: hashlib.md5(mirabest_image(path).tobytes()).hexdigest() for path, _ in samples}
    assert found == {path.name: md5 for path, md5 in samples}


def test_the_bit_law_catches_another_threshold(samples, monkeypatch):
    monkeypatch.setattr(cutout, "MIRABEST", replace(cutout.MIRABEST, clip_sigma=3.01))
    with pytest.raises(AssertionError):
        test_first_cutouts_become_the_published_images_bit_for_bit(samples[:4])


def stored(tmp_path, form):
    pixels, path = sky(), tmp_path / f"{form}.fits"
    if form == "extension":
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, header())]).writeto(path)
    elif form == "tiles":
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header(), compression_type="GZIP_2", quantize_level=0)]).writeto(path)
    elif form == "stokes":
        write(path, pixels[None, None])
    elif form == "gzip":
        path.write_bytes(gzip.compress(write(path).read_bytes()))
    elif form == "millijansky":
        cards = header()
        cards["BUNIT"] = "mJy/Beam"
        write(path, pixels * np.float32(1024), cards)
    else:
        write(path)
    return path


@pytest.mark.parametrize("form", ["extension", "tiles", "stokes", "gzip", "millijansky"])
def test_the_same_pixels_stored_otherwise_give_the_same_image(tmp_path, form):
    plain = read_cutout(write(tmp_path / "plain.fits"))
    other = read_cutout(stored(tmp_path, form))
    assert np.array_equal(plain.image, other.image)
    assert other.flags <= {"no_wcs"}


def test_gzip_members_are_unpacked_one_after_the_other(tmp_path):
    content = write(tmp_path / "plain.fits").read_bytes()
    many = b"".join(gzip.compress(content[at : at + 1000]) for at in range(0, len(content), 1000))
    empty = gzip.compress(b"") * 50_000  # a second; with a copy of all that follows at each it takes a minute
    for packed in (many, gzip.compress(content) + empty, many + b"padding"):
        assert np.array_equal(read_cutout(packed).image, read_cutout(content).image)
    for cut in (1, 500, len(many) - 3):
        with pytest.raises(ImageRefusal, match="cut short"):
            read_cutout(many[: len(many) - cut])


def test_scaled_integers_are_read_in_physical_values(tmp_path):
    hdu = fits.PrimaryHDU(sky(), header())
    hdu.scale("int32", bscale=1e-9, bzero=0.5)
    hdu.writeto(tmp_path / "scaled.fits")
    assert np.allclose(read_image(tmp_path / "scaled.fits").pixels, sky(), atol=1e-7)


def test_bytes_of_an_upload_are_read_as_the_file(tmp_path):
    path = write(tmp_path / "a.fits")
    assert np.array_equal(read_cutout(path.read_bytes(), "a.fits").image, read_cutout(path).image)


def test_illegal_cards_are_tolerated_and_not_copied(tmp_path):
    content = bytearray(write(tmp_path / "a.fits").read_bytes())
    end = content.index(b"END     ")
    content[end : end + 80] = b"COMMENT a\ttab".ljust(80)
    content[end + 80 : end + 83] = b"END"
    found = read_cutout(bytes(content), "tab")
    assert "COMMENT" not in found.wcs.to_header()


@pytest.mark.parametrize("ctype", ["TAN", "SIN", "ZEA", "NCP"])
@pytest.mark.parametrize("frame", ["ICRS", "FK5", "FK4"])
def test_positions_are_icrs_whatever_projection_and_frame(tmp_path, ctype, frame):
    found = read_cutout(write(tmp_path / "a.fits", cards=header(ctype=ctype, frame=frame)))
    kwargs = {"equinox": "B1950"} if frame == "FK4" else {}
    truth = SkyCoord(RA, DEC, unit="deg", frame=frame.lower(), **kwargs).icrs
    assert SkyCoord(found.ra_deg, found.dec_deg, unit="deg").separation(truth).arcsec < 1.3  # half a pixel's diagonal


@pytest.mark.parametrize(("scale", "turn_deg"), [(1.5, 0.0), (3.0, 0.0), (1.8, 30.0), (0.6, 0.0), (1.8, 180.0)])
def test_the_brightest_pixel_stays_where_it_is_on_the_sky(tmp_path, scale, turn_deg):
    side = 900 if scale < 1 else 400
    pixels, cards = sky(side, scale, at=(30, -20)), header(side, scale, turn_deg=turn_deg)
    path = write(tmp_path / "a.fits", pixels, cards)
    whole, found = read_image(path), read_cutout(path)
    assert "reprojected" in found.flags
    assert ("other_beam" in found.flags) == (scale != 1.8)
    places = []
    for wcs, plane in ((whole.wcs, whole.pixels), (found.wcs, found.image)):
        row, column = np.unravel_index(int(plane.argmax()), plane.shape)
        places.append(SkyCoord(*position(wcs, column, row), unit="deg"))
    assert places[0].separation(places[1]).arcsec < 1.5 * max(1.8, scale)


def far_off(name):
    """Headers whose linear matrix looks like FIRST's, while the sky at the image's centre does not."""
    cards = header(400)
    if name == "plate carree":
        cards["CTYPE1"], cards["CTYPE2"], cards["CRVAL2"], cards["CRPIX2"] = "RA---CAR", "DEC--CAR", 0.0, 200.5 - 60 * 3600 / 1.8
    elif name == "galactic":
        cards["CTYPE1"], cards["CTYPE2"], cards["CRVAL1"], cards["CRVAL2"] = "GLON-TAN", "GLAT-TAN", 190.0, 50.0
        cards.remove("RADESYS", ignore_missing=True)
    else:
        cards["CTYPE1"], cards["CTYPE2"], cards["CRVAL2"], cards["CRPIX1"] = "RA---SIN", "DEC--SIN", 60.0, 200.5 - 1.5 * 3600 / 1.8
    return cards


@pytest.mark.parametrize("name", ["plate carree", "galactic", "far from the reference"])
def test_scale_and_orientation_are_those_of_the_sky_at_the_target(tmp_path, name):
    path = write(tmp_path / "a.fits", sky(400, at=(25, -20)), far_off(name))
    whole, found = read_image(path), read_cutout(path)
    assert "reprojected" in found.flags
    assert ("other_beam" in found.flags) == (name == "plate carree")
    upright = steps(found.wcs, 75, 75)
    assert np.abs(upright - np.diag([-1.8, 1.8])).max() < 0.02
    places = []
    for wcs, plane in ((whole.wcs, whole.pixels), (found.wcs, found.image)):
        row, column = np.unravel_index(int(plane.argmax()), plane.shape)
        places.append(SkyCoord(*position(wcs, column, row), unit="deg"))
    assert places[0].separation(places[1]).arcsec < 3


def test_a_position_asked_for_is_the_centre(tmp_path):
    path = write(tmp_path / "a.fits", sky(600), header(600))
    ra, dec = position(read_image(path).wcs, 250, 330)
    found = read_cutout(path, ra_deg=ra, dec_deg=dec)
    assert SkyCoord(found.ra_deg, found.dec_deg, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1.3
    with pytest.raises(ImageRefusal, match="is not in the image"):
        read_cutout(path, ra_deg=ra + 3, dec_deg=dec)


@pytest.mark.parametrize("side", [240, 241])
def test_a_resampled_image_keeps_the_middle_of_the_file_in_its_middle(tmp_path, side):
    found = read_cutout(write(tmp_path / "a.fits", sky(side, 2.5), header(side, 2.5)))
    assert "reprojected" in found.flags
    assert SkyCoord(found.ra_deg, found.dec_deg, unit="deg").separation(SkyCoord(RA, DEC, unit="deg")).arcsec < 1e-6


def test_pixels_that_are_not_finite_are_left_out(tmp_path):
    pixels = sky()
    pixels[80:90, 80:90] = np.nan
    found = read_cutout(write(tmp_path / "a.fits", pixels))
    assert "nonfinite" in found.flags
    assert not found.image[5:15, 5:15].any()


def test_no_wcs_and_small_fields_are_flagged(tmp_path):
    found = read_cutout(write(tmp_path / "a.fits", sky(200), fits.Header()))
    assert found.flags == {"no_wcs", "small_field"}
    assert np.isnan(found.ra_deg)


def test_a_beam_that_is_not_that_of_first_is_flagged(tmp_path):
    cards = header()
    cards["BMAJ"] = 25 / 3600
    assert read_cutout(write(tmp_path / "a.fits", cards=cards)).flags == {"other_beam"}


def test_pictures_in_mirabest_form(tmp_path):
    image = np.arange(22500, dtype=np.uint32).reshape(150, 150).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", image)
    for name in ("a.png", "a.npy"):
        assert np.array_equal(read_cutout(tmp_path / name).image, image)
    Image.fromarray(image.astype(np.uint16) * 200).save(tmp_path / "deep.png")
    with pytest.raises(ImageRefusal, match="more than 8 bits"):
        read_cutout(tmp_path / "deep.png")
    file = io.BytesIO()
    np.save(file, image[:100])
    with pytest.raises(ImageRefusal, match="100 x 150; expected 150 x 150"):
        read_cutout(file.getvalue())


BAD = ["empty", "text", "truncated", "badgzip", "shortgzip", "huge", "headeronly", "table", "several", "cube", "row", "small", "allnan"]
BAD += ["zero", "absurd", "nancrop", "loop", "gone", "locked"]


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line_with_their_flag(bad_files, name):
    if name == "locked" and name not in bad_files:
        pytest.skip("root may read everything")
    path, flag = bad_files[name]
    with pytest.raises(ImageRefusal) as caught:
        read_cutout(path)
    assert caught.value.flag == flag
    assert BITS[flag] & FATAL
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_header_that_claims_eight_gigabytes_costs_no_memory(bad_files):
    tracemalloc.start()
    try:
        with pytest.raises(ImageRefusal, match="46,000 x 46,000 pixels"):
            read_cutout(bad_files["huge"][0])
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_an_hdu_and_a_plane_can_be_chosen(bad_files):
    assert read_cutout(bad_files["several"][0], hdu=2).hdu == 2
    assert read_cutout(bad_files["cube"][0], plane=1).image.max() == 255


def test_flags_are_bits_of_their_own():
    assert sum(flag.bit for flag in FLAGS) == (1 << len(FLAGS)) - 1 < 2**63  # the column is int64
    assert names(bits(["blank", "no_wcs"])) == ["no_wcs", "blank"]


def test_damaged_headers_are_answered_or_refused_in_one_line(tmp_path):
    """Bytes of a header changed at random: whatever is raised underneath, a refusal says it."""
    content, rng = write(tmp_path / "a.fits").read_bytes(), np.random.default_rng(0)
    refusals = []
    for _ in range(60):
        damaged_bytes = bytearray(content)
        for place in rng.integers(0, content.index(b"END     "), rng.integers(1, 6)):
            damaged_bytes[place] = rng.integers(32, 127)
        try:
            read_cutout(bytes(damaged_bytes))
        except ImageRefusal as refusal:
            refusals.append(refusal)
    assert 10 < len(refusals) < 60
    assert all(BITS[refusal.flag] & FATAL and "\n" not in str(refusal) for refusal in refusals)


def test_what_cutting_raises_is_a_refusal_too(tmp_path, monkeypatch):
    def diverge(*given):
        raise ArithmeticError("did not converge\nat all")

    monkeypatch.setattr("equiradio.sky.fits.cut", diverge)
    with pytest.raises(ImageRefusal, match=r"cannot be cut \(did not converge\)"):
        read_cutout(write(tmp_path / "a.fits"))


@pytest.mark.parametrize(
    ("options", "flag"), [({"ra_deg": 1.0, "dec_deg": 2.0}, "outside"), ({"hdu": 7}, "no_image"), ({"plane": "12"}, "wrong_shape")]
)
def test_an_image_in_mirabest_form_has_no_position_hdu_or_plane_to_choose(tmp_path, options, flag):
    image = np.arange(22500).reshape(150, 150).astype(np.uint8)
    np.save(tmp_path / "a.npy", image)
    assert np.array_equal(read_cutout(tmp_path / "a.npy").image, image)
    with pytest.raises(ImageRefusal) as caught:
        read_cutout(tmp_path / "a.npy", **options)
    assert caught.value.flag == flag
    from equiradio.inference.reading import read_any

    assert read_any(0, image, **options).flag == flag


@pytest.mark.parametrize(("cards", "unit"), [({"UNITS": "Jy/beam"}, "Jy/beam"), ({"UNITS": "Jy/beam", "BUNIT": "mJy/beam"}, "mJy/beam")])
def test_the_unit_of_early_mosaics_of_lotss_is_read(tmp_path, cards, unit):
    about = header()
    about.update(cards)
    assert read_image(write(tmp_path / "a.fits", cards=about)).unit == unit
