"""Parts of documents that scripts write: what stands between a pair of markers."""

import re
from collections.abc import Callable, Iterable, Mapping


def filled(text: str, parts: Mapping[str, Callable[[], Iterable[str]]]) -> str:
    """A document with new lines between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->`` for each part by name."""
    for name, make in parts.items():
        markers = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        assert markers.search(text), name
        content = "\n".join(make())
        text = markers.sub(lambda match, content=content: f"{match[1]}\n{content}\n\n{match[2]}", text)
    return text
