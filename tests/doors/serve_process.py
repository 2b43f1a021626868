"""A viewer that runs beside the tests, on a free port of this machine."""

import json
import shutil
import threading
import time
from contextlib import contextmanager

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import predictions_schema, write_table
from equiradio.datasets.registry import open_data
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.serve.app import create_app
from equiradio.serve.offers import gather
from equiradio.serve.server import listen, server_of

MILLION = 1_000_000
FOUR = Labels(("FRI", "FRII", "Compact", "Bent"))


def million(folder):
    """A table of a million rows."""
    path = folder / "million.parquet"
    p = np.random.default_rng(0).random(MILLION)
    names = pa.array(np.char.add("J", np.char.zfill(np.arange(MILLION).astype(str), 7)))
    columns = {"source_id": names, "ra_deg": 360 * p, "dec_deg": 90 * p, "p_frii": p, "uncertain": abs(p - 0.5) < 0.1}
    pq.write_table(pa.table(columns), path)
    return path


def evaluated(run, sky, labels=FANAROFF_RILEY):
    """Predictions of a run on the test split of a data set, half of them wrong."""
    sources = open_data(str(sky)).of_split("test")
    says = np.where(np.arange(len(sources)) % 4 < 2, 1, 0)
    p = np.full((len(sources), len(labels)), 0.2 / (len(labels) - 1))
    p[np.arange(len(sources)), says] = 0.8
    columns = {"source_id": sources.source_ids, "label": sources.labels.astype(np.int8), "confidence": sources.confidence}
    columns |= {"pass": np.zeros(len(sources), np.int32)}
    columns |= dict(zip([*labels.columns("logit"), *labels.columns()], [*np.log(p).T, *p.T], strict=True))
    write_table(pa.table(columns, schema=predictions_schema(labels)), Run(run).predictions_file(sky.name, "test"))


def offers_of(untrained, sky, folder):
    """Two small networks, a data set, a run with predictions, a table."""
    models = [untrained("c4-attention", kernel_size=3), untrained("attention", kernel_size=3)]
    evaluated(models[0], sky)
    return gather([str(model) for model in models], [models[0]], [str(sky)], None, [million(folder)])


def four_of(untrained, sky, folder):
    """A team of two networks that tell four classes apart, and the evaluation of one of them."""
    from equiradio.inference.team import load  # opens torch, which the viewer does not need to start

    runs = [untrained("c4-attention", seed, classes=FOUR.names, kernel_size=3) for seed in (0, 1)]
    evaluated(runs[0], sky, FOUR)
    team = folder / "four"
    team.mkdir()
    for seed, run in enumerate(runs):
        shutil.copy(Run(run).weights_file, team / f"seed{seed}.safetensors")
    members = [json.loads(Run(run).card_file.read_text()) for run in runs]
    width = load(runs[0], "cpu").features(open_data(str(sky)).images[0]).shape[-1]
    save_file({"centre": np.zeros((2, width)), "precision": np.tile(np.eye(width), (2, 1, 1))}, team / "distance.safetensors")
    chosen = {"poses": 2, "temperature": 1.0, "threshold": 0.5, "out_of_distribution": {"file": "distance.safetensors", "reach": 1e9}}
    card = {"model": "c4-attention", "members": members, "settings": {"model.kernel_size": 3}} | chosen
    (team / "card.json").write_text(json.dumps(card))
    return gather([str(team)], [runs[0]], [str(sky)], None, [])


def ask_once(address):
    """Open the first network, so that later answers are as quick as they get."""
    with httpx.Client(base_url=address, timeout=120) as client:
        name = client.get("/api/health").json()["sets"][0]
        source = client.get("/api/sources", params={"set": name}).json()["sources"][0]["key"]
        client.post("/api/explain", data={"source": source}).raise_for_status()


@contextmanager
def serving(offers, **limits):
    """The address of a running viewer."""
    opened = listen("127.0.0.1", 0)
    server = server_of(create_app(offers, **limits))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        opened.close()
