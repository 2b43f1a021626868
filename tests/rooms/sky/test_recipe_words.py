"""In what recipes differ is said in the same words by all who ask: whole numbers without decimals, and what is not known as unknown."""

from dataclasses import replace

from equiradio.sky.recipe import MIRABEST, apart, in_place_of, other_than


def test_differences_are_printed_alike():
    other = replace(MIRABEST, scale_arcsec=0.0, clip_sigma=6.0)
    assert other_than(other, MIRABEST.as_card()) == {"clip_sigma": ("3", "6"), "scale_arcsec": ("1.8", "unknown")}
    assert in_place_of(other, MIRABEST.as_card()) == "clip_sigma 6 in place of 3; scale_arcsec unknown in place of 1.8"
    assert apart(MIRABEST, other) == "clip_sigma 3 and 6, scale_arcsec 1.8 and unknown"
    assert in_place_of(MIRABEST, MIRABEST.as_card()) == ""
