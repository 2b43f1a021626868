"""What tests do with the viewer's page in a browser."""

import time


def opened(page, address, view):
    page.goto("about:blank")
    page.goto(f"{address}/{view}")
    page.wait_for_selector("body[data-ready]")
    return page


def until(page, expression, seconds=60):
    """Wait until an expression holds; Playwright's own way evaluates text inside the page, which the viewer's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def shown_at(page, angle):
    until(page, f"document.querySelector('#source').dataset.shown === '{angle}'")


def pictures(page):
    """What the panels of the first row show."""
    return page.evaluate("[...document.querySelectorAll('.row:first-child canvas.panel')].map((canvas) => canvas.toDataURL())")
