"""What is asked of a file is refused in one line, before it is opened, where it cannot be meant."""

import numpy as np
import pytest
from sky_files import write

from equiradio.errors import SettingRefusal
from equiradio.sky.fits import read_cutout
from equiradio.sky.own import cutout_of
from equiradio.sky.recipe import Recipe

LINES = {
    "hdu as text": ({"hdu": "0"}, "--hdu: '0'; expected a whole number. For example 1."),
    "hdu between two": ({"hdu": 1.5}, "--hdu: 1.5; expected a whole number. For example 1."),
    "one of two": ({"ra_deg": 10.0}, "--ra --dec: one of the two; expected both or none. Give both."),
    "position as text": ({"ra_deg": 10.0, "dec_deg": "a"}, "--ra --dec: 10.0 'a'; expected two numbers, degrees. Correct the position."),
    "no place": ({"ra_deg": 400.0, "dec_deg": 5.0}, "--ra --dec: 400 5; expected 0 to 360 and -90 to 90 degrees. Correct the position."),
    "share as text": ({"max_nonfinite": "5%"}, "--max-nonfinite: '5%'; expected a share from 0 to 1. 5 % is 0.05."),
    "percent": ({"max_nonfinite": 5}, "--max-nonfinite: 5; expected a share from 0 to 1. 5 % is 0.05."),
    "plane": (
        {"plane": 1.5},
        "--plane: '1.5'; expected a number from 0, or a value with its unit. For example --plane 0 or --plane 1.42GHz.",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_it_is_refused_by_either_recipe(tmp_path, case):
    choices, line = LINES[case]
    file = write(tmp_path / "a.fits")
    own = Recipe(side=40, scale_arcsec=0.0, noise_field=80, beam_arcsec=0.0)
    for ask in (read_cutout, lambda file, **choices: cutout_of(file, own, **choices)):
        with pytest.raises(SettingRefusal) as refused:
            ask(file, **choices)
        assert str(refused.value) == line


def test_numbers_of_numpy_are_numbers(tmp_path):
    file = write(tmp_path / "a.fits")
    asked = {"hdu": np.int64(0), "max_nonfinite": np.float32(0.05), "beam": np.float64(5.4)}
    assert np.array_equal(read_cutout(file, **asked).image, read_cutout(file).image)
