"""Catalogues as text that says what its columns hold: ECSV, IPAC tables, and what VizieR gives."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table

from equiradio.errors import Refusal
from equiradio.survey.catalogue import Chosen, sources_of
from equiradio.survey.tables import read_catalogue

VIZIER = """#
#   VizieR Astronomical Server
#Column _RAJ2000 (F8.4) Right ascension
_RAJ2000\tName\tSpeak\t
deg\t \tmJy\t
--------\t-----\t-----\t
180.2803\t  007\t 1.25\t
180.3001\tJ1201\t     \t

#END#
"""
IPAC = """\\fixlen = T
\\EQUINOX = '{equinox}'
|designation |      ra   |   dec    |  flux  |
|char        |  double   | double   | double |
|            |   deg     |  deg     |  mJy   |
|null        |  null     | null     |  null  |
 007          180.280325   29.892168   1.25
 J1201        180.3001     29.90       null
"""


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_ecsv_keeps_words_units_descriptions_and_what_is_masked(tmp_path):
    table = Table({"name": ["007", "b"], "ra": [1.0, 2.0] * units.deg, "dec": [3.0, 4.0] * units.deg})
    table["flux"] = MaskedColumn([1.5, 9.0], mask=[False, True], unit="mJy", description="peak", meta={"ucd": "phot.flux"})
    table.write(tmp_path / "c.ecsv")
    read = read_catalogue(tmp_path / "c.ecsv")
    assert read["name"].to_pylist() == ["007", "b"]
    assert read["flux"].to_pylist() == [1.5, None]
    metadata = read.schema.field("flux").metadata
    assert [metadata[key] for key in (b"unit", b"description", b"ucd")] == [b"mJy", b"peak", b"phot.flux"]
    assert read.schema.field("ra").metadata[b"unit"] == b"deg"


@pytest.mark.parametrize("frame", ["icrs", "fk4"])
def test_positions_that_astropy_writes_as_one_column_are_read_or_refused_by_their_frame(tmp_path, frame):
    QTable({"at": SkyCoord([1, 2], [3, 4], unit="deg", frame=frame)}).write(tmp_path / "c.ecsv")
    if frame == "icrs":
        assert np.allclose(sources_of(tmp_path / "c.ecsv", Chosen()).ra_deg, [1, 2])
    else:
        with pytest.raises(Refusal, match="positions in fk4; expected ICRS"):
            sources_of(tmp_path / "c.ecsv", Chosen())


def test_an_ipac_table_has_its_units_and_nulls(tmp_path):
    read = read_catalogue(written(tmp_path, "c.tbl", IPAC.format(equinox="J2000")))
    assert read["designation"].to_pylist() == ["007", "J1201"]
    assert read["flux"].to_pylist() == [1.25, None]
    assert read.schema.field("dec").metadata[b"unit"] == b"deg"
    assert np.allclose(sources_of(tmp_path / "c.tbl", Chosen()).dec_deg, [29.892168, 29.9])


def test_an_ipac_table_of_an_old_equinox_is_refused(tmp_path):
    file = written(tmp_path, "c.tbl", IPAC.format(equinox="B1950"))
    with pytest.raises(Refusal, match="positions in FK4; expected ICRS"):
        sources_of(file, Chosen())


@pytest.mark.parametrize("mark", ["\t", ";", "|"])
def test_vizier_s_line_of_units_is_no_source(tmp_path, mark):
    text = VIZIER.replace("\tdeg", "deg").replace("\t\n", "\n").replace("\t", mark)
    read = read_catalogue(written(tmp_path, "c.tsv" if mark == "\t" else "c.csv", text), "Name")
    assert read["_RAJ2000"].to_pylist() == [180.2803, 180.3001]
    assert read["Speak"].to_pylist() == [1.25, None]
    assert {field.name: (field.metadata or {}).get(b"unit") for field in read.schema} == {"_RAJ2000": b"deg", "Name": None, "Speak": b"mJy"}


def test_dashes_below_a_row_that_is_one_are_a_row(tmp_path):
    read = read_catalogue(written(tmp_path, "c.csv", "ra,dec,note\n1,2,a\n3,4,-\n"))
    assert read["ra"].to_pylist() == [1, 3]


@pytest.mark.parametrize("suffix", ["tbl", "ecsv"])
def test_another_table_of_that_suffix_is_refused_in_a_line(tmp_path, suffix):
    with pytest.raises(Refusal, match=r"cannot be read.*expected a catalogue") as refusal:
        read_catalogue(written(tmp_path, f"c.{suffix}", "ra dec\n1 2\n"))
    assert "\n" not in str(refusal.value)


def test_right_ascensions_that_pybdsf_took_from_a_galactic_image_are_refused(tmp_path):
    table = Table({"RA": [30.0, 31.0], "DEC": [1.0, 1.1], "ra_icrs": Column([280.0, 281.0]), "dec_icrs": [-3.0, -3.1]})
    table.meta["comments"] = ["The following keywords have been copied from the image:", "CTYPE1  = 'GLON-SIN'"]
    table.write(tmp_path / "c.fits")
    with pytest.raises(Refusal, match=r"galactic coordinates, by the comment about its image .*; expected ICRS"):
        sources_of(tmp_path / "c.fits", Chosen())
    assert sources_of(tmp_path / "c.fits", Chosen("ra_icrs", "dec_icrs")).ra_deg.tolist() == [280, 281]


def test_a_row_that_is_no_last_line_is_never_passed_over(tmp_path):
    with pytest.raises(Refusal, match="cannot be read"):
        read_catalogue(written(tmp_path, "c.csv", "name,ra,dec\na,1,2\n#b,3\n"))
