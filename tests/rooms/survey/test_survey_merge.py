"""Results of shards to one catalogue: every source once, in the order of the input, in every form; and the page about it."""

import json
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from survey_files import positions, write_mosaics

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.artefacts.provenance import with_provenance
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.labels import FANAROFF_RILEY
from equiradio.report.survey_figures import BINS, Sample, groups, shares, sky_map
from equiradio.sky.mosaic import Mosaic
from equiradio.sky.recipe import MIRABEST, Recipe
from equiradio.survey import merge as merging
from equiradio.survey.folder import Plan, SurveyFolder
from equiradio.survey.merge import merge
from equiradio.survey.merged_forms import flat, write_merged
from equiradio.survey.page import images_of
from equiradio.survey.schema import result_schema
from equiradio.survey.summary import classes_of

SOURCES, SIZE = 230, 50
INPUTS = [
    pa.field("Total_flux", pa.float64(), metadata={"unit": "mJy", "ucd": "phot.flux.density", "description": "of a finder"}),
    pa.field("name", pa.string()),
]


def row_of(place: int, image: str = "a.fits") -> dict:
    """Of the catalogue's row: every tenth has no answer, every seventh of the others is doubtful."""
    answered, unsure = place % 10 != 3, place % 7 == 0
    about = {
        "source_id": f"s{place}",
        "catalogue_row": place,
        "target_ra_deg": 150 + place / 100 if place % 20 != 3 else None,
        "target_dec_deg": 2.0 + place / 200 if place % 20 != 3 else None,
        "members": [f"c{place}", f"d{place}"],
        "Total_flux": place / 8,
        "name": None if place == 5 else f"é{place}",
        "flags": 0,
        "flag_names": "",
        "answered": answered,
        "features": [float(place)] * 3,
    }
    if not answered:
        names = "no_position" if place % 20 == 3 else "outside"
        return about | {"flag_names": names, "features": None, "uncertain": True}
    second = 0.5 + (place % 13) / 30 if place % 2 else 0.5 - (place % 13) / 30
    return about | {
        "file": image,
        "label": FANAROFF_RILEY.names[second > 0.5],
        "p_fri": 1 - second,
        "p_frii": second,
        "uncertain": unsure,
        "flag_names": "unusual other_beam" if place == 11 else "other_beam" if place % 2 else "",
        "total_jy": 1e-3 * (1 + place),
        "size_arcsec": 10.0 + place,
        "beams_across": 1 + place / 30,
    }


def written(folder, *, sources=SOURCES, size=SIZE, skip=(), twice=False, **changes) -> SurveyFolder:
    """A survey whose shards hold the sources in another order than the catalogue."""
    where, shards = SurveyFolder(folder), -(-sources // size)
    facts = {
        "fingerprint": "f00d",
        "job": {"hdu": None, "plane": None, "beam": None, "max_nonfinite": 0.05},
        "rows": sources + 9,
        "sources": sources,
        "shards": shards,
        "shard_size": size,
        "images": [{"file": "a.fits", "stamp": "1", "sources": sources}],
        "unusable": [],
        "counts": {},
        "columns": {},
        "renamed": {},
        "grouped": True,
        "features": True,
    }
    plan = Plan(**{key: value for key, value in facts.items() if key in Plan.__dataclass_fields__})
    where.write_plan(plan)
    places = np.random.default_rng(1).permutation(sources)
    if twice:
        places[0] = places[-1]
    schema = result_schema(catalogue_schema(FANAROFF_RILEY), INPUTS, grouped=True, features=True)
    schema = with_provenance(schema, {"version": "equiradio 0", "model": "quick"})
    for shard in set(range(shards)) - set(skip):
        rows = [row_of(int(place), **changes) for place in places[shard * size : (shard + 1) * size]]
        note = {"answered": sum(row["answered"] for row in rows), "seconds": {"total": 2.0, "reading": 0.5}, "rss_mb": 300.0 + shard}
        where.write_result(shard, plan, pa.Table.from_pylist(rows, schema=schema), note)
    return where


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return written(tmp_path_factory.mktemp("survey") / "out")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(merging, "PIECE", 64)


def expected(column: str) -> list:
    return [row_of(place).get(column) for place in range(SOURCES)]


def test_every_source_is_there_once_in_the_order_of_the_input(survey, tmp_path):
    out = merge(survey.folder, tmp_path / "all.parquet", page=False)
    table = pq.read_table(out)
    assert table.column("catalogue_row").to_pylist() == list(range(SOURCES))
    for column in ("source_id", "label", "p_frii", "members", "features", "Total_flux", "name", "file", "flag_names", "target_ra_deg"):
        assert table.column(column).to_pylist() == expected(column), column
    field = table.schema.field("Total_flux")
    assert (field.metadata[b"unit"], field.metadata[b"ucd"]) == (b"mJy", b"phot.flux.density")
    assert table.schema.metadata[b"survey_plan"] == b"f00d"
    assert table.schema.metadata[b"model"] == b"quick"
    assert b"survey_shard" not in table.schema.metadata
    assert pq.ParquetFile(out).metadata.num_row_groups == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.parquet", "all.parquet.summary.json"]


def test_unless_named_it_lies_in_the_survey_and_a_second_merge_writes_the_same(tmp_path):
    where = written(tmp_path / "out")
    first = merge(where.folder, page=False)
    assert first == where.folder / "catalogue.parquet"
    before = first.read_bytes()
    assert merge(where.folder, page=False).read_bytes() == before


def test_what_is_in_it_is_counted(survey, tmp_path):
    out = merge(survey.folder, tmp_path / "all.parquet", page=False)
    rows, numbers = [row_of(place) for place in range(SOURCES)], json.loads((tmp_path / "all.parquet.summary.json").read_text())
    answered = [row for row in rows if row["answered"]]
    assert (numbers["sources"], numbers["answered"]) == (SOURCES, len(answered))
    assert numbers["uncertain"] == sum(row["uncertain"] for row in answered)
    assert numbers["classes"] == {name: sum(row["label"] == name for row in answered) for name in ("FRI", "FRII")}
    assert list(numbers["classes"]) == ["FRI", "FRII"]
    names = " ".join(row["flag_names"] for row in rows).split()
    assert numbers["flags"] == {name: names.count(name) for name in set(names)}
    assert numbers["seconds"] == {"total": 10.0, "reading": 2.5}
    assert numbers["plan"] == "f00d"
    assert out.is_file()


def test_other_forms_hold_the_same_rows(survey, tmp_path):
    for name, how in (("all.fits", "fits"), ("all.vot", "votable")):
        table = Table.read(merge(survey.folder, tmp_path / name, page=False), format=how)
        table.convert_bytestring_to_unicode()
        assert list(table["source_id"]) == expected("source_id")
        assert table["members"][7] == "c7 d7"
        assert "features" not in table.colnames
        assert np.ma.is_masked(table["p_frii"][3]) or np.isnan(table["p_frii"][3])
        assert str(table["Total_flux"].unit) == "mJy"
        assert list(table["Total_flux"]) == expected("Total_flux")
    table = pyarrow.csv.read_csv(merge(survey.folder, tmp_path / "all.csv", page=False))
    assert table.column("source_id").to_pylist() == expected("source_id")
    assert table.column("p_frii").to_pylist() == [None if value is None else round(value, 6) for value in expected("p_frii")]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2)])
def test_bytes_are_text_in_forms_without_bytes(kind, tmp_path):
    table = pa.table({"tile": pa.array([b"P1", b"\xff2", None], kind)})
    write_merged(iter([table]), table.schema, tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text(encoding="utf-8").splitlines() == ['"tile"', '"P1"', '"\ufffd2"', ""]
    assert flat(table).column("tile").to_pylist() == ["P1", "\ufffd2", None]


@pytest.mark.parametrize(
    ("name", "said"), [("all.csv", True), ("all.fits", True), ("all.vot", True), ("all.parquet", False), ("all", False)]
)
def test_columns_that_a_form_cannot_hold_are_said(survey, tmp_path, name, said):
    notes = []
    merge(survey.folder, tmp_path / name, page=False, note=notes.append)
    line = f"{tmp_path / name}: left out features, which hold several numbers a source; Parquet keeps them"
    assert notes == ([line] if said else [])


def test_a_catalogue_that_several_processors_computed_says_so(tmp_path):
    where, notes = written(tmp_path / "out"), []
    plan = where.plan()
    for shard in range(plan.shards):
        table = pq.read_table(where.result_file(shard))
        schema = with_provenance(table.schema, {"computed_by": "a GPU" if shard == 1 else "CPU, avx2 kernels"})
        where.write_result(shard, plan, table.replace_schema_metadata(schema.metadata), {})
    out = merge(where.folder, tmp_path / "all.parquet", page=False, note=notes.append)
    assert notes == [f"{out}: computed by CPU, avx2 kernels and by a GPU, whose answers differ by rounding"]
    assert pq.read_schema(out).metadata[b"computed_by"] == b"CPU, avx2 kernels; a GPU"
    assert json.loads((tmp_path / "all.parquet.summary.json").read_text())["provenance"]["computed_by"] == "CPU, avx2 kernels; a GPU"


def test_a_folder_holds_the_pieces_in_order(survey, tmp_path):
    out = merge(survey.folder, tmp_path / "parts", page=False)
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"part-{number:06d}.parquet" for number in range(4)]
    assert pa.concat_tables([pq.read_table(file) for file in files]).column("source_id").to_pylist() == expected("source_id")
    with pytest.raises(SettingRefusal, match="exists and is not empty"):
        merge(survey.folder, out, page=False)


def test_what_is_not_whole_is_refused_and_leaves_nothing(tmp_path):
    lacking = written(tmp_path / "lacking", skip=(1, 3))
    with pytest.raises(RunRefusal, match=r"2 of 5 shards are not finished \(1, 3\)"):
        merge(lacking.folder, tmp_path / "all.parquet")
    doubled = written(tmp_path / "doubled", twice=True)
    with pytest.raises(RunRefusal, match=r"230 rows, 1 of them twice; expected each of 230 sources once"):
        merge(doubled.folder, tmp_path / "all.parquet")
    damaged = written(tmp_path / "damaged")
    file = damaged.result_file(2)
    file.write_bytes(file.read_bytes()[:-40] + bytes(40))
    with pytest.raises(RunRefusal, match=r"1 of 5 shards are not finished \(2\)"):
        merge(damaged.folder, tmp_path / "all.parquet")
    with pytest.raises(RunRefusal, match=r"no plan\.json"):
        merge(tmp_path / "nothing", tmp_path / "all.parquet")
    with pytest.raises(SettingRefusal, match=r"all\.txt"):
        merge(doubled.folder, tmp_path / "all.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "doubled", "lacking"]


def test_memory_does_not_grow_with_the_catalogue(tmp_path, monkeypatch):
    """Arrow's pool and Python's own, at their peaks, of a catalogue and of one four times as long."""
    monkeypatch.setattr(merging, "PIECE", 500)
    peaks = []
    for sources in (1000, 4000):
        where = written(tmp_path / f"{sources}", sources=sources, size=500)
        most = 0

        def step(what, done, total):
            nonlocal most
            most = max(most, pa.total_allocated_bytes())

        tracemalloc.start()
        merge(where.folder, page=False, progress=step)
        peaks.append((tracemalloc.get_traced_memory()[1], most))
        tracemalloc.stop()
    assert peaks[1][0] < 2 * peaks[0][0]
    assert peaks[1][1] < 2 * peaks[0][1]


def test_the_page_stands_alone_and_says_what_was_counted(tmp_path):
    from equiradio.datasets.simulated_sky import write_sky

    sky = write_sky(0.32, 2, tmp_path / "sky", count=1)
    where = written(tmp_path / "out", image=str(sky / "mosaic-0000.fits"))
    merge(where.folder)
    text = (where.folder / "catalogue.parquet.html").read_text()
    assert "Survey: 230 sources" in text
    assert "207 answered" in text
    assert text.count("data:image/png;base64") == 2  # no position of these lies in the mosaic
    assert "None of which there is an image here" in text
    assert "<td>no_position</td><td>12</td><td>no</td>" in text
    assert "300 MB in the first, 304 MB in the last" in text
    assert "<script" not in text
    assert 'src="http' not in text


@pytest.mark.parametrize("recipe", [MIRABEST, Recipe(side=76, stretch="linear"), Recipe(side=64, scale_arcsec=0, beam_arcsec=0)])
def test_the_page_shows_sources_by_the_recipe_of_the_plan(survey, tmp_path, recipe):
    """Also those of which MiraBest's recipe makes no image: here pixels of unknown size."""
    file, (ra, dec) = write_mosaics(tmp_path)[0], (values[4] for values in positions())
    rows = [{"file": str(file), "target_ra_deg": ra, "target_dec_deg": dec}]
    stated = {} if recipe == MIRABEST else {"recipe": recipe.as_card()}  # an older plan says nothing of it
    plan = replace(survey.plan(), **stated)
    (image,) = images_of(SimpleNamespace(plan=plan), rows)
    with Mosaic(file) as mosaic:
        assert np.array_equal(image, mosaic.cutout(ra, dec, recipe=recipe).image)
    assert image.shape == (recipe.side,) * 2


def test_classes_are_those_of_our_columns_whatever_they_are_mixed_as():
    strange = pa.field("p_mine", pa.float64(), metadata={"description": "probability of rain"})
    for prior in ("", "FRI 0.7, FRII 0.3"):
        schema = result_schema(catalogue_schema(FANAROFF_RILEY, prior), [strange], grouped=False, features=False)
        assert classes_of(schema) == {"FRI": "p_fri", "FRII": "p_frii"}


def test_groups_tell_every_source_apart():
    label = np.array(["FRI", "FRII", "FRII", ""])
    unsure = np.array([False, False, True, True])
    sample = Sample(np.array([10.0, 350.0, 5.0, np.nan]), np.zeros(4), label, unsure, {"total_jy": np.array([1.0, 2.0, 4.0, np.nan])})
    each = {name: rows.tolist() for name, rows, _ in groups(sample, ["FRI", "FRII"])}
    assert each == {
        "FRI": [True, False, False, False],
        "FRII": [False, True, False, False],
        "abstains": [False, False, True, False],
        "no answer": [False, False, False, True],
    }
    edges, counts, share = shares(sample, ["FRI", "FRII"], "total_jy")
    assert len(edges) == BINS + 1
    assert counts.sum() == 3
    assert sum((share[name] * counts).sum() for name in share) == pytest.approx(3)
    axes = sky_map(sample, ["FRI", "FRII"]).axes[0]
    assert axes.xaxis_inverted()
    lows, highs = axes.get_xlim()
    assert abs(highs - lows) < 30  # across 0 h, not around the sky


def test_hats_without_its_package_is_refused_before_any_work(survey, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(merging, "_order", lambda *given: pytest.fail("work was done"))
    words = r"'a\.hats' without the package hats-import; expected it installed\. Install it: pip install 'equiradio\[hats\]'"
    with pytest.raises(SettingRefusal, match=words):
        merge(survey.folder, tmp_path / "a.hats")
