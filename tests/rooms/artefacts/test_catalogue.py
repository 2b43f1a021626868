"""What has no answer is no number and no text, in every form and for every reader; tables of old are read like new ones."""

import io
import shutil
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.table import Table

from equiradio.artefacts.catalogue import SUFFIXES, catalogue_schema, read_texts, write_catalogue
from equiradio.artefacts.catalogue_forms import as_astropy, as_csv, as_fits, as_votable
from equiradio.artefacts.provenance import ENTRIES, with_provenance
from equiradio.cli.lines import LONGEST, command_line

ANSWER = {
    "source_id": "a", "file": "a.fits", "hdu": 1, "ra_deg": 150.123456789012, "dec_deg": -0.1, "answered": True, "label": "FRII",
    "p_fri": 0.123456789012, "p_frii": 0.876543210988, "p_frii_low": 0.5, "p_frii_high": 1.0, "set": "FRI|FRII", "uncertain": False,
    "expected_accuracy": 0.9485294117647058, "flags": 0,
    "flag_names": "", "peak_jy_per_beam": 0.0123456789012, "total_jy": 0.05, "rms_jy_per_beam": 0.00015, "size_arcsec": 61.2345,
    "axis_ratio": 0.34567, "islands": 2, "beams_across": 11.33988, "offset_arcsec": 0.0, "evidence_against": -2.6, "evidence_for": 1.8,
    "evidence_constant": 0.1, "evidence_agreement": 0.9,
    "attention_peak_ra_deg": 150.12, "attention_peak_dec_deg": -0.1,
    "map_agreement": 0.123456, "map_name": "a-1", "model": "c4-attention 0",
}  # fmt: skip
NONE = {"source_id": "b", "file": "b.fits", "answered": False, "uncertain": True, "flags": 512, "flag_names": "empty_file", "model": "m"}
EMPTY = sorted(set(ANSWER) - set(NONE))  # columns that the second row has nothing in


@pytest.fixture
def table():
    return pa.Table.from_pylist([ANSWER, NONE], schema=catalogue_schema())


@pytest.fixture(params=SUFFIXES)
def file(request, table, tmp_path):
    path = tmp_path / f"c{request.param}"
    write_catalogue(table, path)
    return path


def test_parquet_and_csv_hold_nulls(table, tmp_path):
    for suffix, read in ((".parquet", pq.read_table), (".csv", pyarrow.csv.read_csv)):
        write_catalogue(table, tmp_path / f"c{suffix}")
        numbers = read(tmp_path / f"c{suffix}").to_pylist()[1]
        assert {name for name in EMPTY if numbers[name] not in (None, "")} == set()
    (line,) = (tmp_path / "c.csv").read_text().splitlines()[2:]
    assert line == '"b","b.fits",,,,false,,,,,,,true,,512,"empty_file",,,,,,,,,,,,,,,,,,"m"'
    kept = pq.read_table(tmp_path / "c.parquet")
    assert kept.to_pylist() == table.to_pylist(), "bit for bit"
    group = pq.ParquetFile(tmp_path / "c.parquet").metadata.row_group(0)
    counts = {group.column(k).path_in_schema: group.column(k).statistics.null_count for k in range(group.num_columns)}
    assert {name for name, count in counts.items() if count == 1} == set(EMPTY)


@pytest.mark.parametrize("form", ["fits", "votable"])
def test_fits_and_votable_hold_masked_cells(table, form):
    read = Table.read(io.BytesIO(as_fits(table) if form == "fits" else as_votable(table)), format=form)
    numbers = [name for name in EMPTY if name not in ("label", "set", "map_name")]
    assert all(read[name].mask.tolist() == [False, True] for name in numbers)
    assert read["answered"].tolist() == [True, False]
    assert [str(text) for text in read["label"].filled("")] == ["FRII", ""]
    assert (read["hdu"][0], read["islands"][0]) == (1, 2)
    assert (str(read["total_jy"].unit), str(read["rms_jy_per_beam"].unit), str(read["size_arcsec"].unit)) == ("Jy", "Jy / beam", "arcsec")


def test_fits_has_a_number_for_no_hdu_and_nan_for_no_position(table):
    with fits.open(io.BytesIO(as_fits(table)), checksum=True) as hdus:
        header, rows = hdus[1].header, hdus[1].data
        assert header["TNULL3"] == -1
        assert rows["hdu"].tolist() == [1, -1]
        assert np.isnan(rows["ra_deg"][1])


def test_python_s_tables_are_masked_and_missing(table):
    sky = as_astropy(table)
    assert all(sky[name].mask.tolist() == [False, True] for name in EMPTY)
    assert sky["p_frii"][0] == ANSWER["p_frii"]
    assert (str(sky["ra_deg"].unit), sky["ra_deg"].meta["ucd"]) == ("deg", "pos.eq.ra;meta.main")


def test_no_position_is_no_place_on_the_sky(table):
    """SkyCoord drops the masks of a table's columns, and takes what lies below them."""
    sky = as_astropy(table)
    assert np.isnan(SkyCoord(sky["ra_deg"], sky["dec_deg"]).ra).tolist() == [False, True]


def test_texts_are_read_back_from_every_form(file):
    names = ("source_id", "label", "flag_names", "model")
    expected = {"source_id": ["a", "b"], "label": ["FRII", ""], "flag_names": ["", "empty_file"], "model": ["c4-attention 0", "m"]}
    assert read_texts(file, names) == expected


def test_tables_of_old_are_read_alike(tmp_path):
    """They have empty texts, which astropy masks in FITS, and nan."""
    old = {"file": ["a", "b"], "label": ["FRII", ""], "p_frii": [0.9, float("nan")]}
    pq.write_table(pa.table(old), tmp_path / "c.parquet")
    pyarrow.csv.write_csv(pa.table(old), tmp_path / "c.csv")
    Table(old).write(tmp_path / "c.fits")
    Table(old).write(tmp_path / "c.vot", format="votable")
    for suffix in SUFFIXES:
        assert read_texts(tmp_path / f"c{suffix}", ("file", "label")) == {"file": ["a", "b"], "label": ["FRII", ""]}


def test_digits_are_those_that_mean_something(table):
    line = as_csv(table).decode().splitlines()[1]
    assert (
        line == '"a","a.fits",1,150.1234568,-0.1,true,"FRII",0.123457,0.876543,0.5,1,"FRI|FRII",false,0.948529,0,"",'
        ',0.012345679,0.05,0.00015,61.23,0.3457,2,11.34,0,-2.6,1.8,0.1,0.9,150.12,-0.1,0.1235,"a-1","c4-attention 0"'
    )
    assert b"<TD>150.1234568</TD>" in as_votable(table)
    with fits.open(io.BytesIO(as_fits(table))) as hdus:
        assert (hdus[1].header["TDISP4"], hdus[1].header["TDISP8"]) == ("F12.7", "F11.6")
        assert hdus[1].data["ra_deg"][0] == ANSWER["ra_deg"], "bit for bit"


ABOUT = {
    "version": "equiradio 1.0", "model": "c4-attention 0", "members": 3, "poses": 2, "temperature": 1.25, "threshold": 0.875,
    "command": "equiradio classify 'größe 1.fits' --out c.vot",
}  # fmt: skip


@pytest.fixture
def signed(table):
    """The table with what made it."""
    return table.cast(with_provenance(table.schema, ABOUT))


def test_a_votable_says_what_made_it_and_in_which_frame_positions_are(signed):
    (resource,) = votable.parse(io.BytesIO(as_votable(signed))).resources
    said = {info.name: info.value for info in resource.infos} | {parameter.name: parameter.value for parameter in resource.params}
    assert said == ABOUT
    assert [frame.system for frame in resource.coordinate_systems] == ["ICRS"]
    of = {field.name: field for field in resource.tables[0].fields}
    assert {name for name, field in of.items() if field.ref == resource.coordinate_systems[0].ID} == {
        name for name in of if name.endswith("_deg")
    }
    for field in catalogue_schema():
        assert of[field.name].ucd == field.metadata[b"ucd"].decode()
        assert " ".join(of[field.name].description.split()) == field.metadata[b"description"].decode()  # astropy breaks lines
    assert (of["ra_deg"].precision, of["p_frii"].precision, of["uncertain"].datatype) == ("7", "6", "boolean")


def test_a_fits_table_says_the_same_in_cards(signed):
    with fits.open(io.BytesIO(as_fits(signed)), checksum=True) as hdus:
        header = hdus["CATALOGUE"].header
        said = {entry.name: header[entry.card] for entry in ENTRIES if entry.card in header}
        assert said == ABOUT | {"command": "equiradio classify 'gr\\xf6\\xdfe 1.fits' --out c.vot"}
        for number, field in enumerate(catalogue_schema(), 1):
            assert header[f"TTYPE{number}"] == field.name
            assert header[f"TUCD{number}"] == field.metadata[b"ucd"].decode()
            assert header[f"TCOMM{number}"] == field.metadata[b"description"].decode()


def test_parquet_says_the_same_in_its_metadata(signed, tmp_path):
    write_catalogue(signed, tmp_path / "c.parquet")
    metadata = pq.read_schema(tmp_path / "c.parquet").metadata
    assert {name: metadata[name.encode()].decode() for name in ABOUT} == {name: str(value) for name, value in ABOUT.items()}


def test_a_command_line_can_be_repeated_and_is_no_longer_than_it_may_be():
    assert command_line(["classify", "a b.fits"]) == "equiradio classify 'a b.fits'"
    long = command_line(["classify", *(f"{k:05d}.fits" for k in range(1000)), "--out", "c.fits"])
    assert len(long) <= LONGEST + 5
    assert long.startswith("equiradio classify 00000.fits")
    assert long.endswith("00999.fits --out c.fits")


@pytest.mark.parametrize("form", ["fits", "votable"])
def test_stilts_reads_every_product_without_a_warning(signed, tmp_path, form):
    if shutil.which("stilts") is None:
        pytest.skip("no stilts here: apt-get install stilts")
    path = tmp_path / ("c.fits" if form == "fits" else "c.vot")
    write_catalogue(signed, path)
    stilts = lambda *words: subprocess.run(["stilts", *words], capture_output=True, text=True, check=True, timeout=120)
    if form == "votable":
        lint = stilts("votlint", str(path))
        assert (lint.stdout, lint.stderr) == ("", "")
    about = stilts("tpipe", f"in={path}", "omode=meta")
    assert about.stderr == ""
    for field in catalogue_schema():
        assert field.metadata[b"description"].decode() in about.stdout
    assert ABOUT["model"] in about.stdout
    rows = stilts(
        "tpipe", f"in={path}", "ofmt=csv", "cmd=select !answered", "cmd=keepcols 'source_id hdu ra_deg label p_frii map_agreement'"
    )
    assert rows.stdout.splitlines()[1:] == ["b,,,,,"]


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
def test_whole_numbers_of_a_catalogue_are_missing_where_they_were(kind, tmp_path):
    """Also where the number that FITS would have for a null is among them."""
    limits = np.iinfo({"int8": "int16", "uint8": "int16", "uint16": "int32", "uint32": "int64"}.get(kind, kind))
    own = np.iinfo(kind)
    values = [0, None, max(own.min, limits.min), own.max, None, 1]
    written = pa.table({"number": pa.array(values, kind), "whole": pa.array([3] * 6, kind)})
    for form, content in (("fits", as_fits(written)), ("votable", as_votable(written))):
        read = Table.read(io.BytesIO(content), format=form)
        assert [None if value is np.ma.masked else int(value) for value in read["number"]] == values, form
        assert list(read["whole"]) == [3] * 6
    header = fits.open(io.BytesIO(as_fits(written)))[1].header
    assert header["TNULL1"] not in values
    assert "TNULL2" not in header


def test_truths_are_missing_where_they_were(tmp_path):
    written = pa.table({"resolved": pa.array([True, None, False]), "sure": pa.array([True, False, True])})
    read = Table.read(io.BytesIO(as_fits(written)), format="fits")
    assert [None if value is np.ma.masked else bool(value) for value in read["resolved"]] == [True, None, False]
    assert read["sure"].dtype == bool
    read = Table.read(io.BytesIO(as_votable(written)), format="votable")
    assert [None if value is np.ma.masked else bool(value) for value in read["resolved"]] == [True, None, False]
