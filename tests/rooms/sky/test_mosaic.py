"""A mosaic is opened once, stays on disk, and gives at each position the cutout of its file, bit for bit."""

import gzip
import itertools
import os
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from astropy.io import fits
from sky_files import header, sky, write

from equiradio.errors import ImageRefusal
from equiradio.sky import mosaic as mosaic_module
from equiradio.sky import target
from equiradio.sky.fits import read_cutout
from equiradio.sky.images import Cutout
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.recipe import MIRABEST, Recipe
from equiradio.sky.stored import StoredPlane

SIDE = 420
OFFSETS = ((0.0, 0.0), (60.0, -45.0), (-120.0, 140.0))  # arcsec from the centre, to the west and the north; the last is at the edge


def pixels():
    made = sky(SIDE) + sky(SIDE, at=(50, -25), seed=1) + sky(SIDE, at=(-60, 70), seed=2)
    made[:40, :50] = np.nan
    return made


def cube(path):
    """STOKES and FREQ before the sky's axes, as imagers write them; the second channel is meant."""
    cards = header(SIDE)
    cards["CTYPE3"], cards["CTYPE4"] = "FREQ", "STOKES"
    data = np.random.default_rng(5).normal(0, 1e-4, (1, 3, SIDE, SIDE)).astype(np.float32)
    data[0, 1] = pixels()
    fits.PrimaryHDU(data, cards).writeto(path)


def turned_axes(path):
    """Declination is the first axis."""
    before = header(SIDE)
    cards = fits.Header()
    for key in ("CTYPE", "CRVAL", "CRPIX", "CUNIT", "CDELT"):
        cards[f"{key}1"], cards[f"{key}2"] = before[f"{key}2"], before[f"{key}1"]
    for one, two in itertools.product((1, 2), (1, 2)):
        cards[f"PC{one}_{two}"] = before.get(f"PC{3 - one}_{3 - two}", float(one == two))
    fits.PrimaryHDU(np.ascontiguousarray(pixels().T), cards).writeto(path)


def integers(path):
    """Scaled, with a number for undefined pixels."""
    made = pixels()
    hdu = fits.PrimaryHDU(np.where(np.isfinite(made), np.round(made / 1e-6), -(2**31)).astype(np.int32), header(SIDE))
    hdu.header["BLANK"], hdu.header["BSCALE"] = -(2**31), 1e-6
    hdu.writeto(path)


def unsigned(path):
    made = np.nan_to_num(pixels(), nan=0.0)
    fits.PrimaryHDU(np.round((made + 0.01) / 2e-6).astype(np.uint16), header(SIDE)).writeto(path)


def zipped(path):
    write(path, pixels(), header(SIDE))
    path.write_bytes(gzip.compress(path.read_bytes()))


KINDS = {
    "float32": lambda path: write(path, pixels(), header(SIDE)),
    "float64": lambda path: write(path, pixels().astype(np.float64), header(SIDE)),
    "turned on the sky": lambda path: write(path, pixels(), header(SIDE, turn_deg=30)),
    "in an extension": lambda path: fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels(), header(SIDE))]).writeto(path),
    "cube": cube,
    "turned axes": turned_axes,
    "integers": integers,
    "unsigned integers": unsigned,
    "gzipped": zipped,
    "tiles": lambda path: fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels(), header(SIDE))]).writeto(path),
}


def positions(mosaic):
    """ICRS of `OFFSETS` from the centre."""
    ra, dec = mosaic.image.wcs.wcs.crval[mosaic.image.wcs.wcs.lng], mosaic.image.wcs.wcs.crval[mosaic.image.wcs.wcs.lat]
    return [(ra - west / 3600 / np.cos(np.deg2rad(dec)), dec + north / 3600) for west, north in OFFSETS]


def same(one, other):
    for each in fields(Cutout):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        if each.name == "wcs":
            assert mine.to_header_string() == theirs.to_header_string()
        elif isinstance(mine, np.ndarray):
            assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"), each.name
        else:
            assert mine == theirs, each.name


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_cutout_is_that_of_the_file(tmp_path, kind):
    path, plane = tmp_path / "mosaic.fits", 1 if kind == "cube" else None
    KINDS[kind](path)
    with Mosaic(path, plane=plane, beam=[5.4]) as mosaic:
        assert isinstance(mosaic.image.pixels, StoredPlane) is (kind not in ("gzipped", "tiles"))
        for ra, dec in positions(mosaic):
            same(mosaic.cutout(ra, dec), read_cutout(path, ra_deg=ra, dec_deg=dec, plane=plane, beam=[5.4]))


def each_alone(mosaic, ra, dec, **options):
    """Cutouts one by one, refusals in their places."""
    made = []
    for place in zip(ra, dec, strict=True):
        try:
            made.append(mosaic.cutout(*map(float, place), **options))
        except ImageRefusal as refusal:
            made.append(refusal)
    return made


@pytest.mark.parametrize("frame", ["ICRS", "FK5", "FK4"])
@pytest.mark.parametrize("ctype", ["SIN", "TAN", "ZEA"])
@pytest.mark.parametrize(("scale", "turn"), [(1.8, 0), (1.5, 20)])
def test_many_cutouts_at_once_are_those_of_each_alone_bit_for_bit(tmp_path, frame, ctype, scale, turn):
    drawn = np.random.default_rng(3).uniform(-170, 170, (2, 24)) / 3600
    drawn[:, :2] += 1.0  # outside
    with Mosaic(write(tmp_path / "a.fits", pixels(), header(SIDE, scale, ctype, turn, frame))) as mosaic:
        middle = mosaic.image.wcs.pixel_to_world(SIDE / 2, SIDE / 2).icrs
        ra, dec = middle.ra.deg + drawn[0], middle.dec.deg + drawn[1]
        alone, together = each_alone(mosaic, ra, dec), mosaic.cutouts(ra, dec)
        assert sum(isinstance(each, Cutout) for each in together) > 12
        assert [type(each) for each in alone] == [type(each) for each in together]
        for one, other in zip(alone, together, strict=True):
            if isinstance(one, Cutout):
                same(one, other)
                assert one.shape == other.shape
            else:
                assert str(one) == str(other)


@pytest.mark.parametrize("recipe", [MIRABEST, Recipe(side=76, scale_arcsec=1.8, noise_field=152, stretch="asinh")])
def test_a_position_that_upsets_the_others_is_refused_alone(tmp_path, monkeypatch, recipe):
    """Where what all positions need cannot be computed at once, each is looked for alone."""
    with Mosaic(write(tmp_path / "a.fits", pixels(), header(SIDE))) as mosaic:
        ra, dec = map(np.array, zip(*positions(mosaic), strict=True))
        expected = mosaic.cutouts(ra, dec, recipe=recipe)

        def at_once(sky, ra_deg, dec_deg, of=target.views_of):
            if len(ra_deg) > 1:
                raise ValueError("one of the positions")
            return of(sky, ra_deg, dec_deg)

        monkeypatch.setattr(target, "views_of", at_once)
        monkeypatch.setattr(mosaic_module, "views_of", at_once)
        for one, other in zip(expected, mosaic.cutouts(ra, dec, recipe=recipe), strict=True):
            same(one, other)
        assert mosaic.cutouts(ra[:0], dec[:0], recipe=recipe) == []


def test_cutouts_by_a_recipe_of_ones_own(tmp_path):
    from equiradio.sky.own import own_cutout, read_plane

    path = write(tmp_path / "mosaic.fits", pixels(), header(SIDE))
    recipe = Recipe(side=76, scale_arcsec=1.8, noise_field=152, stretch="asinh")
    with Mosaic(path) as mosaic:
        for ra, dec in positions(mosaic):
            same(mosaic.cutout(ra, dec, recipe=recipe), own_cutout(read_plane(path), recipe, ra, dec))


def test_it_says_what_it_covers(tmp_path):
    with Mosaic(write(tmp_path / "a.fits", pixels(), header(SIDE))) as mosaic:
        ra, dec = map(np.array, zip(*positions(mosaic), strict=True))
        assert mosaic.covers(ra, dec).tolist() == [True] * 3
        assert mosaic.covers(ra, dec + 1.0).tolist() == [False] * 3
        assert mosaic.covers(ra + 180, -dec).tolist() == [False] * 3  # behind the tangent plane
        assert mosaic.finite_shares(ra[:1], dec[:1]) == 1
        columns, rows = mosaic.places(ra, dec)
        assert columns == pytest.approx([SIDE / 2 - 0.5 + west / 1.8 for west, _ in OFFSETS], abs=0.05)
        assert rows == pytest.approx([SIDE / 2 - 0.5 + north / 1.8 for _, north in OFFSETS], abs=0.05)
        corner = mosaic.image.wcs.pixel_to_world(45, 45)  # a quarter of its square lies in the nans or outside
        assert mosaic.finite_shares(np.array([corner.ra.deg]), np.array([corner.dec.deg])) < 0.6


def test_zeros_of_noise_stored_as_few_integers_were_seen_and_areas_of_zeros_were_not(tmp_path):
    noise, shares = np.random.default_rng(0).normal(0, 1, (SIDE, SIDE)), {}
    for kind, light in {"few": np.round(noise * 4) / 4, "half": np.where(np.arange(SIDE) < SIDE // 2, 0, noise), "none": 0 * noise}.items():
        with Mosaic(write(tmp_path / f"{kind}.fits", light.astype(np.float32), header(SIDE))) as mosaic:
            shares[kind] = mosaic.finite_shares(*np.array(positions(mosaic)[:1]).T).item()
    assert shares == {"few": 1.0, "half": pytest.approx(0.5, abs=0.01), "none": 0.0}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.fits")
    with pytest.raises(ImageRefusal, match=r"a\.fits: a folder or a device; expected a file"):
        Mosaic(tmp_path / "a.fits")


def test_squares_are_counted_as_each_alone_and_what_neighbours_share_is_read_once(tmp_path, monkeypatch):
    reads, usable = [], Mosaic._usable

    def noted(self, tops, lefts, side):
        reads.append(tops[0] // side)
        return usable(self, tops, lefts, side)

    monkeypatch.setattr(Mosaic, "_usable", noted)
    with Mosaic(write(tmp_path / "a.fits", pixels(), header(SIDE))) as mosaic:
        columns, rows = np.random.default_rng(0).uniform(-20, SIDE + 20, (2, 60))
        places = mosaic.image.wcs.pixel_to_world(columns, rows)
        shares = mosaic.finite_shares(places.ra.deg, places.dec.deg, 180.0)
        assert reads == sorted(reads)
        assert len(reads) < 40
        content = np.pad(mosaic.image.pixels[:, :], 200, constant_values=np.nan)
        firsts = [np.floor(each + 0.5).astype(int) - 50 + 200 for each in reversed(mosaic.places(places.ra.deg, places.dec.deg))]
        assert mosaic.finite_shares(np.empty(0), np.empty(0)).shape == (0,)
    squares = [content[top : top + 100, left : left + 100] for top, left in zip(*firsts, strict=True)]
    assert shares.tolist() == [np.count_nonzero(np.isfinite(square) & (square != 0)) / 100**2 for square in squares]


def test_positions_of_another_frame_than_the_images(tmp_path):
    with Mosaic(write(tmp_path / "a.fits", pixels(), header(SIDE, frame="FK4"))) as mosaic:
        place = mosaic.image.wcs.pixel_to_world(100, 300).icrs
        columns, rows = mosaic.places(np.array([place.ra.deg]), np.array([place.dec.deg]))
        assert (columns[0], rows[0]) == pytest.approx((100, 300), abs=1e-3)


def test_what_is_refused_at_a_position_is_refused_alone(tmp_path):
    path = write(tmp_path / "a.fits", pixels(), header(SIDE))
    with Mosaic(path) as mosaic:
        ra, dec = positions(mosaic)[0]
        with pytest.raises(ImageRefusal) as mine:
            mosaic.cutout(ra, dec + 1)
        with pytest.raises(ImageRefusal) as theirs:
            read_cutout(path, ra_deg=ra, dec_deg=dec + 1)
        assert (str(mine.value), mine.value.flag) == (str(theirs.value), "outside")
        assert mosaic.cutout(ra, dec).image.max() == 255


def test_a_file_cut_short_meanwhile_is_refused(tmp_path):
    path = write(tmp_path / "a.fits", pixels(), header(SIDE))
    with Mosaic(path) as mosaic:
        ra, dec = positions(mosaic)[0]
        with path.open("r+b") as file:
            file.truncate(100_000)
        with pytest.raises(ImageRefusal) as caught:
            mosaic.cutout(ra, dec)
    assert caught.value.flag == "truncated"
    assert "file has 100,000 bytes now and had" in str(caught.value)


@pytest.mark.parametrize(("content", "flag"), [(b"", "empty_file"), (b"RA Dec\n" * 90, "not_an_image_file"), (None, "missing")])
def test_what_is_no_mosaic(tmp_path, content, flag):
    path = tmp_path / "a.fits"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageRefusal) as caught:
        Mosaic(path)
    assert caught.value.flag == flag


def test_an_image_without_positions_is_none(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(sky()).writeto(path)
    with pytest.raises(ImageRefusal, match="no sky position in the header; expected a mosaic with a WCS"):
        Mosaic(path)


def test_only_the_part_asked_for_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "a.fits", np.zeros((SIDE, 5000), np.float32) + 1, header(SIDE))
    counts = []
    read = os.pread
    with Mosaic(path) as mosaic:
        monkeypatch.setattr(os, "pread", lambda file, count, at: counts.append(count) or read(file, count, at))
        assert mosaic.image.pixels[10:310, 4000:4300].shape == (300, 300)
        assert mosaic.image.pixels[400:900, 4990:5300].shape == (20, 10)  # ends where the image does, as an array
        assert mosaic.image.pixels[500:900, 0:5].shape == (0, 5)
    assert sum(counts) == 4 * (300 * 300 + 20 * 10)


READS = """
import sys
import numpy as np
from equiradio.processes import peak_mib as peak
from equiradio.sky.mosaic import Mosaic
Mosaic(sys.argv[1]).close()
before = peak()
with Mosaic(sys.argv[2]) as mosaic:
    cutouts = mosaic.cutouts(*np.array(eval(sys.argv[3])).T)
    shares = mosaic.finite_shares(*np.array(eval(sys.argv[3])).T)
print(int(sum(cutout.image.max() == 255 for cutout in cutouts)), min(shares) > 0.99, peak() - before)
"""


@pytest.mark.skipif(not hasattr(os, "pread") or not os.path.exists("/proc/self/statm"), reason="memory as Linux counts it")
def test_a_mosaic_of_400_million_pixels_takes_little_memory(tmp_path):
    """1.6 GB of float32 of which three sources are cut: 500 MB above the start were set as the limit."""
    side, small = 20_000, tmp_path / "small.fits"
    fits.PrimaryHDU(pixels(), header(SIDE)).writeto(small)
    cards = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", side), ("NAXIS2", side)])
    cards.extend(header(side))
    large, places = tmp_path / "large.fits", []
    corners = [(0, 0), (side // 2, side // 3), (side - SIDE, side - SIDE)]
    with large.open("wb") as file:
        file.write(cards.tostring().encode())
        start = file.tell()
        for top, left in corners:
            for row, line in enumerate(sky(SIDE).astype(">f4")):
                file.seek(start + 4 * ((top + row) * side + left))
                file.write(line.tobytes())
        file.truncate(start + -(-4 * side**2 // 2880) * 2880)
    with Mosaic(large) as mosaic:
        for top, left in corners:
            ra, dec = mosaic.image.wcs.wcs_pix2world([[left + SIDE / 2, top + SIDE / 2]], 0)[0]
            places.append((float(ra), float(dec)))
    command = [sys.executable, "-c", READS, str(small), str(large), repr(places)]
    lit, whole, megabytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert (lit, whole) == ("3", "True")
    assert float(megabytes) < 100
