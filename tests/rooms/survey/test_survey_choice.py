"""Files that hold several tables: the one with positions is the catalogue, or the one that is named; else a line names them all."""

import warnings

import pytest
from astropy.io import fits, votable
from astropy.table import Table
from survey_files import positions, write_mosaics

from equiradio.cli.main import main
from equiradio.errors import Refusal
from equiradio.survey.catalogue import Chosen, sources_of

ISLANDS = {"island_id": ["i0", "i1"], "n_components": [2, 1]}
PLACES = {"ra": [10.0, 11.0, 12.0], "dec": [1.0, 2.0, 3.0]}
COMPONENTS = {"component_id": ["c0", "c1", "c2"], **PLACES}


def several(tmp_path, kind, *tables):
    """A file with tables of these names and columns."""
    file = tmp_path / f"c.{kind}"
    made = [(name, Table(columns, dtype=[float] * 2 if columns == EMPTY else None)) for name, columns in tables]
    if kind == "fits":
        fits.HDUList([fits.PrimaryHDU(), *(fits.BinTableHDU(table, name=name) for name, table in made)]).writeto(file)
        return file
    whole = votable.tree.VOTableFile()
    for name, table in made:
        resource = votable.tree.Resource()
        whole.resources.append(resource)
        resource.tables.append(votable.from_table(table).get_first_table())
        resource.tables[0].name = name or None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole.to_xml(str(file))
    return file


EMPTY = {"ra": [], "dec": []}
KINDS = pytest.mark.parametrize("kind", ["fits", "vot"])


@KINDS
@pytest.mark.parametrize("first", [ISLANDS, EMPTY], ids=["no positions", "no rows"])
def test_the_only_table_with_positions_is_taken(tmp_path, kind, first):
    sources = sources_of(several(tmp_path, kind, ("islands", first), ("components", COMPONENTS)), Chosen())
    assert sources.names.tolist() == ["c0", "c1", "c2"]
    assert sources.columns.table.lower() == "2 components"


@KINDS
def test_columns_that_are_named_say_which_table_has_positions(tmp_path, kind):
    other = {"alpha": [5.0], "delta": [6.0]}
    file = several(tmp_path, kind, ("components", COMPONENTS), ("others", other))
    assert sources_of(file, Chosen()).ra_deg.tolist() == PLACES["ra"]
    assert sources_of(file, Chosen(ra="alpha", dec="delta")).ra_deg.tolist() == [5]


@KINDS
def test_of_two_with_positions_one_has_to_be_named(tmp_path, kind):
    file = several(tmp_path, kind, ("islands", ISLANDS | EMPTY | {"ra": [1.0, 2.0], "dec": [3.0, 4.0]}), ("gaussians", COMPONENTS))
    with pytest.raises(Refusal, match=r"(?i)2 of 2 tables hold positions \(1 islands, 2 gaussians\); expected one\.") as caught:
        sources_of(file, Chosen())
    assert str(caught.value).lower().endswith("choose with --table islands or --table gaussians.")
    for name in ("gaussians", "GAUSSIANS", "2"):
        assert sources_of(file, Chosen(table=name)).names.tolist() == ["c0", "c1", "c2"]
    with pytest.raises(Refusal, match=r"(?i)no table 'rms' \(--table\); expected one of 1 islands, 2 gaussians"):
        sources_of(file, Chosen(table="rms"))


@KINDS
@pytest.mark.parametrize("name", ["", "same", "two words"])
def test_tables_that_no_name_tells_apart_go_by_number(tmp_path, kind, name):
    file = several(tmp_path, kind, (name, COMPONENTS), (name if name != "two words" else "", COMPONENTS))
    with pytest.raises(Refusal, match=r"Choose with --table 1 or --table 2\."):
        sources_of(file, Chosen())
    assert len(sources_of(file, Chosen(table="2")).names) == 3
    if name == "same":
        with pytest.raises(Refusal, match="2 tables are called 'same'"):
            sources_of(file, Chosen(table="same"))


@KINDS
def test_where_none_has_positions_all_are_named(tmp_path, kind):
    file = several(tmp_path, kind, ("islands", ISLANDS), ("fluxes", {"s_int": [1.0, 2.0]}))
    with pytest.raises(Refusal, match=r"(?i)none of 2 tables has columns of .*1 islands, 2 fluxes.*and name them by --ra and --dec"):
        sources_of(file, Chosen())


def test_a_file_that_is_one_table_has_no_other(tmp_path):
    (tmp_path / "c.csv").write_text("ra,dec\n1,2\n")
    with pytest.raises(Refusal, match=r"one table, and --table 2; expected a FITS file or VOTable beside it\. Drop --table\."):
        sources_of(tmp_path / "c.csv", Chosen(table="2"))


def test_a_frame_within_a_nested_resource_counts(tmp_path):
    file = several(tmp_path, "vot", ("c", COMPONENTS))
    inner = '<RESOURCE><COOSYS ID="s" system="galactic"/><TABLE'
    text = file.read_text().replace("<TABLE", inner, 1).replace("</TABLE>", "</TABLE></RESOURCE>", 1)
    file.write_text(text.replace('name="ra"', 'name="ra" ref="s"', 1))
    with pytest.raises(Refusal, match="positions in galactic; expected ICRS"):
        sources_of(file, Chosen())


def test_the_command_takes_the_table_and_says_which(untrained, tmp_path, capsys):
    write_mosaics(tmp_path / "mosaics")
    ra, dec = positions()
    rows = {"component_id": [f"c{place}" for place in range(len(ra))], "ra": ra, "dec": dec}
    file = several(tmp_path, "fits", ("islands", rows), ("gaussians", rows))
    line = ["survey", "plan", str(file), "--images", str(tmp_path / "mosaics"), "--model", str(untrained("lenet"))]
    assert main([*line, "--out", str(tmp_path / "out")]) == 2
    assert "2 of 2 tables hold positions (1 ISLANDS, 2 GAUSSIANS)" in capsys.readouterr().err
    script = tmp_path / "survey.sh"
    assert main([*line, "--out", str(tmp_path / "out"), "--table", "gaussians", "--slurm", str(script)]) == 0
    assert "12 sources of table 2 GAUSSIANS in 2 of 2 images" in capsys.readouterr().out
    assert "--table gaussians" in script.read_text()
    assert main([*line, "--out", str(tmp_path / "out"), "--table", "islands"]) == 2
    assert "a survey with other table (gaussians there, islands asked)" in capsys.readouterr().err
