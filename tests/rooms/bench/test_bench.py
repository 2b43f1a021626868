"""The bench measures in turn, in processes of its own, keeps what it has and goes on where it stopped."""

import json

import pytest
import torch

from equiradio.artefacts.claim import Claimed, claimed
from equiradio.artefacts.form_choices import Choice
from equiradio.bench import run as module
from equiradio.bench import worker
from equiradio.bench.record import measure
from equiradio.bench.run import bench, cells, heading, rows
from equiradio.bench.worker import some_sky
from equiradio.compute.form_timing import Case, steerable_layers
from equiradio.compute.forms import take_likely_forms
from equiradio.compute.machine import facts
from equiradio.compute.preprocess import preprocessing
from equiradio.errors import Refusal, SettingRefusal
from equiradio.layers.forms.native import library
from equiradio.models.registry import build
from equiradio.settings import preset

QUICK = {"rounds": 1, "steps": 1, "threads": 1}
TWO = QUICK | {"variants": ["default", "float32-dense"]}


def canned(job: dict) -> dict:
    """What a worker would say."""
    if job["task"] == "peaks":
        return {"threads": 1, "torch": "2", "float32_gmacs": 100.0, "bf16_gmacs": 200.0, "copy_gb_per_second": 10.0}
    if job["task"] == "forms":
        return {"forms": {"training": {}, "inference": {}}, "precision": "bf16", "seconds": 0.1}
    precise = job["form"] == "dense"
    return {
        "milliseconds_per_image": 4.0 if precise else 2.0,
        "processor_milliseconds_per_image": 4.0,
        "first_seconds": 0.1,
        "steps": job["steps"],
        "threads": 1,
        "build_seconds": 0.1,
        "precision": "float32" if precise else "bf16",
        "peak_mib": 300,
        "leaves_out": job["images"] == "sources" and not precise,
        "weights": 1,
        "torch": "2",
    }


@pytest.fixture
def jobs(monkeypatch) -> list[dict]:
    done: list[dict] = []

    def run_job(job, threads):
        done.append(dict(job))
        return canned(done[-1])

    monkeypatch.setattr(module, "run_job", run_job)
    return done


def test_images_of_sources_have_as_much_empty_sky_as_real_ones_and_noise_has_none():
    sources, noise = some_sky(3, "sources"), some_sky(3, "noise")
    assert sources.shape == noise.shape == (3, 150, 150)
    assert ((sources > 0).float().mean((1, 2)) < 0.02).all()
    assert (sources > 0).any(2).any(1).all()
    assert not torch.equal(sources[0] > 0, sources[1] > 0)
    assert (noise > 0).all()


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_network_that_answers_images_of_sources_is_shown_an_empty_sky(monkeypatch, precision):
    """Without it, or in another precision than that of the answers, the default would be timed at what it never does."""
    shown = []
    monkeypatch.setattr(worker, "would_help", lambda network: not shown)
    monkeypatch.setattr(worker, "show_empty_sky", lambda network, image: shown.append((image, torch.is_autocast_enabled("cpu"))))
    prepare = preprocessing(preset("fast").data, None)
    job = {"device": "cpu", "batch": 2, "precision": precision, "images": "sources"}
    worker.inference(build("lenet", blank=prepare.blank), prepare, job)()
    assert [image.unique().tolist() for image, _ in shown] == [pytest.approx([prepare.blank])]
    assert [cast for _, cast in shown] == [precision == "bf16"]


def test_a_real_one_on_the_smallest_model(tmp_path):
    out = tmp_path / "speed.json"
    result = bench(["lenet"], ["default"], out=out, **QUICK)
    found = result["measurements"]
    assert set(found) == {"lenet/default/training", "lenet/default/inference"}
    training, inference = (found[f"lenet/default/{task}"][0] for task in ("training", "inference"))
    assert training["milliseconds_per_image"] > inference["milliseconds_per_image"] > 0
    assert training["peak_mib"] > 50
    assert training["weights"] == 2_641_506
    assert training["threads"] == 1
    of_peak = result["summary"]["lenet"]["variants"]["default"]["training"]["share_of_peak"]
    assert of_peak is None if training["leaves_out"] else 0 < of_peak < 1
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))


def test_variants_take_turns():
    order = [(cell.turn, cell.task, cell.variant) for cell in cells(["lenet"], ["a", "b"], 2)]
    assert order == [(turn, task, variant) for turn in (0, 1) for task in ("training", "inference") for variant in ("a", "b")]


def test_what_is_in_the_file_is_not_measured_again(jobs, tmp_path):
    out = tmp_path / "speed.json"
    first = bench(["lenet"], out=out, **TWO)
    assert [job["task"] for job in jobs] == ["peaks", "forms", "training", "forms", "training", "inference", "inference"]
    jobs.clear()
    assert bench(["lenet"], out=out, **TWO) == first
    assert jobs == []


def test_an_interrupted_bench_goes_on_where_it_stopped(jobs, tmp_path, monkeypatch):
    out = tmp_path / "speed.json"

    def interrupted(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(["lenet"], out=out, on_line=interrupted, **TWO)
    assert list(json.loads(out.read_text())["measurements"]) == ["lenet/default/training"]
    jobs.clear()
    bench(["lenet"], out=out, **TWO)
    assert [(job["task"], job["form"]) for job in jobs] == [
        ("forms", "dense"),
        ("training", "dense"),
        ("inference", None),
        ("inference", "dense"),
    ]


def test_ratios_and_shares_follow_from_the_measurements(jobs):
    result = bench(["lenet"], **TWO)
    row = result["summary"]["lenet"]
    assert row["times_faster"]["default"]["training"]["median"] == 2
    macs = row["multiply_adds_per_image"]["float32"]["inference"]
    assert row["variants"]["float32-dense"]["inference"]["share_of_peak"] == round(macs / (4e-3 * 100e9), 4)
    assert [line[:4] for line in rows(result)] == [["lenet", "default (bf16)", "16", "-"], ["lenet", "float32-dense (float32)", "16", "-"]]


def test_there_is_no_share_of_the_peak_where_empty_sky_is_not_computed(jobs):
    result = bench(["lenet"], ["default", "default-noise"], **QUICK)
    variants = result["summary"]["lenet"]["variants"]
    assert variants["default"]["inference"]["share_of_peak"] is variants["default"]["training"]["share_of_peak"] is None
    assert variants["default-noise"]["inference"]["share_of_peak"] > 0
    assert next(line[-2:] for line in rows(result)) == ["-", "-"]


@pytest.mark.parametrize("images", ["sources", "noise"])
def test_a_measurement_says_whether_empty_sky_was_left_out(images, tmp_path):
    forms = {name: "native" if library.best() else "dense" for name in steerable_layers(build("c4-lenet"))}
    job = {"task": "inference", "model": "c4-lenet", "batch": 1, "precision": "float32", "form": None, "forms": forms}
    measured = worker.do(job | {"images": images, "keep_blocks": False, "steps": 1, "seconds": 0.0})
    assert measured["leaves_out"] is (images == "sources" and library.best() is not None)


def test_the_forms_of_inference_are_those_that_classify_takes(monkeypatch):
    """Whatever would be measured to be quicker: answering measures nothing."""
    monkeypatch.setattr(Case, "measure", lambda case: Choice(str(case), "dense", {"dense": 1.0}))
    network = build("c4-lenet")
    job = {"batch": 1, "precision": "float32", "device": "cpu", "form": None}
    forms = worker.chosen_forms(network, job)["forms"]
    take_likely_forms(network)
    assert set(forms["training"].values()) == {"dense"}
    assert forms["inference"] == {name: layer.form.name for name, layer in steerable_layers(network).items()}
    assert set(worker.chosen_forms(network, job | {"form": "winograd"})["forms"]["inference"].values()) == {"winograd"}


def test_the_table_says_which_kernels_threads_and_forms(jobs):
    result = bench(["lenet"], ["default"], **QUICK)
    result["once"]["lenet/default/forms"]["forms"] = {
        "training": {"a": "native", "b": "dense"},
        "inference": {"a": "native", "b": "native"},
    }
    assert rows(result)[0][3] == "dense native / native"
    assert heading(result).endswith(f"1 threads, kernels {facts()['kernels']}; by the clock")


def test_builds_of_one_version_are_told_apart(jobs, tmp_path, monkeypatch):
    out = tmp_path / "speed.json"
    monkeypatch.setattr("equiradio.compute.machine.commit", lambda: "a" * 40)
    bench(["lenet"], ["default"], out=out, **QUICK)
    monkeypatch.setattr("equiradio.compute.machine.commit", lambda: "b" * 40)
    with pytest.raises(SettingRefusal, match=r"holds a bench with commit a{40}; expected the machine of this one"):
        bench(["lenet"], ["default"], out=out, **QUICK)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"models": ["lenett"]}, "Did you mean lenet"),
        ({"variants": ["fast"]}, "--variants: 'fast'"),
        ({"models": []}, "--models: no name; expected names, comma-separated"),
        ({"variants": []}, "--variants: no name"),
        ({"rounds": 0}, "--rounds: 0; expected 1 or more"),
        ({"steps": 0}, "--steps: 0"),
        ({"threads": -1}, "--threads: -1"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(jobs, changes, line):
    with pytest.raises(Refusal, match=line):
        bench(**(QUICK | {"models": ["lenet"]} | changes))
    assert jobs == []


@pytest.mark.parametrize("content", ["{", "[]", '{"once": {}, "measurements": {"a": 1}}', '{"once": 1, "measurements": {}}'])
def test_another_file_is_refused_and_left_alone(jobs, tmp_path, content):
    out = tmp_path / "mine.json"
    out.write_text(content)
    with pytest.raises(SettingRefusal, match="expected a file that a bench has written, or none"):
        bench(["lenet"], out=out, **QUICK)
    assert out.read_text() == content


def test_a_file_in_another_s_hands_is_left_to_it(jobs, tmp_path):
    out = tmp_path / "speed.json"
    with claimed(out), pytest.raises(Claimed, match=r"speed.json: process .* works in it since"):
        bench(["lenet"], rounds=1, out=out)
    bench(["lenet"], rounds=1, out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["speed.json"]


def test_a_file_of_other_options_is_refused(jobs, tmp_path):
    out = tmp_path / "speed.json"
    bench(["lenet"], out=out, **QUICK)
    with pytest.raises(SettingRefusal, match="holds a bench with rounds 1; expected the options of this one"):
        bench(["lenet"], out=out, **QUICK | {"rounds": 2})


def test_a_worker_that_fails_is_told_in_one_line():
    import sys

    with pytest.raises(Refusal, match=r"a worker ended with 1 \(ValueError: too small\)"):
        measure([sys.executable, "-c", "raise ValueError('too small')"], 1)
    with pytest.raises(Refusal, match="cannot be started"):
        measure(["/no/such/python"], 1)
