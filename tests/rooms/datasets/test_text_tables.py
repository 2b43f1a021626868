"""Tables of labels as text that says what its columns hold, and frames that tables state."""

import numpy as np
import pytest
from astropy import units
from astropy.table import MaskedColumn, Table

from equiradio.datasets.imports.tables import positions, read_table
from equiradio.errors import DataRefusal

IPAC = """\\EQUINOX = '{equinox}'
|name  |   ra  |  dec  |label |
|char  |double |double |char  |
|      |  deg  |  deg  |      |
|null  |  null |  null |null  |
 007    180.28  29.892  FRI
 b      180.30  29.900  null
"""
VIZIER = "#\n#Title\nRAJ2000\tDEJ2000\tType\ndeg\tdeg\t \n-------\t-------\t----\n180.28\t+29.89\tFRI \n180.30\t+29.90\tFRII\n\n#END#\n"


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_ecsv(tmp_path):
    table = Table({"ra": [1.0, 2.0] * units.deg, "dec": [3.0, 4.0] * units.deg, "name": ["007", "b"]})
    table["label"] = MaskedColumn(["FRI", "FRII"], mask=[False, True])
    table.write(tmp_path / "t.ecsv")
    read = read_table(tmp_path / "t.ecsv")
    assert read.values["label"] == ["FRI", None]
    assert read.text("name") == ["007", "b"]
    assert read.units == {"ra": "deg", "dec": "deg"}
    assert np.allclose(positions(read), [[1, 2], [3, 4]])


def test_ipac(tmp_path):
    read = read_table(written(tmp_path, "t.tbl", IPAC.format(equinox="J2000")))
    assert read.text("name") == ["007", "b"]
    assert read.text("label") == ["FRI", ""]
    assert np.allclose(positions(read)[0], [180.28, 180.3])


def test_vizier(tmp_path):
    read = read_table(written(tmp_path, "t.tsv", VIZIER))
    assert read.text("Type") == ["FRI", "FRII"]
    assert read.units == {"RAJ2000": "deg", "DEJ2000": "deg"}
    assert np.allclose(positions(read), [[180.28, 180.3], [29.89, 29.9]])


def in_fits(tmp_path, **cards):
    Table({"ra": [1.0, 2.0], "dec": [3.0, 4.0]}, meta=cards).write(tmp_path / "t.fits")
    return tmp_path / "t.fits"


def in_votable(tmp_path):
    Table({"ra": [1.0, 2.0], "dec": [3.0, 4.0]}).write(tmp_path / "t.vot", format="votable")
    text = (tmp_path / "t.vot").read_text().replace("<TABLE", '<COOSYS ID="s" system="eq_FK4" equinox="B1950"/><TABLE', 1)
    return written(tmp_path, "t.vot", text)


FK4 = {
    "a card of FITS": lambda folder: in_fits(folder, RADESYS="FK4"),
    "an old equinox": lambda folder: in_fits(folder, EQUINOX=1950.0),
    "a system of VOTable": in_votable,
    "an equinox of IPAC": lambda folder: written(folder, "t.tbl", IPAC.format(equinox="B1950")),
}


@pytest.mark.parametrize("make", FK4.values(), ids=FK4)
def test_positions_of_another_frame_are_refused_whatever_states_it(tmp_path, make):
    with pytest.raises(DataRefusal, match=r"positions in (eq_)?FK4; expected ICRS"):
        positions(read_table(make(tmp_path)))


@pytest.mark.parametrize("cards", [{"RADESYS": "FK5", "EQUINOX": 2000.0}, {"RADESYS": "ICRS"}, {"EQUINOX": 2000.0}, {}])
def test_positions_within_a_tenth_of_an_arcsecond_of_icrs_are_taken(tmp_path, cards):
    assert np.allclose(positions(read_table(in_fits(tmp_path, **cards))), [[1, 2], [3, 4]])


def test_several_tables_of_a_votable_are_refused(tmp_path):
    Table({"ra": [1.0], "dec": [3.0]}).write(tmp_path / "t.vot", format="votable")
    text = (tmp_path / "t.vot").read_text()
    table = text[text.index("<TABLE") : text.index("</TABLE>") + len("</TABLE>")]
    with pytest.raises(DataRefusal):
        read_table(written(tmp_path, "t.vot", text.replace("</TABLE>", "</TABLE>" + table, 1)))
