"""What the guide shows of other packages runs, where they are installed: HATS by hats-import, LSDB, hyrax."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from survey_files import positions, table_of, write_catalogue, write_mosaics

from equiradio.errors import SettingRefusal
from equiradio.inference.team import load
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.positions import from_pixel
from equiradio.survey.catalogue import Chosen
from equiradio.survey.merge import merge
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey
from equiradio.survey.tables import read_catalogue

GUIDE = (Path(__file__).parents[3] / "docs/how-to/survey.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"the package {package} is not installed")


def shown(package):
    """The block of the guide that imports a package."""
    (block,) = [block for block in BLOCKS if re.search(rf"^(import|from) {package}\b", block, re.MULTILINE)]
    return block


def run(code, folder, **replaced):
    """Run a block as a script of its own in a folder, as whoever copies it would."""
    for old, new in replaced.items():
        assert old in code
        code = code.replace(old, new)
    (folder / "recipe.py").write_text(code, encoding="utf-8")
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "recipe.py"], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def mosaics(tmp_path):
    return write_mosaics(tmp_path / "mosaics")


def rows_of(folder):
    """Rows of a HATS catalogue by source, with the names of its partitions."""
    files = sorted((folder / "dataset").rglob("Npix=*.parquet"))
    table = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
    return {row.get("source_id") or row["name"]: row for row in table.to_pylist()}, table.schema


@needs("hats_import")
def test_a_survey_is_merged_to_a_hats_catalogue(mosaics, untrained, tmp_path):
    ra, _ = positions()
    ra[5] = float("nan")
    catalogue, lines = write_catalogue(tmp_path, table_of(ra=ra)), []
    survey(load(untrained("lenet"), "cpu"), Asked(catalogue, [str(mosaics[0].parent)]), tmp_path / "out", readers=0)
    where = tmp_path / "joined" / "classified.hats"
    assert merge(tmp_path / "out", where, page=False, note=lines.append) == where
    merged = {row["source_id"]: row for row in pq.read_table(merge(tmp_path / "out", page=False)).to_pylist()}
    placed, schema = rows_of(where)
    assert placed.keys() == merged.keys() - {"s5"}
    assert all(row.items() <= placed[name].items() for name, row in merged.items() if name != "s5")
    assert schema.field("flux").metadata[b"unit"] == b"mJy"
    assert read_catalogue(where).num_rows == 11
    assert lines == [f"{where}: 1 of 12 sources left out, which have no position"]
    assert json.loads(where.with_name("classified.hats.summary.json").read_text())["left_out"] == 1
    assert sorted(path.name for path in where.parent.iterdir()) == ["classified.hats", "classified.hats.summary.json"]
    with pytest.raises(SettingRefusal, match="exists and is not empty"):
        merge(tmp_path / "out", where)


@needs("hats_import")
def test_a_hats_catalogue_comes_back_as_one(mosaics, untrained, tmp_path):
    """Its own index is made anew, from the places looked at; in other forms it comes back as a column of the input."""
    team, images = load(untrained("lenet"), "cpu"), [str(mosaics[0].parent)]
    survey(team, Asked(write_catalogue(tmp_path, table_of()), images), tmp_path / "first", readers=0)
    first = merge(tmp_path / "first", tmp_path / "first.hats", page=False)
    placed = Chosen(ra="target_ra_deg", dec="target_dec_deg")
    survey(team, Asked(first, images, placed), tmp_path / "second", readers=0)
    (once, _), (again, _) = rows_of(first), rows_of(merge(tmp_path / "second", tmp_path / "second.hats", page=False))
    assert once.keys() == again.keys()
    for name, row in once.items():
        assert again[name]["_healpix_29"] == row["_healpix_29"]
        assert again[name]["p_frii"] == row["p_frii"]
    assert "_healpix_29" in pq.read_schema(merge(tmp_path / "second", page=False)).names


@needs("lsdb")
def test_a_catalogue_of_lsdb_is_classified_partition_by_partition(mosaics, untrained, tmp_path):
    cutouts = write_cutouts(mosaics, tmp_path / "cutouts")
    lsdb_catalogue(tmp_path / "cutouts-hats", cutout=list(map(str, cutouts.values())))
    run(shown("lsdb"), tmp_path, quick=str(untrained("lenet")))
    (folder,) = [file.parent for file in (tmp_path / "classified-hats").glob("*/properties") if "arcs" not in file.parent.name]
    placed, _ = rows_of(folder)
    assert placed.keys() == cutouts.keys()
    answers = load(untrained("lenet"), "cpu").classify(list(cutouts.values())).to_pandas()
    for name, row in zip(cutouts, answers.to_dict("records"), strict=True):
        assert placed[name]["p_fri"] == pytest.approx(row["p_fri"], rel=1e-6)  # a partition is a batch of another size
        assert (placed[name]["label"], placed[name]["uncertain"]) == (row["label"], row["uncertain"])


@needs("lsdb")
def test_of_a_collection_that_lsdb_wrote_the_catalogue_alone_is_read(tmp_path):
    lsdb_catalogue(tmp_path / "sky")
    assert (tmp_path / "sky" / "collection.properties").is_file()
    table = read_catalogue(tmp_path / "sky")
    assert sorted(table["name"].to_pylist()) == sorted(table_of()["name"].to_pylist())
    assert table["flux"].null_count == 0


@needs("hyrax")
def test_a_model_of_hyrax_answers_as_the_team(mosaics, untrained, tmp_path):
    cutouts = write_cutouts(mosaics, tmp_path / "cutouts")
    lines = run(shown("hyrax"), tmp_path, quick=str(untrained("lenet"))).splitlines()
    words = [line.split() for line in lines if line.startswith("s")]
    rows = {name: (float(fri), float(frii)) for name, fri, frii in words}
    assert rows.keys() == cutouts.keys()
    answers = load(untrained("lenet"), "cpu").classify(list(cutouts.values())).to_pandas()
    for name, row in zip(cutouts, answers.to_dict("records"), strict=True):
        assert rows[name] == pytest.approx((row["p_fri"], row["p_frii"]), rel=1e-6)


def write_cutouts(mosaics, folder):
    """A file for each source that lies well within the first mosaic, by name."""
    from astropy.io import fits

    folder.mkdir()
    files = {}
    with Mosaic(mosaics[0]) as mosaic:
        columns, rows = (places.round().astype(int) for places in mosaic.places(*positions()))
        for number, (column, row) in enumerate(zip(columns, rows, strict=True)):
            if 80 <= column < 380 and 80 <= row < 380:
                pixels = mosaic.image.pixels[row - 80 : row + 80, column - 80 : column + 80]
                files[f"s{number}"] = folder / f"s{number}.fits"
                header = from_pixel(mosaic.image.wcs, column - 80, row - 80, 160).to_header()
                fits.PrimaryHDU(pixels, header).writeto(files[f"s{number}"])
    return files


def lsdb_catalogue(folder, **more):
    """The sources, or the first of them where a column has fewer, in several partitions and with a margin."""
    table = table_of().to_pandas()
    for name, values in more.items():
        table = table.iloc[[int(Path(value).stem[1:]) for value in values]].assign(**{name: values})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what pandas will leave out one day
        import lsdb

        lsdb.from_dataframe(table, catalog_name="sky", partition_rows=4, highest_order=9).write_catalog(folder, progress_bar=False)
