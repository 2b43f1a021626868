"""Milliseconds a frame of a running viewer takes: new angles, and angles a quarter turn on.

Usage: equiradio serve &                                      (then, from the repository's root)
       python benchmarks/viewer.py http://127.0.0.1:8765 c4-attention attention
"""

import statistics
import sys
import time

import httpx

ANGLES = 20


def frames(client: httpx.Client, source: str, model: str, angles: list[float]) -> str:
    """Median and range over some angles, asked one after the other."""
    took = []
    for angle in angles:
        start = time.perf_counter()
        client.post("/api/explain", data={"source": source, "model": model, "rotation_deg": angle}).raise_for_status()
        took.append(1000 * (time.perf_counter() - start))
    return f"median {statistics.median(took):.0f} ms ({min(took):.0f} to {max(took):.0f})"


def main(address: str, models: list[str]) -> None:
    with httpx.Client(base_url=address, timeout=120) as client:
        first = client.get("/api/health").raise_for_status().json()["sets"][0]
        source = client.get("/api/sources", params={"set": first}).raise_for_status().json()["sources"][0]["key"]
        offset = time.time() % 1  # so that a second call meets no frame that is kept
        angles = [1 + 4 * k + round(offset, 1) for k in range(ANGLES)]
        for model in models:
            frames(client, source, model, [0.0])
            print(f"{model}, {source}: new angles {frames(client, source, model, angles)};", end=" ")
            print(f"a quarter turn on {frames(client, source, model, [angle + 90 for angle in angles])}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
