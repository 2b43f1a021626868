"""Take the viewer's pictures anew, into docs/images/, from a viewer that offers results/runs.

Usage: python scripts/picture_viewer.py viewer-source viewer-evidence        (from the repository's root)

Needs Chromium, MiraBest and what the tests of the page need.
"""

import io
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path("docs/images")
SOURCE = quote("mirabest/210_180.617+058.693_0.1268_0131.60", safe="")
BOTH = f"#source?key={SOURCE}&b=attention&rotation=35"
SHOTS = {  # name: address in the viewer, width and height of the window
    "viewer-source": (f"{BOTH}&map=0", 1440, 1340),
    "viewer-evidence": (BOTH, 1440, 1340),
    "viewer-source-phone": (f"#source?key={SOURCE}", 390, 1500),
    "viewer-run": ("#run", 1440, 860),
}
OFFERED = ("--model", "c4-attention", "--model", "attention", "--runs", "results/runs", "--port", "0")


def shoot(page: Page, address: str, width: int, height: int) -> Image.Image:
    """The window once everything in it was answered."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    for number in range(address.count("key=") + address.count("&b=")):
        page.locator(".row").nth(number).locator(".verdict").wait_for()
    page.wait_for_load_state("networkidle")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def main(names: list[str]) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not names or set(names) - set(SHOTS):
        sys.exit(f"Install Chromium, and name some of {', '.join(SHOTS)}.")
    command = [sys.executable, "-m", "equiradio", "serve", *OFFERED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as viewer:
        try:
            assert viewer.stdout
            take(names, viewer.stdout.readline().split()[0], chromium)
        finally:
            viewer.terminate()


def take(names: list[str], root: str, chromium: str) -> None:
    """Shoot and write what is named, from a viewer that runs at an address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        for name in names:
            link, width, height = SHOTS[name]
            shoot(page, f"{root}{link}", width, height).save(IMAGES / f"{name}.png", optimize=True)
            print(f"{IMAGES / name}.png", flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
