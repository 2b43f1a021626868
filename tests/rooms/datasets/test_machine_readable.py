"""Machine-readable tables of the AAS journals and of CDS, and compressed tables: to labels and to catalogues of a survey."""

import gzip

import numpy as np
import pytest

from equiradio.datasets.imports.gathering import is_source
from equiradio.datasets.imports.tables import is_table, positions, read_table
from equiradio.errors import DataRefusal, Refusal
from equiradio.survey.catalogue import Chosen, sources_of
from equiradio.survey.tables import read_catalogue

RULE = 80 * "-" + "\n"
DESCRIPTION = (
    "Byte-by-byte Description of file: table2.dat\n"
    + RULE
    + " Bytes Format Units  Label  Explanations\n"
    + RULE
    + """\
 1- 5  A5     ---    Name   Name
 7- 8  I2     h      RAh    Hour of Right Ascension (J2000)
10-11  I2     min    RAm    Minute of Right Ascension (J2000)
13-17  F5.2   s      RAs    Second of Right Ascension (J2000)
   19  A1     ---    DE-    Sign of the Declination (J2000)
20-21  I2     deg    DEd    Degree of Declination (J2000)
23-24  I2     arcmin DEm    Arcminute of Declination (J2000)
26-29  F4.1   arcsec DEs    Arcsecond of Declination (J2000)
31-34  F4.1   mJy    Speak  ? Peak flux density
36-38  A3     ---    Type   ? Class
"""
    + RULE
)
ROWS = """\
007   12 01 07.28 -00 30 36.0  1.5 FRI
J1201 12 01 12.00 +29 54 00.0      FR2
c      0 00 00.36 -45 00 00.0  2.5
"""
RA, DEC = [15 * (12 + 1 / 60 + 7.28 / 3600), 180.3, 0.0015], [-0.51, 29.9, -45.0]


def written(folder, name, text):
    content = text.encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


@pytest.mark.parametrize("name", ["t.mrt", "t.txt", "t.dat", "T.MRT", "t.mrt.gz"])
def test_hours_and_the_sign_of_nought_degrees_are_read(tmp_path, name):
    read = read_table(written(tmp_path, name, DESCRIPTION + ROWS))
    assert np.allclose(positions(read), [RA, DEC], rtol=0, atol=1e-9)
    assert read.text("Name") == ["007", "J1201", "c"]
    assert read.text("Type") == ["FRI", "FR2", ""]
    sources = sources_of(tmp_path / name, Chosen())
    assert np.allclose([sources.ra_deg, sources.dec_deg], [RA, DEC], rtol=0, atol=1e-9)
    assert sources.names.tolist() == ["007", "J1201", "c"]


def test_units_descriptions_and_empty_cells_of_the_catalogue(tmp_path):
    read = read_catalogue(written(tmp_path, "t.mrt", DESCRIPTION + ROWS), "Name")
    assert read["Speak"].to_pylist() == [1.5, None, 2.5]
    assert read.schema.field("Speak").metadata == {b"unit": b"mJy", b"description": b"Peak flux density"}
    assert read.schema.field("RAdeg").metadata == {b"unit": b"deg", b"description": b"from RAh, RAm, RAs"}


@pytest.mark.parametrize("name", ["table2.dat", "table2.dat.gz"])
def test_a_table_of_cds_is_read_by_the_readme_beside_it(tmp_path, name):
    written(tmp_path, "ReadMe", "J/A+A/1/1   A catalogue\n\n" + DESCRIPTION)
    assert np.allclose(positions(read_table(written(tmp_path, name, ROWS))), [RA, DEC], rtol=0, atol=1e-9)


def test_degrees_of_the_table_itself_come_first(tmp_path):
    described = DESCRIPTION.replace("31-34  F4.1   mJy    Speak ", "31-34  F4.1   deg    RAdeg ")
    assert read_catalogue(written(tmp_path, "t.mrt", described + ROWS))["RAdeg"].to_pylist() == [1.5, None, 2.5]


def test_an_empty_position_stays_empty(tmp_path):
    described = DESCRIPTION.replace("Minute of", "? Minute of").replace("Degree of", "? Degree of")
    read = read_table(written(tmp_path, "t.mrt", described + ROWS.replace("12 01 12.00 +29 54", "12    12.00 +   54")))
    assert np.isnan(positions(read)).tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("frame", ["B1950", "B1950.0", "FK4, equinox 1950"])
def test_another_equinox_in_the_descriptions_is_refused(tmp_path, frame):
    file = written(tmp_path, "t.mrt", DESCRIPTION.replace("J2000", frame) + ROWS)
    with pytest.raises(DataRefusal, match="positions in FK4; expected ICRS"):
        positions(read_table(file))
    with pytest.raises(Refusal, match="positions in FK4; expected ICRS"):
        sources_of(file, Chosen())


def test_minutes_beyond_their_range_are_refused(tmp_path):
    file = written(tmp_path, "t.mrt", DESCRIPTION + ROWS.replace("+29 54", "+29 84"))
    with pytest.raises(DataRefusal, match=r"DEm is 84 in row 2 \(1 of 3 rows\); expected 0 to 60"):
        read_table(file)


def test_another_sign_is_refused(tmp_path):
    file = written(tmp_path, "t.mrt", DESCRIPTION + ROWS.replace("-45", "S45"))
    with pytest.raises(DataRefusal, match=r"DE- is 'S' in row 3 \(1 of 3 rows\); expected \+, - or nothing"):
        read_table(file)


@pytest.mark.parametrize("read", [read_table, read_catalogue])
def test_text_that_describes_no_columns_is_refused_in_a_line(tmp_path, read):
    with pytest.raises(Refusal, match=r"no 'Byte-by-byte Description' in it, and no ReadMe beside it.*\.csv or \.tsv") as refusal:
        read(written(tmp_path, "t.txt", "ra,dec\n1,2\n"))
    assert "\n" not in str(refusal.value)


def test_a_table_without_the_column_of_signs_has_no_positions(tmp_path):
    file = written(tmp_path, "t.mrt", DESCRIPTION.replace("DE-    Sign", "NS     Sign") + ROWS)
    assert positions(read_table(file)) is None


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("heading", ["ra dec name", "# a remark\nra dec name"])
def test_compressed_lines(tmp_path, suffix, heading):
    text = f"{heading}\n1.5 -2 007\n3 4 b\n".replace(" ", "," if suffix == "csv" else "\t")
    file = written(tmp_path, f"t.{suffix}.gz", text)
    assert np.allclose(positions(read_table(file)), [[1.5, 3], [-2, 4]])
    assert read_table(file).text("name") == ["007", "b"]
    assert read_catalogue(file, "name").to_pydict() == {"ra": [1.5, 3], "dec": [-2, 4], "name": ["007", "b"]}


@pytest.mark.parametrize("read", [read_table, read_catalogue])
@pytest.mark.parametrize("name", ["t.csv.gz", "t.mrt.gz"])
@pytest.mark.parametrize("damage", ["cut off", "not compressed"])
def test_damaged_compressed_tables_are_refused_in_a_line(tmp_path, read, name, damage):
    content = gzip.compress(b"ra,dec\n" + b"1.5,2\n" * 1000)[:40] if damage == "cut off" else b"ra,dec\n1,2\n"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match=f"{name}: ") as refusal:
        read(tmp_path / name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", ["fits", "vot"])
def test_compressed_fits_and_votables(tmp_path, suffix):
    from astropy.table import Table

    Table({"ra": [1.5, 3.0], "dec": [-2.0, 4.0]}).write(tmp_path / f"t.{suffix}", format={"vot": "votable"}.get(suffix, suffix))
    file = tmp_path / f"t.{suffix}.gz"
    file.write_bytes(gzip.compress((tmp_path / f"t.{suffix}").read_bytes()))
    assert np.allclose(positions(read_table(file)), [[1.5, 3], [-2, 4]])
    assert read_catalogue(file)["dec"].to_pylist() == [-2, 4]


def test_notes_in_a_folder_are_no_tables_and_named_ones_are(tmp_path):
    notes = written(tmp_path, "notes.txt", "read me")
    assert (is_table(notes), is_table(notes, named=True), is_source(notes)) == (False, True, True)
    assert is_table(tmp_path / "t.mrt")
    assert not is_table(tmp_path / "t.csv.bz2", named=True)
