"""Catalogues as finders write them; and bad ones, each with one line that says what was found, what is expected and what to do."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.coordinates import FK5, SkyCoord
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from astropy.utils.masked import Masked

from equiradio.datasets.imports.tables import Columns
from equiradio.errors import Refusal
from equiradio.labels import FANAROFF_RILEY
from equiradio.survey.catalogue import Chosen, sources_of
from equiradio.survey.groups import targets_of
from equiradio.survey.schema import output_names
from equiradio.survey.tables import read_catalogue


def parquet(tmp_path, **columns):
    file = tmp_path / "c.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def votable(tmp_path, unit="deg", system=None, **columns):
    table = Table(columns)
    table["ra"].unit = unit
    file = tmp_path / "c.vot"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(file, format="votable")
    if system:
        text = file.read_text()
        text = text.replace("<TABLE", f'<COOSYS ID="sys" system="{system}"/><TABLE', 1).replace('name="ra"', 'name="ra" ref="sys"', 1)
        file.write_text(text)
    return file


def two_frames(tmp_path):
    """Equatorial columns first, galactic ones behind them."""
    file = votable(tmp_path, system="ICRS", ra=RA, dec=DEC, lon=RA, lat=DEC)
    text = file.read_text().replace("<TABLE", '<COOSYS ID="gal" system="galactic"/><TABLE', 1)
    file.write_text(text.replace('name="lon"', 'name="lon" ref="gal"', 1))
    return file


def fits_table(tmp_path, cards, **columns):
    Table(columns, meta=cards).write(tmp_path / "c.fits")
    return tmp_path / "c.fits"


def written(tmp_path, text, name="c.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


RA, DEC = np.array([10.0, 11.0, 12.0]), np.array([1.0, 2.0, 3.0])
WIDE = np.linspace(0.1, 23.9, 50), np.linspace(-60, 60, 50)
BAD = {
    "no file": (lambda t: t / "none.vot", {}, "no such file or folder"),
    "no table's suffix": (lambda t: written(t, "x", "c.doc"), {}, r"ends in '\.doc'"),
    "empty folder": (lambda t: t, {}, "a folder without any .parquet"),
    "a web page": (lambda t: written(t, "<html>404</html>", "c.vot"), {}, "cannot be read"),
    "cut short": (lambda t: written(t, "PAR1nothing", "c.parquet"), {}, "cannot be read"),
    "uneven rows": (lambda t: written(t, "ra,dec\n1,2\n3\n"), {}, "cannot be read"),
    "no rows": (lambda t: written(t, "ra,dec\n"), {}, "no rows, columns ra, dec"),
    "no bytes": (lambda t: written(t, ""), {}, "c.csv"),
    "one name twice": (lambda t: written(t, "ra,dec,f,f\n1,2,3,4\n"), {}, "f more than once among its columns"),
    "no positions": (lambda t: parquet(t, flux=RA, size=DEC), {}, "no columns of right ascension and declination"),
    "galactic": (lambda t: parquet(t, glon=RA, glat=DEC), {}, "galactic glon"),
    "B1950": (lambda t: parquet(t, RAB1950=RA, DEB1950=DEC), {}, "B1950 RAB1950"),
    "frame FK4": (lambda t: votable(t, system="eq_FK4", ra=RA, dec=DEC), {}, "positions in eq_FK4; expected ICRS"),
    "galactic, named": (lambda t: parquet(t, GLON=RA, GLAT=DEC), {"ra": "GLON", "dec": "GLAT"}, "positions in galactic; expected ICRS"),
    "B1950, named": (
        lambda t: parquet(t, RAB1950=RA, DEB1950=DEC),
        {"ra": "RAB1950", "dec": "DEB1950"},
        "positions in B1950; expected ICRS",
    ),
    "equinox 1950": (lambda t: fits_table(t, {"EQUINOX": 1950.0}, ra=RA, dec=DEC), {}, "positions in FK4; expected ICRS"),
    "two frames, the other one named": (two_frames, {"ra": "lon", "dec": "lat"}, "positions in galactic; expected ICRS"),
    "hours by unit": (lambda t: votable(t, unit=units.hourangle, ra=RA, dec=DEC), {}, r"ra is in .*Multiply it by 15"),
    "hours by range": (lambda t: parquet(t, ra=WIDE[0], dec=WIDE[1]), {}, "hours[?]; expected degrees"),
    "hours, with an equinox": (
        lambda t: votable(t, unit="hours (J2000)", ra=RA, dec=DEC),
        {},
        r"ra is in hours \(J2000\).*Multiply it by 15",
    ),
    "an equinox in the unit": (lambda t: votable(t, unit="deg (B1950.0)", ra=RA, dec=DEC), {}, "positions in B1950; expected ICRS"),
    "an epoch in the unit": (lambda t: votable(t, unit="deg (J2015.5)", ra=RA, dec=DEC), {}, r"positions in J2015\.5; expected ICRS"),
    "a frame in the unit": (lambda t: votable(t, unit="Deg, Galactic", ra=RA, dec=DEC), {}, "positions in galactic; expected ICRS"),
    "no angle": (lambda t: votable(t, unit="Jy", ra=RA, dec=DEC), {}, "ra is in Jy; expected degrees"),
    "radians": (lambda t: votable(t, unit=units.rad, ra=RA, dec=DEC), {}, "ra is in rad"),
    "arcseconds": (lambda t: votable(t, unit=units.arcsec, ra=RA, dec=DEC), {}, "ra is in arcsec; expected degrees"),
    "sexagesimal": (lambda t: parquet(t, ra=["12:30:01.5"], dec=["+01:02:03"]), {}, "'12:30:01.5' in row 1: sexagesimal"),
    "sexagesimal of whole seconds": (lambda t: written(t, "ra,dec\n12:30:01,+01:02:03\n"), {}, "'12:30:01' in row 1: sexagesimal"),
    "words": (lambda t: parquet(t, ra=["10", "here"], dec=["1", "2"]), {}, "'here' in row 2: no number"),
    "truths": (lambda t: parquet(t, ra=[True], dec=[False]), {}, "ra holds bool"),
    "beyond the sky": (lambda t: parquet(t, ra=RA, dec=DEC + 88), {}, r"dec is 91 in row 3 \(1 of 3 rows\)"),
    "negative": (lambda t: parquet(t, ra=RA - 20, dec=DEC), {}, "Add 360 to negative ones"),
    "no numbers at all": (lambda t: parquet(t, ra=RA * np.nan, dec=DEC), {}, "hold no position in 3 rows"),
    "one name": (
        lambda t: parquet(t, id=["x"] * 100_000, ra=np.full(100_000, 5.0), dec=np.zeros(100_000)),
        {},
        "100,000 of 100,000 rows share",
    ),
    "no such column": (lambda t: parquet(t, ra=RA, dec=DEC), {"ra": "rra", "dec": "dec"}, r"no column 'rra' \(--ra\).*Did you mean ra"),
    "half a position": (lambda t: parquet(t, ra=RA, dec=DEC), {"ra": "ra"}, "--ra --dec: one of the two"),
    "no such names": (lambda t: parquet(t, ra=RA, dec=DEC), {"id": "who"}, "no column 'who'"),
    "no such group": (lambda t: parquet(t, ra=RA, dec=DEC), {"group": "isl"}, r"no column 'isl' \(--group\)"),
    "lists as names": (lambda t: parquet(t, ra=RA, dec=DEC, id=[[1], [2], [3]]), {}, "id holds list"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_catalogue_is_one_line(case, tmp_path):
    make, chosen, words = BAD[case]
    with pytest.raises(Refusal, match=words) as caught:
        sources_of(make(tmp_path), Chosen(**chosen))
    line = str(caught.value)
    assert "\n" not in line
    assert "; expected " in line


@pytest.mark.parametrize(
    ("columns", "ra", "name"),
    [
        (("Source_id", "Isl_id", "RA", "DEC"), "RA", "Source_id"),
        (("Gaus_id", "Source_id", "RA", "DEC"), "RA", "Gaus_id"),
        (("island_id", "component_id", "ra_deg_cont", "dec_deg_cont"), "ra_deg_cont", "component_id"),
        (("island", "source", "ra", "dec", "uuid"), "ra", "uuid"),
        (("_RAJ2000", "_DEJ2000", "FIRST"), "_RAJ2000", None),
        (("Source", "RAdeg", "DEdeg"), "RAdeg", "Source"),
    ],
)
def test_finders_columns_are_recognised(columns, ra, name, tmp_path):
    place = {"ra": RA, "dec": DEC, "_r": RA, "_d": DEC}
    sources = sources_of(
        parquet(tmp_path, **{each: place.get(each.lower()[:2].replace("de", "dec"), [1, 2, 3]) for each in columns}), Chosen()
    )
    assert (sources.columns.ra, sources.columns.id) == (ra, name)
    assert sources.names.tolist() == (["row-1", "row-2", "row-3"] if name is None else ["1", "2", "3"])
    assert np.array_equal(sources.ra_deg, RA)


@pytest.mark.parametrize("name", ["Source", "SOURCE", "Names", "ID", "source_IDs", "Component_Name", "Gaus_id", "Name "])
def test_names_have_one_rule_in_catalogues_and_in_labelled_tables(name, tmp_path):
    columns = {"RA": RA, "DEC": DEC, "label": ["a", "b", "c"], name: ["x", "y", "z"], f"other_{name}": [1, 2, 3]}
    assert Columns("table", columns).column("source_id") == name
    assert sources_of(parquet(tmp_path, **columns), Chosen()).names.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("pair", [("Name", "NAME"), ("NAME", "Name")])
def test_of_names_that_differ_in_case_the_first_is_taken(pair, tmp_path):
    columns = {"ra": RA, "dec": DEC, pair[0]: ["x", "y", "z"], pair[1]: [1, 2, 3]}
    assert Columns("table", columns).column("source_id") == pair[0]
    assert sources_of(parquet(tmp_path, **columns), Chosen()).columns.id == pair[0]


def test_every_form_gives_the_same_columns_and_units(tmp_path):
    columns = {"name": ["a", "b", "c"], "ra": RA, "dec": DEC, "flux": [1.5, 2.5, 3.5], "count": [1, 2, 3]}
    table = Table(columns, units={"ra": "deg", "dec": "deg", "flux": "mJy"})
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    pa.csv.write_csv(pa.table(columns), tmp_path / "c.csv")
    table.write(tmp_path / "c.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(tmp_path / "c.vot", format="votable")
    for name in ("c.parquet", "c.csv", "c.fits", "c.vot"):
        read = read_catalogue(tmp_path / name)
        assert read.to_pydict() == pa.table(columns).to_pydict()
        if name in ("c.fits", "c.vot"):
            assert read.schema.field("flux").metadata[b"unit"] == b"mJy"


def test_masked_cells_are_null(tmp_path):
    table = Table({"ra": RA, "dec": DEC, "n": np.ma.array([1, 2, 3], mask=[False, True, False])}, masked=True)
    table.write(tmp_path / "c.fits")
    assert read_catalogue(tmp_path / "c.fits")["n"].to_pylist() == [1, None, 3]


def test_decimals_that_a_votable_states_are_not_handed_on(tmp_path):
    """astropy prints whatever is computed from such a column with them."""
    fields = '<FIELD name="ra" datatype="double" unit="deg" width="7" precision="3"/><FIELD name="dec" datatype="double" precision="3"/>'
    row = "<DATA><TABLEDATA><TR><TD>150.1234567</TD><TD>2.5</TD></TR></TABLEDATA></DATA>"
    space = 'version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"'
    (tmp_path / "c.vot").write_text(f"<VOTABLE {space}><RESOURCE><TABLE>{fields}{row}</TABLE></RESOURCE></VOTABLE>")
    table = read_catalogue(tmp_path / "c.vot")
    assert table["ra"].to_pylist() == [150.1234567]
    assert set(table.schema.field("ra").metadata) == {b"unit"}


@pytest.mark.parametrize(
    "unit",
    ["Deg", "deg.", "degrees", "DEGREE", "deg (J2000)", "deg, J2000.0", "degrees (equinox 2000)", "decimal degrees", "deg [ICRS]", "°"],
)
def test_units_that_can_only_mean_degrees_are_taken(unit, tmp_path):
    assert np.array_equal(sources_of(votable(tmp_path, unit=unit, ra=RA, dec=DEC), Chosen()).ra_deg, RA)


def test_of_two_frames_the_one_of_the_columns_chosen_counts(tmp_path):
    sources = sources_of(two_frames(tmp_path), Chosen())
    assert np.array_equal(sources.ra_deg, RA)
    assert not sources.table.schema.field("lon").metadata


def test_words_of_a_csv_stay_words(tmp_path):
    """NA is a name as others; what is missing among numbers is missing; names of digits keep their zeros."""
    text = 'id,ra,dec,host,count,code\n00123,10,1,NA,1,7\n00124,11,2,"",NA,8\n124,12,3,M87,3,9\n'
    read = read_catalogue(written(tmp_path, text), "id")
    assert read["id"].to_pylist() == ["00123", "00124", "124"]
    assert read["host"].to_pylist() == ["NA", None, "M87"]
    assert read["count"].to_pylist() == [1, None, 3]
    assert sources_of(written(tmp_path, text), Chosen()).names.tolist() == ["00123", "00124", "124"]
    assert sources_of(written(tmp_path, text), Chosen(id="code")).names.tolist() == ["7", "8", "9"]
    assert sources_of(written(tmp_path, text), Chosen(id="code")).table["code"].type == pa.int64()


def test_the_heading_of_pybdsf_is_read(tmp_path):
    remarks = "# Source list for 'm0.fits'\n# Generated by PyBDSF\n# Equinox : 2000.0 \n \n"
    text = remarks + "# Source_id, Isl_id, RA, DEC\n0, 0, 10.5, 1.25\n1, 1, 11, 2\n"
    sources = sources_of(written(tmp_path, text), Chosen())
    assert sources.names.tolist() == ["0", "1"]
    assert (sources.ra_deg.tolist(), sources.dec_deg.tolist()) == ([10.5, 11.0], [1.25, 2.0])


def test_partitioned_parquet_as_in_hats_is_read(tmp_path):
    for pixel in (3, 4):
        folder = tmp_path / "dataset" / "Norder=1" / "Dir=0"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": [f"p{pixel}"], "ra": [float(pixel)], "dec": [0.0]}), folder / f"Npix={pixel}.parquet")
    pq.write_table(pa.table({"other": [1]}), tmp_path / "dataset" / "_metadata.parquet")
    assert sources_of(tmp_path, Chosen()).names.tolist() == ["p3", "p4"]


def test_of_a_hats_collection_the_catalogue_alone_is_read(tmp_path):
    """As LSDB writes one: statistics lie beside the partitions, and a margin repeats rows."""
    for part, name in (("sky/dataset", "own"), ("sky_5arcs/dataset", "again"), ("sky", "statistics")):
        (tmp_path / part).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": [name], "ra": [1.0], "dec": [0.0]}), tmp_path / part / "a.parquet")
    properties = tmp_path / "collection.properties"
    properties.write_text("#HATS Collection\nobs_collection=sky\nhats_primary_table_url=sky\nall_margins=sky_5arcs\n")
    assert sources_of(tmp_path, Chosen()).names.tolist() == ["own"]
    properties.write_text("hats_primary_table_url = other\n")
    with pytest.raises(Refusal, match=r"collection.properties: hats_primary_table_url 'other', which is no folder there"):
        read_catalogue(tmp_path)


def test_positions_of_a_database_s_decimals_are_read(tmp_path):
    decimals = lambda *values: pa.array(values).cast(pa.decimal128(9, 4))
    sources = sources_of(parquet(tmp_path, ra=decimals(10.5, None), dec=decimals(1.25, 2.0)), Chosen())
    np.testing.assert_array_equal(sources.ra_deg, [10.5, np.nan])
    np.testing.assert_array_equal(sources.dec_deg, [1.25, 2])


def test_positions_that_are_no_number_stay_rows(tmp_path):
    file = parquet(tmp_path, id=["a", "b", "c", None], ra=[1.0, np.nan, np.inf, None], dec=[1.0, 2.0, 3.0, 4.0])
    sources = sources_of(file, Chosen())
    assert np.isfinite(sources.ra_deg).tolist() == [True, False, False, False]
    assert sources.names.tolist() == ["a", "b", "c", "row-4"]


def test_columns_of_ours_come_back_under_another_name():
    names = output_names("c", ["Source_ID", "flux", "label", "ra"], FANAROFF_RILEY)
    assert names == {"Source_ID": "input_Source_ID", "flux": "flux", "label": "input_label", "ra": "ra"}
    with pytest.raises(Refusal, match="columns 'label' and 'Input_Label', which would both be called"):
        output_names("c", ["label", "Input_Label"], FANAROFF_RILEY)


def test_components_become_one_source_at_their_middle(tmp_path):
    file = parquet(tmp_path, uuid=["a", "b", "c", "d"], isl=["1", "2", "1", None], ra=[359.9, 20.0, 0.1, 30.0], dec=[0.0, 5.0, 0.0, np.nan])
    sources = sources_of(file, Chosen(group="isl"))
    targets = targets_of("c", sources, np.array(["1", "2", "1", ""], object))
    assert (targets.names.tolist(), targets.row.tolist()) == (["1", "2", "d"], [0, 1, 3])
    assert targets.members == [["a", "c"], ["b"], ["d"]]
    assert (targets.ra_deg[0] + 180) % 360 - 180 == pytest.approx(0.0, abs=1e-9)
    assert (targets.ra_deg[1], targets.dec_deg[1]) == (20.0, 5.0)
    assert np.isnan(targets.ra_deg[2])


def test_numbers_that_begin_anew_in_each_field_are_no_groups(tmp_path):
    sources = sources_of(parquet(tmp_path, uuid=["a", "b"], ra=[10.0, 14.0], dec=[0.0, 0.0]), Chosen())
    with pytest.raises(Refusal, match=r"components of '1' lie 2 deg from their middle \(1 such sources\)"):
        targets_of("c", sources, np.array(["1", "1"], object))


def sky_coordinates(tmp_path, kind, **columns):
    """A table of astropy with positions as it writes them."""
    file = tmp_path / f"c.{kind}"
    Table(columns).write(file, format=kind)
    return file


@pytest.mark.parametrize("kind", ["fits", "parquet"])
def test_positions_that_astropy_holds_as_one_column_are_read(tmp_path, kind):
    place = SkyCoord(RA, DEC, unit="deg")
    file = sky_coordinates(tmp_path, kind, name=["a", "b", "c"], flux=[1.0, 2.0, 3.0] * units.mJy, coord=place, seen=Time(RA, format="mjd"))
    sources = sources_of(file, Chosen())
    assert (sources.columns.ra, sources.columns.dec) == ("coord.ra", "coord.dec")
    assert np.allclose([sources.ra_deg, sources.dec_deg], [RA, DEC], rtol=0, atol=1e-12)
    assert sources.names.tolist() == ["a", "b", "c"]
    assert "flux" in sources.table.column_names


@pytest.mark.parametrize("kind", ["fits", "parquet"])
@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("fk4", "positions in fk4; expected ICRS"),
        ("galactic", r"no columns of right ascension and declination \(galactic coord.l\)"),
        (FK5(equinox="J1975"), "positions in fk5 of J1975; expected ICRS"),
    ],
    ids=str,
)
def test_those_of_another_frame_are_refused(tmp_path, kind, frame, words):
    file = sky_coordinates(tmp_path, kind, coord=SkyCoord(RA, DEC, unit="deg").transform_to(frame))
    with pytest.raises(Refusal, match=words):
        sources_of(file, Chosen())
    named = Chosen(ra="coord.l", dec="coord.b") if frame == "galactic" else Chosen(ra="coord.ra", dec="coord.dec")
    with pytest.raises(Refusal, match="expected ICRS"):
        sources_of(file, named)


@pytest.mark.parametrize("kind", ["fits", "parquet"])
def test_of_two_such_columns_one_has_to_be_named(tmp_path, kind):
    place = SkyCoord(RA, DEC, unit="deg")
    file = sky_coordinates(tmp_path, kind, peak=place, middle=place)
    with pytest.raises(Refusal, match=r"Name them by --ra and --dec, for example peak.ra and peak.dec."):
        sources_of(file, Chosen())
    assert np.allclose(sources_of(file, Chosen(ra="middle.ra", dec="middle.dec")).ra_deg, RA)


def test_cells_that_astropy_masks_are_missing_and_their_masks_no_columns(tmp_path):
    masked = {"ra": MaskedColumn(RA, mask=[0, 1, 0]), "z": MaskedColumn([0.5, 1.5, 99.9], mask=[0, 0, 1])}
    place = SkyCoord(Masked(RA * units.deg, mask=[1, 0, 0]), DEC * units.deg)
    file = sky_coordinates(tmp_path, "parquet", name=["a", "b", "c"], dec=DEC, coord=place, **masked)
    table = read_catalogue(file)
    assert table["z"].to_pylist() == [0.5, 1.5, None]
    assert table.column_names == ["name", "dec", "coord.ra", "coord.dec", "ra", "z"]
    assert np.isnan(sources_of(file, Chosen()).ra_deg).tolist() == [False, True, False]
    assert np.isnan(sources_of(file, Chosen(ra="coord.ra", dec="coord.dec")).ra_deg).tolist() == [True, False, False]


def test_of_a_folder_those_files_alone_have_masks_that_mask_something(tmp_path):
    for number, mask in enumerate((False, True)):
        ra = MaskedColumn([10.0], mask=[mask])
        Table({"ra": ra if mask else [10.0], "dec": [1.0], "x.mask": [True]}).write(tmp_path / f"{number}.parquet")
    table = read_catalogue(tmp_path)
    assert table.to_pydict() == {"ra": [10.0, None], "dec": [1.0, 1.0], "x.mask": [True, True]}


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_columns_may_stand_between_other_marks_than_commas(tmp_path, mark):
    lines = ["name,ra,dec,note", "a,10,1,x", "b,11,2,"]
    sources = sources_of(written(tmp_path, "# of a spreadsheet\n" + "\n".join(lines).replace(",", mark)), Chosen())
    assert (sources.ra_deg.tolist(), sources.names.tolist()) == ([10, 11], ["a", "b"])


def test_decimal_commas_are_named(tmp_path):
    with pytest.raises(Refusal, match="ra is '10,5' in row 1: a comma in place of a point; expected decimal degrees"):
        sources_of(written(tmp_path, "name;ra;dec\na;10,5;1,5\n"), Chosen())


def test_times_and_days_of_a_csv_stay_the_words_they_are(tmp_path):
    words = {"day": "2019-05-01", "clock": "12:30:00", "stamp": "2019-05-01T12:30:00", "zone": "2019-05-01 12:30:00Z"}
    table = read_catalogue(written(tmp_path, f"name,ra,dec,{','.join(words)}\na,10,1,{','.join(words.values())}\nb,11,2,,,,\n"))
    assert {name: table.column(name).to_pylist() for name in words} == {name: [word, None] for name, word in words.items()}
    assert str(table.schema.field("ra").type) == "int64"


def test_complex_numbers_are_named(tmp_path):
    Table({"ra": RA, "dec": DEC, "vis": np.array([1 + 2j] * len(RA))}).write(tmp_path / "t.fits")
    with pytest.raises(Refusal, match="vis holds complex numbers; expected numbers or words"):
        read_catalogue(tmp_path / "t.fits")


def test_of_positions_that_are_no_numbers_the_one_that_says_nothing_is_named(tmp_path):
    """NaN and null are read in a column of numbers; beside -- the column is one of words."""
    with pytest.raises(Refusal, match="ra is '--' in row 3: no number"):
        sources_of(written(tmp_path, "name,ra,dec\na,NaN,1\nb,null,2\nc,--,2\nd,10,3\n"), Chosen())


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2)])
def test_names_that_are_bytes_are_read_whatever_they_hold(tmp_path, kind):
    names = pa.array([b"ab", b"\xe9c"], kind)
    pq.write_table(pa.table({"name": names, "ra": RA[:2], "dec": DEC[:2]}), tmp_path / "t.parquet")
    assert sources_of(tmp_path / "t.parquet", Chosen()).names.tolist() == ["ab", "\ufffdc"]
