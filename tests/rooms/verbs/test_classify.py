"""The catalogue of many files: whole, resumable, on the sky, whatever some of the files are."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from sky_files import damaged, header, sky, write

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.artefacts.flags import BITS
from equiradio.cli.main import main
from equiradio.cli.tables import print_table
from equiradio.errors import ImageRefusal, RunRefusal, SettingRefusal
from equiradio.inference import reading
from equiradio.inference.evidence import evidence, margins, on_sky
from equiradio.inference.gate_maps import agreement
from equiradio.inference.team import Team, load
from equiradio.labels import FANAROFF_RILEY
from equiradio.sky.listing import image_files
from equiradio.verbs import classify as room
from equiradio.verbs import classify_job
from equiradio.verbs.classify_job import map_names
from equiradio.verbs.sky_maps import SkyMaps, write_maps


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty good cutouts."""
    place = tmp_path_factory.mktemp("cutouts")
    for number in range(20):
        write(place / f"J{number:02d}.fits", sky(at=(number, -number), seed=number))
    return place


@pytest.fixture(scope="module")
def team(trained):
    return load(trained("lenet"))


def test_every_form_holds_the_same_table(team, folder, tmp_path):
    files = image_files([folder])
    table = room.classify(team, files)
    assert table.schema.names == catalogue_schema().names
    for suffix in ("parquet", "csv", "fits", "vot"):
        out = tmp_path / f"c.{suffix}"
        room.classify(team, files, out=out)
        read = (
            Table.read(out, format={"vot": "votable", "csv": "ascii.csv"}.get(suffix, suffix))
            if suffix != "parquet"
            else pq.read_table(out)
        )
        p = np.asarray(read["p_frii"], float)
        assert np.allclose(p, table["p_frii"].to_numpy(), rtol=0, atol=5e-7)  # text has six decimals
        assert not (tmp_path / f"c.{suffix}.parts").exists()
    votable = Table.read(tmp_path / "c.vot")
    assert (str(votable["ra_deg"].unit), votable["ra_deg"].meta["ucd"]) == ("deg", "pos.eq.ra;meta.main")
    assert (tmp_path / "c.vot").read_text().count("<FIELD ") == len(catalogue_schema())


def test_bad_files_have_a_row_each_and_the_others_their_answer(team, folder, tmp_path):
    bad = damaged(tmp_path)
    files = [folder / "J00.fits", *(path for path, _ in bad.values()), folder / "J01.fits"]
    rows = room.classify(team, files).to_pylist()
    assert [row["flags"] & BITS[flag] > 0 for row, (_, flag) in zip(rows[1:-1], bad.values(), strict=True)] == [True] * len(bad)
    assert all(nothing_said(row) for row in rows[1:-1])
    assert {rows[0]["label"], rows[-1]["label"]} <= {"FRI", "FRII"}
    assert rows[0]["p_frii_low"] <= rows[0]["p_frii"] <= rows[0]["p_frii_high"]


def nothing_said(row):
    said = ("source_id", "file", "answered", "uncertain", "flags", "flag_names", "model")
    return (row["answered"], row["uncertain"]) == (False, True) and all(row[name] is None for name in row if name not in said)


def test_a_bad_file_alone_is_refused(team, tmp_path):
    with pytest.raises(ImageRefusal, match="0 bytes"):
        room.classify(team, [damaged(tmp_path)["empty"][0]])


def test_twelve_hundred_files_with_twelve_broken_ones(team, monkeypatch, tmp_path):
    image = np.zeros((150, 150), np.uint8)
    image[70:80, 60:90] = 255
    whole, broken = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(whole, image)
    broken.write_bytes(whole.read_bytes()[:500])
    files = [broken if number % 100 == 7 else whole for number in range(1_200)]
    monkeypatch.setattr(room, "BATCH", 200)
    monkeypatch.setattr(classify_job, "BATCH", 200)
    monkeypatch.setattr(reading.batches, "__defaults__", (200,))
    answer = reading.answer
    monkeypatch.setattr(
        reading, "answer", lambda team, choice, images, why: repeated(answer(team, choice, images[:1]), len(images))
    )  # the same image
    room.classify(team, files, out=tmp_path / "many.parquet")
    table = pq.read_table(tmp_path / "many.parquet")
    assert len(table) == 1_200
    assert sum(flags & BITS["damaged"] > 0 for flags in table["flags"].to_pylist()) == 12


def repeated(answers, count):
    columns = [name for name in answers.__dataclass_fields__ if name != "evidence"]
    return type(answers)(*(np.repeat(getattr(answers, name), count, axis=0) for name in columns), evidence=[None] * count)


def test_an_interrupted_run_goes_on(trained, team, folder, tmp_path, monkeypatch, capsys):
    files, out = image_files([folder]), tmp_path / "c.parquet"
    calls = []

    def stops(*arguments, **options):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return answered(*arguments, **options)

    answered = room.answered
    monkeypatch.setattr(room, "answered", stops)
    assert main(["classify", str(folder), "--model", str(trained("lenet")), "--out", str(tmp_path / "door.csv")]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted. Run the same command with --resume to go on."
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        room.classify(team, files, out=out)
    assert not out.exists()
    assert len(list((tmp_path / "c.parquet.parts").glob("*.parquet"))) == 1
    monkeypatch.setattr(room, "answered", answered)
    with pytest.raises(RunRefusal, match="Add --resume"):
        room.classify(team, files, out=out)
    with pytest.raises(RunRefusal, match=r"other files \(20 there, 19 asked\), names"):
        room.classify(team, files[:-1], out=out, resume=True)
    seen = []
    room.classify(team, files, out=out, resume=True, progress=lambda what, done, total: seen.append(done))
    assert seen == [16, 20]
    assert pq.read_table(out).to_pylist() == room.classify(team, files).to_pylist()


STOPS_AFTER_TWO_PARTS = """
import sys, time
from equiradio.labels import FANAROFF_RILEY
from equiradio.verbs import classify_job as room
write = room.write_table
def slow(table, path):
    write(table, path)
    if path.name == "000001.parquet":
        (path.parent / ".000002.parquet.torn.parquet").write_bytes(b"PAR1")
        print("two", flush=True)
        time.sleep(600)
room.write_table = slow
from equiradio.sky.listing import image_files
from equiradio.cli.main import main
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on(trained, folder, tmp_path, capsys):
    run, files = str(trained("lenet")), [str(path) for path in image_files([folder]) * 2]
    whole, out = tmp_path / "whole.parquet", tmp_path / "c.parquet"
    assert main(["classify", *files, "--model", run, "--out", str(whole)]) == 0
    words = ["classify", *files, "--model", run, "--out", str(out)]
    child = subprocess.Popen([sys.executable, "-c", STOPS_AFTER_TWO_PARTS, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "two\n"
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert not out.exists()
    assert [pq.read_table(part).num_rows for part in sorted((tmp_path / "c.parquet.parts").glob("0*.parquet"))] == [16, 16]
    assert main([*words, "--resume"]) == 0
    assert pq.read_table(out).to_pylist() == pq.read_table(whole).to_pylist()
    assert not (tmp_path / "c.parquet.parts").exists()
    assert main([*words, "--resume"]) == 0  # nothing left to do


def test_a_refused_file_leaves_no_parts_in_the_way(team, folder, tmp_path):
    with pytest.raises(ImageRefusal, match="no such file"):
        room.classify(team, [tmp_path / "gone.fits"], out=tmp_path / "c.csv")
    assert not list(tmp_path.iterdir())
    room.classify(team, [folder / "J00.fits"], out=tmp_path / "c.csv")


def test_images_are_never_written_over(team, folder, tmp_path):
    place = tmp_path / "images"
    place.mkdir()
    image, other = (Path(shutil.copy(folder / name, place)) for name in ("J00.fits", "J01.fits"))
    link, behind = tmp_path / "link.fits", tmp_path / "behind"
    link.symlink_to(image)
    behind.symlink_to(place)
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    for asked in (image, link, behind / "J00.fits"):
        for maps in (place, behind, place / ".." / "images"):
            with pytest.raises(SettingRefusal, match="holds images"):
                room.classify(team, [asked], maps=maps)
        for out in (image, other, behind / "J00.fits"):
            with pytest.raises(SettingRefusal, match="is an image"):
                room.classify(team, [asked], out=out)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    room.classify(team, [image], out=tmp_path / "c.fits", maps=place / "maps")
    room.classify(team, [image], out=tmp_path / "c.fits")  # a catalogue may be replaced


def test_file_names_that_are_not_ascii_or_no_text_at_all(team, folder, tmp_path, capsys):
    names = ["größe [v2].fits", os.fsdecode(b"gal\xed.fits"), os.fsdecode(b"gal\xee.fits")]
    try:
        files = [Path(shutil.copy(folder / "J00.fits", tmp_path / name)) for name in names]
    except OSError:
        pytest.skip("this file system holds no such names")
    for suffix in ("parquet", "csv", "fits", "vot"):
        out = tmp_path / f"c.{suffix}"
        room.classify(team, files, out=out, maps=tmp_path / "maps")
        room.classify(team, files, out=out, maps=tmp_path / "maps", resume=True)
        told = names_in(out)
        assert told == ["gr\\xf6\\xdfe [v2]" if suffix == "fits" else "größe [v2]", "gal?", "gal?"]
    assert sorted(path.name for path in (tmp_path / "maps").glob("*.fits")) == ["gal?-1.fits", "gal?-2.fits", "größe [v2].fits"]
    print_table(("source",), [("größe [v2]",)], "[x=1]")
    assert "größe [v2]" in (shown := capsys.readouterr().out)
    assert "[x=1]" in shown


def names_in(out):
    """Names of the sources in a catalogue of any form."""
    if out.suffix == ".parquet":
        return pq.read_table(out)["source_id"].to_pylist()
    table = Table.read(out, format={".vot": "votable", ".csv": "ascii.csv", ".fits": "fits"}[out.suffix])
    return [str(name) for name in table["source_id"]]


def test_rows_and_maps_are_joined_by_the_name_of_the_maps(team, folder, tmp_path):
    """Files of one name, and one of capital letters, whose suffix is none of the source's name."""
    files = [folder / "J00.fits", Path(shutil.copy(folder / "J01.fits", tmp_path / "J00.FITS")), damaged(tmp_path)["empty"][0]]
    table = room.classify(team, files, maps=tmp_path / "maps", command="equiradio classify it")
    assert table["source_id"].to_pylist()[:2] == ["J00", "J00"]
    assert table["map_name"].to_pylist() == ["J00-0", "J00-1", None]
    for row in table.to_pylist()[:2]:
        with fits.open(tmp_path / "maps" / f"{row['map_name']}.fits") as hdus:
            assert f"p_frii {row['p_frii']:.4f}" in str(hdus[0].header["HISTORY"])
            assert hdus[0].header["COMMAND"] == "equiradio classify it"
    assert room.classify(team, files)["map_name"].to_pylist() == [None] * 3


def test_products_say_what_made_them(trained, team, folder, tmp_path):
    words = ["classify", str(folder / "J00.fits"), "--model", str(trained("lenet")), "--out", str(tmp_path / "c.parquet")]
    assert main(words) == 0
    about = pq.read_schema(tmp_path / "c.parquet").metadata
    assert about[b"command"].decode() == "equiradio " + " ".join(words)
    assert (about[b"model"].decode(), about[b"members"], about[b"poses"]) == (team.name, b"1", b"4")
    assert about[b"version"].startswith(b"equiradio ")
    assert b"threshold" not in about, "never chosen"


def test_maps_are_named_like_their_source_and_each_has_its_own():
    assert map_names([Path(name) for name in ("a-1.fits", "a.fits", "b/a.png", "c.fits")]) == ["a-1", "a-1-1", "a-2", "c"]


def test_a_file_that_vanishes_during_the_run_has_its_row(team, folder, tmp_path):
    files = [*image_files([folder]) * 2, Path(shutil.copy(folder / "J00.fits", tmp_path / "victim.fits"))]
    rows = room.classify(team, files, progress=lambda what, done, total: done == 16 and files[-1].unlink()).to_pylist()
    assert rows[-1]["flag_names"] == "missing"
    assert all(row["label"] for row in rows[:-1])


def test_memory_does_not_grow_with_the_number_of_files(team, folder, tmp_path, monkeypatch):
    """Of 1,000 cutouts never more are alive than the batch at work, the one being read and the one before."""
    alive, most = [0], [0]

    def counted(number, source, **options):
        cutout = replace(one)
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        weakref.finalize(cutout, lambda: alive.__setitem__(0, alive[0] - 1))
        return cutout

    one, answer = reading.read_cutout(folder / "J00.fits"), reading.answer
    monkeypatch.setattr(reading, "read_any", counted)
    monkeypatch.setattr(reading, "answer", lambda team, chosen, images, why: repeated(answer(team, chosen, images[:1]), len(images)))
    room.classify(team, [folder / "J00.fits"] * 1000, out=tmp_path / "c.parquet")
    assert pq.read_metadata(tmp_path / "c.parquet").num_rows == 1000
    assert most[0] <= 4 * reading.BATCH


def test_the_attention_peak_lies_where_the_catalogue_says(trained, tmp_path):
    path = write(tmp_path / "a.fits", sky(400, 1.5, at=(40, 25)), header(400, 1.5, turn_deg=20))
    row = room.classify(load(trained("attention")), [path], maps=tmp_path / "maps").to_pylist()[0]
    with fits.open(tmp_path / "maps" / "a.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "EVIDENCE", "ATTENTION", "GATE1", "GATE2", "GATE3", "NETWORK"]
        assert np.all(WCS(hdus["EVIDENCE"].header).wcs.crval == WCS(hdus["ATTENTION"].header).wcs.crval)
        place = np.unravel_index(hdus["ATTENTION"].data.argmax(), (150, 150))
        found = WCS(hdus["ATTENTION"].header).pixel_to_world(place[1], place[0]).icrs
        told = SkyCoord(row["attention_peak_ra_deg"], row["attention_peak_dec_deg"], unit="deg")
        assert found.separation(told).arcsec < 0.01
        assert row["model"] == hdus[0].header["MODEL"]
    region = (tmp_path / "maps" / "a.reg").read_text().splitlines()
    peak = region[-1].partition("(")[2].partition(")")[0].split(",")
    assert SkyCoord(*map(float, peak), unit="deg").separation(told).arcsec < 0.01
    assert (tmp_path / "maps" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_evidence_is_each_source_s_own_and_adds_up_to_its_margin(untrained, folder, tmp_path):
    """Of an ensemble, in the second batch as in the first, whatever poses are asked for after the first."""
    teams = [load(untrained("attention", seed=seed, kernel_size=3)) for seed in (0, 1)]
    members = [team.members[0] for team in teams]
    room.classify(Team(members, teams[0].calibration, teams[0].card), image_files([folder]), out=tmp_path / "c.csv", maps=tmp_path / "maps")
    rows = {row["source_id"]: row for row in csv.DictReader((tmp_path / "c.csv").read_text().splitlines())}
    for name in ("J00", "J15", "J16", "J19"):
        with fits.open(tmp_path / "maps" / f"{name}.fits") as hdus:
            found, image = hdus["EVIDENCE"], hdus["NETWORK"].data[None]
            sums, planes = [], []
            for member in members:
                apart = evidence(member, image)
                sums.append(float(margins(apart)[0, 1]))
                planes.append(on_sky([part.toward(np.ones(1, int)) for part in apart.parts], 152)[0].numpy())
            assert found.header["MARGIN"] == pytest.approx(np.mean(sums), rel=1e-4)
            assert found.header["CONSTANT"] + found.data.sum(dtype=float) == pytest.approx(found.header["MARGIN"], rel=1e-4)
            np.testing.assert_allclose(found.data, np.mean(planes, 0), rtol=1e-3, atol=1e-3 * abs(found.data).max())
            header = found.header
            assert header["AGAINST"] + header["FOR"] + header["CONSTANT"] == pytest.approx(header["MARGIN"], rel=1e-4)
            assert header["AGAINST"] <= 0 <= header["FOR"]
            cells = [float(rows[name][f"evidence_{what}"]) for what in ("against", "for", "constant", "agreement")]
            assert cells == pytest.approx([header[key] for key in ("AGAINST", "FOR", "CONSTANT", "MAPAGREE")], abs=1e-4)
            assert header["MAPAGREE"] == pytest.approx(agreement(np.stack(planes)), abs=1e-4)


def test_networks_whose_answer_is_no_sum_over_pixels_have_no_evidence(untrained, folder, tmp_path):
    for number, model in enumerate((untrained("lenet"), untrained("attention", kernel_size=3, head_relu=True))):
        room.classify(load(model), [folder / "J00.fits"], maps=tmp_path / str(number))
        with fits.open(tmp_path / str(number) / "J00.fits") as hdus:
            assert "EVIDENCE" not in hdus


@pytest.mark.parametrize("turn_deg", [0.0, 40.0])
def test_a_map_is_on_the_sky_of_its_source(tmp_path, turn_deg):
    """The brightest pixel of the crop, taken as if it were the map, must lie where the whole image has it."""
    path = write(tmp_path / "a.fits", sky(at=(40, 25)), header(turn_deg=turn_deg))
    cutout, whole = reading.read_cutout(path), fits.PrimaryHDU(fits.getdata(path), fits.getheader(path))
    row = dict.fromkeys(("p_frii", "p_frii_low", "p_frii_high"), 0.5) | {"label": "FRI", "uncertain": False, "flags": 0, "flag_names": ""}
    maps = SkyMaps((cutout.image / np.float32(255))[None], cutout.image / np.float32(255), FANAROFF_RILEY)
    write_maps(tmp_path, cutout, maps, row | {"map_name": "m"}, {})
    with fits.open(tmp_path / "m.fits") as hdus:
        spots = []
        for hdu in (hdus["ATTENTION"], whole):
            place = np.unravel_index(hdu.data.argmax(), hdu.data.shape)
            spots.append(WCS(hdu.header).pixel_to_world(place[1], place[0]).icrs)
    assert spots[0].separation(spots[1]).arcsec < (0.01 if turn_deg == 0 else 2.6)


def test_doors(trained, folder, tmp_path, capsys):
    run = str(trained("lenet"))
    assert main(["classify", str(folder / "J00.fits"), "--model", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["source_id"] == "J00"
    assert main(["classify", str(folder / "J00.fits"), str(tmp_path / "none.fits"), "--model", run, "--json"]) == 0
    assert nothing_said(json.loads(capsys.readouterr().out)[1])
    assert main(["classify", str(folder / "J00.fits"), "--model", run, "--json", "--maps", str(tmp_path / "maps")]) == 0
    assert json.loads(capsys.readouterr().out)[0]["source_id"] == "J00"
    assert main(["classify", str(folder), "--model", run, "--out", str(tmp_path / "r.csv")]) == 0
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 21
    capsys.readouterr()
    refused = [
        (["gone.fits"], "no such file"),
        ([str(folder), "--out", "r.txt"], ".parquet, .csv, .fits, .vot"),
        ([str(folder), "--ra", "1"], "both or none"),
        ([str(folder), "--max-nonfinite", "5"], "a share from 0 to 1"),
        ([str(folder), "--resume"], "no --out"),
        ([str(folder), "--precision", "fp8"], "float32 or bf16"),
        ([str(tmp_path / "none")], "no such file"),
        ([str(folder / "J00.fits"), "--maps", str(folder)], "holds images"),
        ([str(folder), "--model", "c4-atention"], "Did you mean c4-attention?"),
    ]
    for words, line in refused:
        assert main(["classify", *words, *([] if "--model" in words else ["--model", run])]) == 2
        err = capsys.readouterr().err.splitlines()
        assert len(err) == 1
        assert line in err[0]
