"""The viewer starts and shows its page without torch: that takes seconds, and whoever only looks at tables never needs it."""

import json
import subprocess
import sys

import pytest

ASKS = """
import io, json, sys
import httpx, numpy as np
from pathlib import Path
from serve_process import serving
import equiradio.cli.main, equiradio.cli.serve
from equiradio.serve.offers import gather

models, runs, sky, picture = json.loads(sys.argv[1])
offers = gather(models, [Path(run) for run in runs], [sky], None, [])
seen = {}
with serving(offers) as address, httpx.Client(base_url=address, timeout=60) as client:
    def look(path, **parameters):
        response = client.get(path, params=parameters).raise_for_status()
        seen[path] = "torch" in sys.modules
        return response

    pages = [line.split('"')[1] for line in look("/").text.splitlines() if line.startswith(("<script", "<link rel"))]
    for page in ("main.js", "style.css", "source.js", "api"):
        look(f"/{page}")
    name = look("/api/health").json()["sets"][0]
    assert look("/api/models").json()
    key = look("/api/sources", set=name).json()["sources"][0]["key"]
    look("/api/source", key=key)
    look("/api/picture.png", source=key)
    run = look("/api/runs").json()[0]
    look("/api/gallery", run=run["name"], evaluation=run["evaluations"][0])
    table = look("/api/tables").json()[0]
    look("/api/rows", table=table)
    look("/api/histogram", table=table, column="label")
    look("/api/samp")
    look("/api/openapi.json")
    client.post("/api/sources", files={"file": ("a.png", Path(picture).read_bytes())}).raise_for_status()
    seen["an upload"] = "torch" in sys.modules
    client.post("/api/classify", data={"source": key}).raise_for_status()
    seen["the first answer"] = "torch" in sys.modules
print(json.dumps(seen))
"""


@pytest.fixture
def seen(untrained, sky, tmp_path, request):
    """Whether torch was there after each request, in a process of its own."""
    from PIL import Image
    from serve_process import evaluated

    from equiradio.datasets.registry import open_data

    Image.fromarray(open_data(str(sky)).images[0]).save(tmp_path / "a.png")
    run = untrained("lenet")
    evaluated(run, sky)
    asked = json.dumps([["attention", str(run)], [str(run)], str(sky), str(tmp_path / "a.png")])
    done = subprocess.run([sys.executable, "-c", ASKS, asked], capture_output=True, text=True, cwd=request.path.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_torch_before_the_first_answer(seen):
    assert [what for what, torch in seen.items() if torch] == ["the first answer"]
    assert {"/", "/main.js", "/api/health", "/api/models", "/api/sources", "/api/picture.png", "/api/gallery", "an upload"} < set(seen)
