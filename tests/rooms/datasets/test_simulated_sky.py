"""A simulated sky: mosaics whose sources lie where the catalogues say, noise as stated, blank edges, one sky where mosaics overlap."""

import csv

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from equiradio.cli.main import main
from equiradio.datasets.simulated import clipped_sigma
from equiradio.datasets.simulated_components import components_of
from equiradio.datasets.simulated_mosaic import Depth, Field
from equiradio.datasets.simulated_sky import OVERLAP, layout, positions, write_sky
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.sky.fits import read_cutout

DEGREES, SEED, COUNT, LARGEST = 0.5, 5, 12, 700


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    return write_sky(DEGREES, SEED, tmp_path_factory.mktemp("sky") / "sky", count=COUNT, largest=LARGEST)


@pytest.fixture(scope="module")
def truth(sky):
    with (sky / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def mosaics(sky):
    return {path.name: (WCS(fits.getheader(path)), fits.getdata(path)) for path in sorted(sky.glob("mosaic-*.fits"))}


def test_every_source_is_one_row_and_lies_where_it_says(sky, truth):
    assert sorted(int(row["number"]) for row in truth) == list(range(COUNT))
    assert {row["class"] for row in truth} == {"FRI", "FRII"}
    seen = [row for row in truth if row["mosaic"]]
    assert len(seen) > COUNT / 2
    for row in seen:
        cutout = read_cutout(sky / row["mosaic"], ra_deg=float(row["ra_deg"]), dec_deg=float(row["dec_deg"]), max_nonfinite=0.8)
        middle = cutout.pixels[75 - 8 : 75 + 8, 75 - 8 : 75 + 8]
        assert not {"reprojected", "no_wcs", "other_beam"} & cutout.flags
        assert np.nanmax(cutout.pixels) > 10 * float(row["rms_jy_per_beam"])
        if float(row["size_arcsec"]) < 40:  # the peak of a small source is at its position
            assert np.nanmax(middle) == pytest.approx(float(row["peak_jy_per_beam"]), rel=0.35)
    assert any(float(row["size_arcsec"]) < 40 for row in seen)


def test_noise_is_as_stated_as_smooth_as_the_beam_and_varies(mosaics):
    for number, field in enumerate(layout(DEGREES, LARGEST)):
        depth, pixels = Depth.of(field, SEED), mosaics[field.name][1]
        rows, columns = np.indices(pixels.shape)
        rms = depth.rms(rows, columns)
        inner = np.s_[60:-60, 60:-60]
        assert clipped_sigma((pixels / rms)[inner]) == pytest.approx(1, abs=0.04), number
        assert rms[60, 100:-100].mean() > 1.2 * rms[300, 100:-100].mean()
        quiet = (pixels / rms)[200:300, 200:300]
        quiet = np.where(quiet < 4, quiet, 0)
        assert np.corrcoef(quiet[:, :-3].ravel(), quiet[:, 3:].ravel())[0, 1] == pytest.approx(0.25, abs=0.09)


def test_edges_and_corners_are_blank_and_nothing_else(mosaics):
    for _, pixels in mosaics.values():
        blank = np.isnan(pixels)
        assert blank[:4].all()
        assert blank[:, -4:].all()
        assert blank[:25, :25].all()
        assert not blank[60:-60, 60:-60].any()
        assert len(set(blank[:, 350 - 100 : 350 + 100].argmin(0))) > 3  # frayed


def test_mosaics_show_one_sky_where_they_overlap(truth, mosaics):
    """A bright source in two mosaics is as bright at the same position; noise is of its own."""
    compared = 0
    for row in truth:
        if float(row["peak_jy_per_beam"]) < 40 * float(row["rms_jy_per_beam"]):
            continue
        stamps = []
        for wcs, pixels in mosaics.values():
            column, line = (int(np.floor(value + 0.5)) for value in wcs.wcs_world2pix(float(row["ra_deg"]), float(row["dec_deg"]), 0))
            if 100 < column < len(pixels) - 100 and 100 < line < len(pixels) - 100:
                stamps.append(pixels[line - 60 : line + 60, column - 60 : column + 60])
        for other in stamps[1:]:
            compared += 1
            lit = stamps[0] > 8 * float(row["rms_jy_per_beam"])
            assert other[lit].sum() == pytest.approx(stamps[0][lit].sum(), rel=0.15)
            assert not np.array_equal(other, stamps[0])
    assert compared


def test_components_belong_to_their_sources(sky, truth):
    table = Table.read(sky / "components.fits")
    assert [str(table[name].unit) for name in ("RA", "Total_flux", "Peak_flux", "Maj")] == ["deg", "Jy", "Jy / beam", "deg"]
    assert list(table["Gaus_id"]) == list(range(len(table)))
    assert all(
        int(row["components"]) for row in truth if row["mosaic"] and float(row["peak_jy_per_beam"]) > 10 * float(row["rms_jy_per_beam"])
    )
    assert len(table) > COUNT
    for row in truth:
        own = table[table["Source_id"] == int(row["number"])]
        assert len(own) == int(row["components"])
        if not len(own):
            continue
        east = (own["RA"] - float(row["ra_deg"])) * np.cos(np.radians(float(row["dec_deg"])))
        assert np.hypot(east, own["DEC"] - float(row["dec_deg"])).max() * 3600 < 140
        if row["mosaic"] and float(row["size_arcsec"]) < 100:
            assert 0.5 * float(row["total_jy"]) < own["Total_flux"].sum() < 1.1 * float(row["total_jy"])
        assert (own["Maj"] * 3600 > 4).all()


def test_a_component_has_the_beam_and_position_of_a_point():
    rows, columns = np.indices((150, 150)) - 74.5
    sigma = 5.4 / 1.8 / np.sqrt(8 * np.log(2))
    picture = 0.1 * np.exp(-((rows - 10) ** 2 + (columns + 5) ** 2) / (2 * sigma**2))
    (one,) = components_of(picture, 1e-5, np.random.default_rng(0))
    assert (one["RA"], one["DEC"]) == pytest.approx((9.0, 18.0), abs=0.02)  # east is where columns count down
    assert one["Total_flux"] == pytest.approx(0.1, rel=0.02)
    assert one["Maj"] * 3600 == pytest.approx(5.4, rel=0.05)
    assert components_of(picture, 0.03, np.random.default_rng(0)) == []


def test_the_angle_of_a_component_runs_from_north_through_east():
    rows, columns = np.indices((150, 150)) - 74.5
    east, north = -columns, rows
    along = (east + north) / np.sqrt(2)  # at 45 degrees
    across = (east - north) / np.sqrt(2)
    (one,) = components_of(np.exp(-(along**2 / 72 + across**2 / 8)), 1e-5, np.random.default_rng(0))
    assert one["PA"] == pytest.approx(45, abs=1)
    assert one["Maj"] / one["Min"] == pytest.approx(3, rel=0.1)


def test_the_same_seed_writes_the_same_files_and_another_does_not(sky, tmp_path):
    again = write_sky(DEGREES, SEED, tmp_path / "again", count=COUNT, largest=LARGEST)
    names = sorted(path.name for path in sky.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert len(names) == 3 + len(layout(DEGREES, LARGEST))
    for name in names:
        assert (again / name).read_bytes() == (sky / name).read_bytes(), name
    assert not np.array_equal(*(positions(1, 4, seed)[0] for seed in (1, 2)))


def test_bands_leave_no_seam(sky, tmp_path, monkeypatch):
    monkeypatch.setattr("equiradio.datasets.simulated_mosaic.BAND", 100_000)
    again = write_sky(DEGREES, SEED, tmp_path / "again", count=COUNT, largest=LARGEST)
    name = "mosaic-0001.fits"
    assert (again / name).read_bytes() == (sky / name).read_bytes()


@pytest.mark.parametrize(("degrees", "largest"), [(0.32, 2000), (1.2, 900), (12, 4000), (40, 20000), (50, 12000)])
def test_mosaics_cover_the_square_and_overlap(degrees, largest):
    fields = layout(degrees, largest)
    assert all(field.side <= max(largest, 640) for field in fields)
    ra, dec = positions(degrees, 4000, 1)
    inside = np.full(len(ra), -np.inf)
    for field in fields:
        near = np.abs(dec - field.dec_deg) < field.side * 1.8 / 3600
        inside[near] = np.maximum(inside[near], field.inside(*field.places(ra[near], dec[near])))
    assert inside.min() > -1
    if len(fields) > 1:
        middle = np.hypot((ra - 180) * np.cos(np.radians(dec)), dec - 30) < 0.4 * degrees
        assert inside[middle].min() > OVERLAP / 2 - 20


def test_positions_are_spread_evenly_over_the_sky():
    ra, dec = positions(50, 20000, 0)
    north = dec > 30
    assert north.mean() == pytest.approx(0.5, abs=0.02)
    assert np.ptp(ra[dec > 50]) > np.ptp(ra[dec < 10])


def test_places_on_the_other_side_of_the_sky_are_nowhere():
    field = Field(0, "mosaic-0000.fits", 180.0, 30.0, 640)
    columns, rows = field.places(np.array([0.0, 180.0]), np.array([-30.0, 30.0]))
    assert not field.inside(columns, rows)[0] > 0
    assert (columns[1], rows[1]) == pytest.approx((319.5, 319.5))


def test_what_cannot_be_made_is_refused_and_leaves_nothing(tmp_path, capsys):
    for degrees, count, largest, words in ((0.1, 5, 700, "--sky: 0.1"), (1, 0, 700, "count: is 0"), (1, 5, 100, "--mosaic: 100")):
        with pytest.raises(SettingRefusal, match=words):
            write_sky(degrees, 0, tmp_path / "new", count=count, largest=largest)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("x")
    with pytest.raises(DataRefusal, match="exists and is not empty"):
        write_sky(0.4, 0, tmp_path / "mine", count=1)
    for words in (["--mosaic", "800"], ["--sky", "1", "--fits"]):
        assert main(["data", "simulate", *words, "--out", str(tmp_path / "new")]) == 2
        assert "expected a data set, --fits, or --sky with --mosaic" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_the_command_writes_a_sky_and_prints_where(tmp_path, capsys):
    out = tmp_path / "sky"
    assert main(["data", "simulate", "--sky", "0.32", "--count", "2", "--seed", "3", "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    assert len(list(out.glob("mosaic-*.fits"))) == 1
