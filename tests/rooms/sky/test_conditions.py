"""An image in MiraBest form seen otherwise is the image that the recipe makes of the sky seen so."""

import csv
import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from equiradio.errors import ImageRefusal, SettingRefusal
from equiradio.folders import data_folder
from equiradio.sky.beams import Beam
from equiradio.sky.conditions import OWN, Condition, conditions, in_sigma, is_condition, seen
from equiradio.sky.cutout import noise, to_mirabest
from equiradio.sky.degrade import through_beam


def spot(peak=255, width=3.0):
    rows, columns = np.indices((150, 150)) - 75
    light = peak * np.exp2(-4 * (rows**2 + columns**2) / width**2)
    return np.where(light >= 3, light, 0).astype(np.uint8)


def test_the_words_of_the_command():
    asked = conditions(["beam:8,15 noise:2", "field:120", "beam:8"])
    assert [str(each) for each in asked] == ["as it is", "beam 8 arcsec", "beam 15 arcsec", "noise 2 times", "field 120 arcsec"]
    assert conditions([]) == [Condition()]
    assert is_condition("noise:2,5")
    assert not is_condition("runs/a")
    assert Condition("beam", 8.0).beam == Beam(8, 8, 0)
    assert Condition("noise", 2.0).beam == OWN


@pytest.mark.parametrize(
    "text", ["beam", "beam:", "beam:x", "beam:2", "beam:nan", "noise:0.5", "field:300", "field:59", "wind:3", "beam:8,"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(SettingRefusal, match=r"--through: .*; expected "):
        conditions([text])


def test_the_faintest_level_is_at_three_sigma():
    image = spot()
    sky, faintest = in_sigma(image), image[image > 0].min()
    assert sky[sky > 0].min() == pytest.approx(3)
    assert sky.max() == pytest.approx(255.5 / (faintest + 0.5) * 3)


def test_a_point_through_a_larger_beam_is_as_wide_as_that_and_keeps_its_peak():
    wide = seen("a", spot(), Condition("beam", 16.2), 0)
    across = (wide.image > 127).sum()
    assert across == pytest.approx(np.pi / 4 * 81, rel=0.1)
    assert wide.beam == Beam(16.2, 16.2, 0)
    assert "other_beam" in wide.flags
    assert wide.shape.beams_across < seen("a", spot(), Condition(), 0).shape.beams_across


def test_through_a_finer_beam_the_source_is_smaller_by_as_much_and_has_as_many_beams_across():
    plain, fine = (seen("a", spot(width=12), condition, 0) for condition in (Condition(), Condition("beam", 3.6)))
    assert (fine.image > 127).sum() == pytest.approx((plain.image > 127).sum() * (3.6 / 5.4) ** 2, rel=0.1)
    assert fine.beam == Beam(3.6, 3.6, 0)
    assert fine.shape.size_arcsec == pytest.approx(plain.shape.size_arcsec * 3.6 / 5.4, abs=3.6)
    assert fine.shape.beams_across == pytest.approx(plain.shape.beams_across, rel=0.1)
    middle = np.average(np.arange(150), weights=fine.image.sum(0))
    assert middle == pytest.approx(74.5 + 0.5 * 3.6 / 5.4, abs=0.1)  # that of the spot lies at 75
    assert not fine.image[:24].any()
    assert not fine.image[-24:].any()


def test_nothing_changes_where_nothing_is_asked():
    plain = seen("a", spot(), Condition(), 0)
    assert np.array_equal(plain.image, spot())
    assert plain.flags == frozenset()
    for same in (Condition("beam", 5.4), Condition("noise", 1.0), Condition("field", 270.0)):
        assert np.array_equal(seen("a", spot(), same, 0).image > 0, spot() > 0), same


def test_the_same_seed_gives_the_same_noise_and_more_of_it_hides_more():
    lit = {level: (seen("a", spot(width=30), Condition("noise", level), 3).image > 0).sum() for level in (1.0, 2.0, 5.0)}
    assert lit[5.0] < lit[2.0] < lit[1.0]
    first, again, other = (seen("a", spot(), Condition("noise", 2.0), seed).image for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_smaller_field_is_empty_beyond_and_flagged_where_the_source_goes_on():
    cut = seen("a", spot(width=60), Condition("field", 60.0), 0)
    assert not cut.image[:57].any()
    assert cut.image[60:90, 60:90].all()
    assert cut.flags == {"padded", "cut_off"}
    assert cut.padded == pytest.approx(1 - (cut.image[75] > 0).mean() ** 2, abs=0.02)
    assert seen("a", spot(width=20), Condition("field", 120.0), 0).flags == {"padded"}
    assert seen("a", spot(width=20), Condition("field", 270.0), 0).flags == set()
    faint = np.zeros((150, 150), np.uint8)
    faint[5:9, 5:9] = 200
    with pytest.raises(ImageRefusal):
        seen("a", faint, Condition("field", 60.0), 0)


@pytest.mark.parametrize(("arcsec", "least"), [(8.0, 0.99), (15.0, 0.98)])
def test_the_image_is_that_of_the_convolved_file(arcsec, least):
    """Of FIRST's own cutouts: convolved in Jy/beam and made by the recipe, beside their published form seen through the beam."""
    folder = data_folder() / "fits"
    if not (folder / "manifest.csv").exists():
        pytest.skip("no FITS cutouts in the data folder")
    alike = []
    for number, row in enumerate(csv.DictReader((folder / "manifest.csv").read_text().splitlines())):
        with fits.open(io.BytesIO(gzip.decompress((folder / row["file"]).read_bytes()))) as hdus:
            pixels = hdus[0].data.astype(np.float32)
        if np.isnan(pixels).any():
            continue
        beam = Beam(arcsec, arcsec, 0.0)
        true = to_mirabest(through_beam(pixels, 1.8, OWN, beam))
        assert noise(pixels)[1] > 0
        ours = seen("a", to_mirabest(pixels), Condition("beam", arcsec), number).image
        alike.append(np.corrcoef(true.ravel(), ours.ravel())[0, 1])
    assert len(alike) > 20
    assert np.median(alike) > least
