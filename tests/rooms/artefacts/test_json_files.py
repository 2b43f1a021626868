"""JSON of ours holds what it should, or is refused where it is read."""

from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import pytest

from equiradio.artefacts.json_files import check, read_json
from equiradio.errors import RunRefusal


class Part(TypedDict):
    count: int
    note: NotRequired[str | None]


@dataclass
class Whole:
    parts: list[Part]
    share: float | None = None
    names: dict[str, str] = field(default_factory=dict)
    rest: Any = None


GOOD = {"parts": [{"count": 1}, {"count": 2, "note": None, "more": []}], "share": 1, "names": {"a": "b"}, "rest": [1, {}]}


def test_what_fits_passes():
    check(GOOD, Whole)
    check({"parts": []}, Whole)
    check(2.5, int | float | str)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parts": {}}, r"it\.parts is \{\}, not a list"),
        ({"parts": [{"count": True}]}, r"it\.parts\[0\]\.count is True, not int"),
        ({"parts": [{"note": "a"}]}, r"it\.parts\[0\] lacks 'count'"),
        ({"parts": [{"count": 2**63}]}, r"count is 9223372036854775808, not int"),
        ({"parts": [{"count": 1.0}]}, r"count is 1\.0, not int"),
        ({"parts": [{"count": 1, "note": 3}]}, r"note is 3, not str"),
        ({"share": float("nan")}, r"it\.share is nan, not float"),
        ({"share": "1"}, r"it\.share is '1', not float"),
        ({"names": {"a": 1}}, r"it\.names\.a is 1, not str"),
    ],
)
def test_what_does_not_is_named(change, words):
    with pytest.raises(TypeError, match=words):
        check(GOOD | change, Whole)


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 100_000, b'{"parts": 1}', b"NaN", b"1" * 5000])
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(RunRefusal, match=r"a\.json: cannot be read \("):
        read_json(tmp_path / "a.json", Whole, RunRefusal, "a whole", "Write it anew.")
