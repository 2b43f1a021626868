"""A viewer that runs beside the tests, on a free port of this machine."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn

from equiradio.artefacts.run import Run
from equiradio.artefacts.tables import PREDICTIONS, write_table
from equiradio.datasets.registry import open_data
from equiradio.serve.app import create_app
from equiradio.serve.offers import gather
from equiradio.serve.server import listen

MILLION = 1_000_000


def million(folder):
    """A table of a million rows."""
    path = folder / "million.parquet"
    p = np.random.default_rng(0).random(MILLION)
    names = pa.array(np.char.add("J", np.char.zfill(np.arange(MILLION).astype(str), 7)))
    columns = {"source_id": names, "ra_deg": 360 * p, "dec_deg": 90 * p, "p_frii": p, "uncertain": abs(p - 0.5) < 0.1}
    pq.write_table(pa.table(columns), path)
    return path


def evaluated(run, sky):
    """Predictions of a run on the test split of a data set, half of them wrong."""
    sources = open_data(str(sky)).of_split("test")
    p = np.where(np.arange(len(sources)) % 4 < 2, 0.9, 0.2)
    columns = {"source_id": sources.source_ids, "label": sources.labels.astype(np.int8), "confidence": sources.confidence}
    columns |= {"pass": np.zeros(len(sources), np.int32), "logit_fri": -p, "logit_frii": p, "p_fri": 1 - p, "p_frii": p}
    write_table(pa.table(columns, schema=PREDICTIONS), Run(run).predictions_file(sky.name, "test"))


def offers_of(untrained, sky, folder):
    """Two small networks, a data set, a run with predictions, a table."""
    models = [untrained("c4-attention", kernel_size=3), untrained("attention", kernel_size=3)]
    evaluated(models[0], sky)
    return gather([str(model) for model in models], [models[0]], [str(sky)], None, [million(folder)])


@contextmanager
def serving(offers, **limits):
    """The address of a running viewer."""
    opened = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(offers, **limits), log_level="warning", access_log=False))
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
