"""On a Ray cluster a survey has the same rows bit for bit, whoever dies; without the package ray it is refused in a line."""

import importlib.util
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
from survey_files import rows_of, write_catalogue, write_mosaics

from equiradio.cli.main import main
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference.team import load
from equiradio.survey.cluster import Answerer, Cluster, connected
from equiradio.survey.folder import SurveyFolder
from equiradio.survey.plan import Asked, make_plan
from equiradio.survey.run import survey
from equiradio.survey.worker import ReplacedImage

SHARD = 3  # sources: 12 make four shards
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    write_mosaics(folder / "mosaics")
    write_catalogue(folder)
    return folder


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Actors find the functions of this file."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))


@pytest.fixture(scope="module")
def opener(untrained):
    return partial(load, str(untrained("lenet")), "cpu")


@pytest.fixture(scope="module")
def whole(place, opener, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "whole"
    survey(opener(), asked(place), out, readers=0)
    return rows_of(out)


def asked(place, **changes):
    return Asked(**{"catalogue": place / "c.parquet", "images": [str(place / "mosaics")], "shard_size": SHARD} | changes)


def listening():
    """Addresses and ports that a process of this machine listens at, as /proc has them."""
    lines = [line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]]
    return {line[1] for line in lines if line[3] == "0A"}


@needs_ray
def test_a_cluster_of_ones_own_gives_the_same_rows(place, opener, whole, tmp_path):
    steps = []
    done = survey(
        opener(), asked(place), tmp_path / "out", readers=0, engine=Cluster(opener, workers=2), progress=lambda *step: steps.append(step)
    )
    assert (done.done, done.unfinished, done.answered) == ([0, 1, 2, 3], [], 12)
    assert rows_of(tmp_path / "out").equals(whole)
    assert steps[-1] == ("sources", 12, 12)
    again = survey(opener(), asked(place), tmp_path / "out", readers=0, resume=True, engine=Cluster(opener, workers=2))
    assert again.done == []


@needs_ray
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no /proc")
def test_a_cluster_of_ones_own_listens_to_this_machine_alone():
    before = listening()
    with connected(None, 1) as ray:
        assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
        new = {place.split(":")[0] for place in listening() - before}
        assert new <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert not ray.is_initialized()


@needs_ray
def test_actors_that_die_take_no_shard_with_them(place, opener, whole, tmp_path):
    dying = partial(dies_once, opener, str(tmp_path / "died"))
    done = survey(opener(), asked(place), tmp_path / "out", readers=0, engine=Cluster(dying, workers=2))
    assert (tmp_path / "died").exists()
    assert done.unfinished == []
    assert rows_of(tmp_path / "out").equals(whole)


def dies_once(opener, mark):
    """A team whose first answer kills its process, once in all."""
    team = opener()
    plain = team.ask

    def ask(*words, **more):
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return plain(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    team.ask = ask
    return team


@needs_ray
def test_actors_that_always_die_end_the_run_and_keep_what_is_done(place, opener, tmp_path):
    with pytest.raises(RunRefusal, match="3 actors died while they opened the team"):
        survey(opener(), asked(place), tmp_path / "out", readers=0, engine=Cluster(ends_its_process, workers=1))


def ends_its_process():
    os.kill(os.getpid(), signal.SIGKILL)


@needs_ray
def test_a_replaced_image_is_refused_and_all_else_is_done(place, opener, tmp_path):
    mosaics = tmp_path / "mosaics"
    write_mosaics(mosaics)
    replace = partial(opens_after, opener, str(mosaics / "m1.fits"))
    with pytest.raises(ReplacedImage, match="changed since the plan was made"):
        survey(opener(), asked(place, images=[str(mosaics)]), tmp_path / "out", readers=0, engine=Cluster(replace, workers=1))
    assert list((tmp_path / "out" / "results").glob("[0-9]*.parquet"))


def opens_after(opener, image):
    os.utime(image, (0, 0))
    return opener()


@needs_ray
def test_a_refusal_of_an_actor_is_the_runs(place, opener, tmp_path):
    with pytest.raises(SettingRefusal, match=r"--model: no; expected yes\. Say yes\."):
        survey(opener(), asked(place), tmp_path / "out", readers=0, engine=Cluster(refuses, workers=1))


def refuses():
    raise SettingRefusal("--model", "no", "yes", "Say yes.")


@needs_ray
def test_nobody_answers_at_an_address(place, opener, tmp_path):
    with pytest.raises(SettingRefusal, match=r"--address: no cluster answers at 127\.0\.0\.1:9"):
        survey(opener(), asked(place), tmp_path / "out", readers=0, engine=Cluster(opener, address="127.0.0.1:9"))


def test_an_actor_finds_what_is_named_from_the_folder_of_the_command(place, opener, tmp_path, monkeypatch):
    """Its own folder is that of the machine's daemon."""
    monkeypatch.chdir(place)
    make_plan(opener(), asked(place, images=["mosaics"]), SurveyFolder(tmp_path / "out"))
    monkeypatch.chdir(tmp_path)
    actor = Answerer()
    actor.open(opener, str(tmp_path / "out"), 0, "", str(place))
    assert actor.do(0) is None
    actor.worker.readers.close()
    actor.open(opener, str(tmp_path / "out"), 0, "", str(tmp_path / "of another machine"))
    assert Path.cwd() == place
    actor.worker.readers.close()


def test_without_ray_a_line_says_how_to_get_it(place, opener, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingRefusal, match=r"pip install 'equiradio\[survey\]'"):
        survey(opener(), asked(place), tmp_path / "out", readers=0, engine=Cluster(opener))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--address", "127.0.0.1:6379"], "--address: 127.0.0.1:6379 with --engine local; expected --engine ray."),
        (["--workers", "2", "--engine", "slurm"], "--workers: 2 with --engine slurm; expected --engine ray."),
        (["--engine", "ray", "--part", "1/2"], "--part: 1/2 with --engine ray; expected one of the two."),
    ],
)
def test_options_that_do_not_go_together_are_refused(place, tmp_path, capsys, words, line):
    call = ["survey", str(place / "c.parquet"), "--images", str(place / "mosaics"), "--out", str(tmp_path / "out"), *words]
    assert main(call) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
