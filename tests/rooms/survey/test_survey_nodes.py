"""On a Ray cluster of two nodes a survey has the same rows bit for bit when a node is killed, or the process that hands out shards."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from survey_files import positions, rows_of, write_catalogue, write_mosaics

from equiradio.inference.team import load
from equiradio.survey.cluster import LOOPBACK, Cluster
from equiradio.survey.folder import SurveyFolder
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed")
HERE, MEMORY = "127.0.0.1", 100 * 1024**2
SOURCES = 120  # for a run that is killed in the middle: as many shards
PATIENCE = 120.0  # seconds


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """Actors find the functions of this file; all listen to this machine alone; nothing is sent to anybody."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    monkeypatch.setenv(LOOPBACK, "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Mosaics, a catalogue of 12 sources, and one of many, each 0.4 arcsec from the last at its place."""
    folder = tmp_path_factory.mktemp("survey")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder)
    ra, dec = (np.resize(values, SOURCES) for values in positions())
    many = {"name": [f"s{number}" for number in range(SOURCES)], "ra": ra, "dec": dec + np.arange(SOURCES) // 12 * 1e-4}
    write_catalogue(folder, pa.table(many), "many.parquet")
    return folder


@pytest.fixture(scope="module")
def model(untrained):
    return str(untrained("lenet"))


def asked(place, catalogue="c.parquet", shard_size=3):
    return Asked(catalogue=place / catalogue, images=[str(place / "mosaics")], shard_size=shard_size)


def finished(out):
    return len(list((out / "results").glob("[0-9]*.json")))


@contextmanager
def two_nodes():
    """A cluster of two nodes with a core each, as ray's own tests have it, and its second node."""
    from ray.cluster_utils import Cluster as Nodes

    each = {"num_cpus": 1, "node_ip_address": HERE, "object_store_memory": MEMORY}
    nodes = Nodes(initialize_head=True, head_node_args={**each, "include_dashboard": False})
    try:
        yield nodes, nodes.add_node(**each)
    finally:
        nodes.shutdown()


def stops_on(node, mark, opener):
    """A team that on one of the nodes never answers; that it was asked there shows in a file."""
    import ray

    team = opener()
    if ray.get_runtime_context().get_node_id() != node:
        return team

    def ask(*words, **more):
        Path(mark).touch()
        time.sleep(10 * PATIENCE)

    team.ask = ask
    return team


def wait_for(happened):
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("others", [0, 3], ids=["early", "last of all"])
def test_a_node_that_is_killed_takes_no_shard_with_it(place, model, tmp_path, others):
    """Killed with a shard half done: while the other node has work, or when it has done all the rest."""
    opener, out, mark, steps = partial(load, model, "cpu"), tmp_path / "out", tmp_path / "asked", []
    survey(opener(), asked(place), tmp_path / "alone", readers=0)
    with two_nodes() as (nodes, second):
        engine = Cluster(partial(stops_on, second.node_id, str(mark), opener), address=nodes.address)

        def kill():
            wait_for(lambda: mark.exists() and finished(out) >= others)
            nodes.remove_node(second, allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        done = survey(opener(), asked(place), out, readers=0, engine=engine, progress=lambda *step: steps.append(step))
        killer.join()
        assert [node.node_id for node in nodes.list_all_nodes()] == [nodes.head_node.node_id]
    assert (done.unfinished, done.answered, steps[-1]) == ([], 12, ("sources", 12, 12))
    assert mark.exists()
    assert len(rows_of(out)) == 12
    assert rows_of(out).equals(rows_of(tmp_path / "alone"))


@pytest.mark.parametrize("own", [False, True], ids=["their cluster", "its own"])
def test_a_driver_that_is_killed_and_started_again_ends_the_same(place, model, tmp_path, own):
    out = tmp_path / "out"
    survey(load(model, "cpu"), asked(place, "many.parquet", 1), tmp_path / "alone", readers=0)
    words = [sys.executable, "-m", "equiradio", "survey", place / "many.parquet", "--images", place / "mosaics", "--out", out]
    words += ["--model", model, "--shard-size", "1", "--readers", "0", "--device", "cpu", "--engine", "ray"]
    with nullcontext((None, None)) if own else two_nodes() as (nodes, _):
        words += ["--workers", "1"] if own else ["--address", nodes.address]
        driver = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            wait_for(lambda: finished(out) >= 5 or driver.poll() is not None)
        finally:
            os.kill(driver.pid, signal.SIGKILL)
            assert driver.wait() == -signal.SIGKILL, driver.stderr.read().decode()
            driver.stderr.close()
        before = {file: file.stat().st_mtime_ns for file in (out / "results").glob("[0-9]*.json")}
        assert 5 <= len(before) < SOURCES
        again = subprocess.run([*map(str, words), "--resume"], capture_output=True, text=True, timeout=PATIENCE)
        assert again.returncode == 0, again.stderr
    folder = SurveyFolder(out)
    assert folder.unfinished(folder.plan()) == []
    assert f"{SOURCES:,} sources answered in all" in again.stdout
    assert sum(file.stat().st_mtime_ns == written for file, written in before.items()) >= len(before) - 2  # at most one each actor
    assert len(rows_of(out)) == SOURCES
    assert rows_of(out).equals(rows_of(tmp_path / "alone"))
    assert len(pq.read_table(out / "catalogue.parquet")) == SOURCES
