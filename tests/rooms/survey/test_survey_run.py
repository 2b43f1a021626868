"""A survey has each source once, answered as classify answers it, however the work was parted and whatever ended it."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from survey_files import hold, positions, rows_of, table_of, wcs_of, write_catalogue, write_mosaics

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.errors import DataRefusal, DiskRefusal, RunRefusal
from equiradio.inference.team import load
from equiradio.sky import mosaic
from equiradio.sky.fits import read_cutout
from equiradio.sky.recipe import MIRABEST, Recipe, recipe_of
from equiradio.survey.cutting import Place
from equiradio.survey.folder import SurveyFolder
from equiradio.survey.images import best_images, image_files
from equiradio.survey.plan import Asked, make_plan
from equiradio.survey.readers import Readers
from equiradio.survey.run import Part, Task, local, survey
from equiradio.survey.worker import ReplacedImage, Worker

SHARD = 5  # sources: 12 make three shards


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder)
    return folder


@pytest.fixture(scope="module")
def team(untrained):
    return load(untrained("lenet"))


def asked(place, **changes):
    return Asked(**{"catalogue": place / "c.parquet", "images": [str(place / "mosaics")], "shard_size": SHARD} | changes)


@pytest.fixture(scope="module")
def whole(team, place, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "whole"
    survey(team, asked(place), out, readers=0)
    return rows_of(out)


def test_every_source_has_one_row_with_its_input(whole):
    inputs = table_of()
    assert whole["source_id"].to_pylist() == inputs["name"].to_pylist()
    assert whole["catalogue_row"].to_pylist() == list(range(12))
    for name in inputs.column_names:
        assert whole[name].to_pylist() == inputs[name].to_pylist()
        assert whole.schema.field(name).metadata == inputs.schema.field(name).metadata
    assert set(whole["answered"].to_pylist()) == {True}
    assert [Path(file).name for file in whole["file"].to_pylist()][4:] == ["m0.fits"] * 4 + ["m1.fits"] * 4


def test_rows_are_those_of_classify_on_the_same_positions(team, whole):
    carried = set(catalogue_schema().names) - {"source_id"}
    for row in whole.to_pylist():
        alone = team.classify(row["file"], ra_deg=row["target_ra_deg"], dec_deg=row["target_dec_deg"]).table.to_pylist()[0]
        for name in carried:
            assert row[name] == (pytest.approx(alone[name], rel=1e-5, abs=1e-6) if isinstance(alone[name], float) else alone[name]), name


def test_parts_and_processes_give_the_same_bits(team, place, whole, tmp_path):
    for number in range(1, 9):
        survey(team, asked(place), tmp_path / "parts", part=Part(number, 8), readers=0)
    assert rows_of(tmp_path / "parts").equals(whole)
    survey(team, asked(place), tmp_path / "processes", readers=1)
    assert rows_of(tmp_path / "processes").equals(whole)


def test_a_plan_holds_the_recipe_of_its_team(team, place, tmp_path):
    class Other:
        recipe = Recipe(side=64, stretch="linear")

        def __getattr__(self, name):
            return getattr(team, name)

    make_plan(Other(), asked(place), SurveyFolder(tmp_path))
    assert recipe_of(SurveyFolder(tmp_path).plan().recipe) == Other.recipe


def test_a_blank_image_gives_way_to_one_with_pixels(team, place, tmp_path):
    first = survey(team, asked(place, images=[str(place / "mosaics" / "m1.fits"), str(place / "mosaics" / "m0.fits")]), tmp_path, readers=0)
    assert [each["sources"] for each in first.plan.images] == [5, 7]
    names = dict(zip(rows_of(tmp_path)["source_id"].to_pylist(), rows_of(tmp_path)["file"].to_pylist(), strict=True))
    assert {name: Path(file).name for name, file in names.items() if name in ("s0", "s1", "s2", "s3")} == {
        "s0": "m0.fits",
        "s1": "m1.fits",
        "s2": "m0.fits",
        "s3": "m0.fits",
    }


def test_sources_that_several_images_cover_are_looked_for_all_at_once(place, monkeypatch):
    """One by one, a plan of overlapping mosaics spends a third of its time on positions."""
    asked_for, on_pixels = [], mosaic.on_pixels
    monkeypatch.setattr(mosaic, "on_pixels", lambda wcs, ra, dec: asked_for.append(len(ra)) or on_pixels(wcs, ra, dec))
    coverage = best_images(image_files([str(place / "mosaics")]), *positions(), MIRABEST, {})
    assert len(asked_for) == 4  # which lie inside, and how much of their surroundings is there, in each of two images
    assert set(coverage.image) == {0, 1}


def test_an_image_of_pixels_that_are_too_coarse_gives_way_to_one_that_can_be_answered(team, place, whole, tmp_path):
    """Though the source lies deeper in it, and it is named first."""
    own = copy_of(place, tmp_path)
    header = wcs_of((150.08, 30.0)).to_header()
    header["CDELT1"], header["CDELT2"] = -90 / 3600, 90 / 3600
    fits.writeto(own / "coarse.fits", np.random.default_rng(0).normal(0, 1, (460, 460)).astype(np.float32), header)
    first = survey(team, asked(own, images=[str(own / "coarse.fits"), str(own / "mosaics")]), tmp_path / "out", readers=0)
    assert [each["sources"] for each in first.plan.images] == [0, 7, 5]
    assert rows_of(tmp_path / "out")["p_frii"].to_pylist() == whole["p_frii"].to_pylist()


def test_what_has_no_answer_is_a_row_with_a_flag(team, place, tmp_path):
    ra, dec = positions()
    ra[4], ra[5], dec[6] = 210.0, np.nan, 80.0
    names = [f"s{number}" for number in range(12)]
    names[11] = "s10"
    write_catalogue(tmp_path, table_of(ra=ra, dec=dec, name=names))
    run = survey(team, asked(place, catalogue=tmp_path / "c.parquet"), tmp_path / "out", readers=0)
    assert run.plan.counts == {"outside": 2, "no_position": 1, "duplicate_id": 2}
    rows = rows_of(tmp_path / "out").to_pylist()
    flags = [set(row["flag_names"].split()) & {"outside", "no_position", "duplicate_id"} for row in rows]
    assert flags[4:7] == [{"outside"}, {"no_position"}, {"outside"}]
    assert flags[10:] == [{"duplicate_id"}, {"duplicate_id"}]
    assert [row["answered"] for row in rows] == [True] * 4 + [False] * 3 + [True] * 5
    assert (rows[5]["label"], rows[5]["file"], rows[5]["target_ra_deg"], rows[5]["uncertain"]) == (None, None, None, True)


def test_names_that_print_alike_are_twins(team, place, tmp_path):
    names = ["a\tb", "a\nb", *table_of()["name"].to_pylist()[2:]]
    write_catalogue(tmp_path, table_of(name=names))
    folder = SurveyFolder(tmp_path / "out")
    plan = make_plan(team, asked(place, catalogue=tmp_path / "c.parquet", shard_size=12), folder)
    assert plan.counts["duplicate_id"] == 2
    planned = {row["catalogue_row"]: row for row in folder.read_shard(0, plan).to_pylist()}
    assert [(planned[row]["source_id"], planned[row]["plan_flags"]) for row in (0, 1, 2)] == [
        ("a?b", "duplicate_id"),
        ("a?b", "duplicate_id"),
        ("s2", ""),
    ]


def test_features_and_groups(team, place, tmp_path):
    write_catalogue(tmp_path, table_of(isl=[1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]))
    from equiradio.survey.catalogue import Chosen

    wanted = asked(place, catalogue=tmp_path / "c.parquet", chosen=Chosen(group="isl"), features=True)
    survey(team, wanted, tmp_path / "out", readers=0)
    rows = rows_of(tmp_path / "out").to_pylist()
    assert [row["source_id"] for row in rows] == [str(number) for number in range(1, 12)]
    assert (rows[0]["members"], rows[0]["name"]) == (["s0", "s1"], "s0")
    assert rows[0]["target_dec_deg"] == pytest.approx(30.0, abs=1e-4)
    alone = team.features(rows[3]["file"], ra_deg=rows[3]["target_ra_deg"], dec_deg=rows[3]["target_dec_deg"])
    assert rows[3]["features"] == pytest.approx(alone[0].tolist(), rel=1e-4, abs=1e-5)


def test_nowhere_is_refused_before_anything_is_written(team, place, tmp_path):
    ra, dec = positions()
    write_catalogue(tmp_path, table_of(ra=ra / 15, dec=dec))
    with pytest.raises(DataRefusal, match=r"none of 12 positions lies in 2 images.*Are right ascensions hours\?"):
        survey(team, asked(place, catalogue=tmp_path / "c.parquet"), tmp_path / "out", readers=0)
    assert not (tmp_path / "out" / "plan.json").exists()


def test_an_interrupted_run_goes_on(team, place, whole, tmp_path, monkeypatch):
    work, done = Worker.do, []

    def two_and_no_more(self, number, progress):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(number)
        work(self, number, progress)

    monkeypatch.setattr(Worker, "do", two_and_no_more)
    with pytest.raises(KeyboardInterrupt):
        survey(team, asked(place), tmp_path / "out", readers=0)
    monkeypatch.undo()
    folder = SurveyFolder(tmp_path / "out")
    assert folder.unfinished(folder.plan()) == [2]
    with pytest.raises(RunRefusal, match="results of an earlier run; expected none"):
        survey(team, asked(place), tmp_path / "out", readers=0)
    damaged = folder.result_file(0).read_bytes()
    folder.result_file(0).write_bytes(damaged[:-9] + b"x" + damaged[-8:])
    assert survey(team, asked(place), tmp_path / "out", resume=True, readers=0).done == [0, 2]
    assert rows_of(tmp_path / "out").equals(whole)
    with pytest.raises(RunRefusal, match=r"a survey with other shard_size \(5 there, 4 asked\)"):
        survey(team, asked(place, shard_size=4), tmp_path / "out", resume=True, readers=0)


def test_a_reading_process_that_is_killed_loses_nothing(place):
    ra, dec = positions()
    chunks = [[Place(str(place / "mosaics" / "m0.fits"), ra[number], dec[number])] for number in range(3)]
    several = Readers(1, MIRABEST, {}, 0.05)
    reads = several.read(chunks)
    images = [next(reads)[0].cutout.image]
    for process in several.pool._processes:
        os.kill(process, signal.SIGKILL)
    with suppress(BrokenProcessPool):  # until the pool has noticed, even where all was read ahead
        several.pool.submit(abs, 1).exception(60)
    images += [each[0].cutout.image for each in several.read(chunks[1:])]
    several.close()
    expected = [read_cutout(chunk[0].file, ra_deg=chunk[0].ra_deg, dec_deg=chunk[0].dec_deg).image for chunk in chunks]
    assert all(np.array_equal(one, other) for one, other in zip(images, expected, strict=True))


ORPHAN = """
import time
from equiradio.sky.recipe import MIRABEST
from equiradio.survey.cutting import Place
from equiradio.survey.readers import Readers
if __name__ == "__main__":
    readers = Readers(1, MIRABEST, {}, 0.05)
    list(readers.read([[Place("none.fits", 0.0, 0.0)]]))
    print(*readers.pool._processes, flush=True)
    time.sleep(600)
"""


def test_a_reading_process_ends_with_the_one_that_it_reads_for(tmp_path):
    (tmp_path / "orphan.py").write_text(ORPHAN)
    driver = subprocess.Popen([sys.executable, tmp_path / "orphan.py"], stdout=subprocess.PIPE, text=True)
    reader = int(driver.stdout.readline())
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    for _ in range(600):
        if not Path(f"/proc/{reader}").exists() or "Z" in Path(f"/proc/{reader}/stat").read_text().split(")")[1]:
            return
        time.sleep(0.1)
    os.kill(reader, signal.SIGKILL)
    raise AssertionError("the reading process is still there")


class Broken(Future):
    """What a process that died leaves of its work."""

    def __init__(self):
        super().__init__()
        self.set_exception(BrokenProcessPool())


def test_an_image_that_kills_again_costs_its_own_source_alone(place, monkeypatch):
    class Pool:
        def __init__(self, *about):
            self.about = about

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def shutdown(self, **how):
            pass

        def submit(self, read, chunk):
            if any(each.file == "bad.fits" for each in chunk):
                return Broken()
            done = Future()
            done.set_result([each.file for each in chunk])
            return done

    monkeypatch.setattr("equiradio.survey.readers.ProcessPoolExecutor", Pool)
    chunks = [[Place(name, 0.0, 0.0) for name in names] for names in (("a", "b"), ("c", "bad.fits", "d"), ("e",))]
    reads = list(Readers(1, MIRABEST, {}, 0.05).read(chunks))
    assert [reads[0], reads[1][0], reads[1][2], reads[2]] == [["a", "b"], "c", "d", ["e"]]
    assert (reads[1][1].flag, reads[1][1].found) == ("damaged", "reading it ended its process twice")


def test_kills_at_random_moments_lose_nothing(team, place, whole, tmp_path):
    """Each run has a shard to do at least, and is killed while it runs, within the time that such a run took."""
    chance, kills = np.random.default_rng(3), 0
    folder = SurveyFolder(tmp_path / "out")
    begun = time.perf_counter()
    survey(team, asked(place), folder.folder, readers=0)
    taken = time.perf_counter() - begun
    for number in range(30):
        if not folder.unfinished(folder.plan()):
            folder.result_file(number % 3).unlink()
        child = os.fork()
        if child == 0:
            survey(team, asked(place), folder.folder, resume=True, readers=0)
            os._exit(0)
        time.sleep(chance.uniform(0, taken))
        os.kill(child, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    survey(team, asked(place), folder.folder, resume=True, readers=0)
    assert kills >= 5
    assert rows_of(folder.folder).equals(whole)


def copy_of(place, tmp_path):
    shutil.copytree(place, tmp_path / "place", copy_function=shutil.copy2)
    return tmp_path / "place"


@pytest.mark.parametrize("fault", ["replaced", "gone"])
def test_an_image_that_changes_under_the_run_is_refused_and_the_others_are_done(team, place, tmp_path, fault):
    own = copy_of(place, tmp_path)
    make_plan(team, asked(own), SurveyFolder(tmp_path / "out"))
    plan, file = SurveyFolder(tmp_path / "out").plan(), own / "mosaics" / "m1.fits"
    if fault == "gone":
        file.unlink()
    else:
        pixels = fits.getdata(file)
        fits.writeto(file, pixels[:, ::-1], fits.getheader(file), overwrite=True)
    refused = local(Task(team, SurveyFolder(tmp_path / "out"), plan, [0, 1, 2], 0, ""), lambda more: None)
    assert {number: type(each) for number, each in refused.items()} == {1: ReplacedImage, 2: ReplacedImage}
    assert ("changed since" if fault == "replaced" else "not there any more") in str(refused[1])
    assert SurveyFolder(tmp_path / "out").unfinished(plan) == [1, 2]


@pytest.mark.parametrize("fault", ["replaced", "gone"])
def test_a_run_that_begins_after_an_image_changed_does_the_others(team, place, whole, tmp_path, fault):
    """And goes on when the image is put back, with its time."""
    own, out = copy_of(place, tmp_path), tmp_path / "out"
    make_plan(team, asked(own), SurveyFolder(out))
    file, aside = own / "mosaics" / "m1.fits", tmp_path / "aside.fits"
    file.rename(aside)
    if fault == "replaced":
        fits.writeto(file, fits.getdata(aside)[:, ::-1], fits.getheader(aside))
    for resume in (False, True):
        with pytest.raises(ReplacedImage, match=r"m1.fits: .*\(2 of 3 shards are not done\)"):
            survey(team, asked(own), out, resume=resume, readers=0)
        assert SurveyFolder(out).unfinished(SurveyFolder(out).plan()) == [1, 2]
    aside.rename(file)
    assert survey(team, asked(own), out, resume=True, readers=0).done == [1, 2]
    assert rows_of(out).drop_columns("file").equals(whole.drop_columns("file"))


def test_images_that_came_later_are_another_survey(team, place, tmp_path):
    own = copy_of(place, tmp_path)
    make_plan(team, asked(own), SurveyFolder(tmp_path / "out"))
    shutil.copy2(own / "mosaics" / "m1.fits", own / "mosaics" / "m2.fits")
    with pytest.raises(RunRefusal, match=r"a survey with other images \(2 there, 3 asked\), image_names; expected the same"):
        survey(team, asked(own), tmp_path / "out", readers=0)


def test_what_the_disk_does_not_give_now_is_done_later(team, place, whole, tmp_path, monkeypatch):
    """A row that says no for ever would be wrong of an image that was read when the survey was planned."""
    make_plan(team, asked(place), SurveyFolder(tmp_path))
    pread = os.pread

    def failing(file, count, at):
        if os.readlink(f"/proc/self/fd/{file}").endswith("m1.fits"):
            raise OSError(errno.EIO, "Input/output error")
        return pread(file, count, at)

    monkeypatch.setattr("equiradio.sky.contents.os.pread", failing)
    words = r"m1.fits: cannot be read \(Input/output error\), as it could when it was planned \(2 of 3 shards are not done\)"
    with pytest.raises(ReplacedImage, match=words):
        survey(team, asked(place), tmp_path, readers=0)
    monkeypatch.undo()
    assert survey(team, asked(place), tmp_path, resume=True, readers=0).done == [1, 2]
    assert rows_of(tmp_path).equals(whole)


def test_an_image_that_is_replaced_during_a_shard_is_refused(team, place, tmp_path, monkeypatch):
    own, rows = copy_of(place, tmp_path), Worker._rows

    def rows_and_replacement(self, *given):
        os.utime(own / "mosaics" / "m0.fits", (1, 1))
        return rows(self, *given)

    monkeypatch.setattr(Worker, "_rows", rows_and_replacement)
    with pytest.raises(ReplacedImage, match=r"m0.fits: changed since the plan was made \(\d of 3 shards are not done\)") as caught:
        survey(team, asked(own), tmp_path / "out", readers=0)
    assert "m0.fits" in caught.value.where
    assert 0 in SurveyFolder(tmp_path / "out").unfinished(SurveyFolder(tmp_path / "out").plan())


def test_a_corrupt_image_costs_its_own_sources_alone(team, place, tmp_path):
    own = copy_of(place, tmp_path)
    file = own / "mosaics" / "m1.fits"
    file.write_bytes(file.read_bytes()[: 2880 * 20])
    run = survey(team, asked(own), tmp_path / "out", readers=0)
    assert [Path(each["file"]).name for each in run.plan.unusable] == ["m1.fits"]
    rows = rows_of(tmp_path / "out").to_pylist()
    assert [row["answered"] for row in rows] == [True] * 8 + [False] * 4


def test_a_full_disk_ends_the_run_and_loses_nothing(team, place, whole, tmp_path, monkeypatch):
    make_plan(team, asked(place), SurveyFolder(tmp_path))

    def full(table, path, **options):
        Path(path).write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(DiskRefusal, match="no space left"):
        survey(team, asked(place), tmp_path, readers=0)
    assert not list((tmp_path / "results").iterdir())
    monkeypatch.undo()
    assert survey(team, asked(place), tmp_path, readers=0).done == [0, 1, 2]
    assert rows_of(tmp_path).equals(whole)


def test_two_drivers_on_one_folder_are_refused(team, place, tmp_path):
    out = tmp_path / "out"
    with hold(out), pytest.raises(RunRefusal, match="works in it"):
        survey(team, asked(place), out, readers=0)
    with hold(out / "part-1-of-2"), pytest.raises(RunRefusal, match="part 1 of 2 works in it"):
        survey(team, asked(place), out, readers=0)
    with hold(out / "part-1-of-2"), pytest.raises(RunRefusal, match="expected parts of 3"):
        survey(team, asked(place), out, part=Part(1, 3), readers=0)
    with hold(out / "part-1-of-2"):
        assert survey(team, asked(place), out, part=Part(2, 2), readers=0).done == [1]


def test_a_result_has_its_checksum_and_what_it_took(team, place, tmp_path):
    survey(team, asked(place), tmp_path, readers=0)
    note = json.loads((tmp_path / "results" / "000001.json").read_text())
    assert (note["rows"], note["answered"], note["shard"]) == (5, 5, 1)
    assert set(note["seconds"]) == {"reading", "answering", "total"}
