"""One HTML page that stands alone: text, tables and pictures in a single file."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: .3rem .35rem; font-size: .82rem; text-align: right; border-bottom: 1px solid #8886; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td:last-child { white-space: normal; }
img { max-width: min(100%, 44rem); background: white; border-radius: 4px; }
figure { margin: 1.5rem 0; } figcaption { color: #777; font-size: .9rem; } code { font-size: .9em; }
"""


class Link(NamedTuple):
    """A text that leads to a file; several of them may stand in one cell of a table."""

    text: str
    target: str


Piece = str | Link
Cell = Piece | list[Piece]


def _inline(cell: Cell) -> str:
    pieces = cell if isinstance(cell, list) else [cell]
    return "".join(
        f'<a href="{html.escape(quote(piece.target))}">{html.escape(piece.text)}</a>' if isinstance(piece, Link) else html.escape(piece)
        for piece in pieces
    )


@dataclass
class Page:
    """A page that is filled from top to bottom."""

    title: str
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        self.parts.append(f"<h2>{html.escape(text)}</h2>")

    def subheading(self, text: str) -> None:
        self.parts.append(f"<h3>{html.escape(text)}</h3>")

    def text(self, text: Cell) -> None:
        self.parts.append(f"<p>{_inline(text)}</p>")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
        body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        self.parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")

    def picture(self, path: Path, caption: str) -> None:
        """A PNG, put into the page itself."""
        data = base64.b64encode(path.read_bytes()).decode()
        caption = html.escape(caption)
        self.parts.append(f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>')

    def render(self) -> str:
        title = html.escape(self.title)
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>'
        return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{"".join(self.parts)}</body></html>\n'
