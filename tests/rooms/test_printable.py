"""Text is printable at every door: tables, headers, refusals, the terminal and the viewer."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table

from equiradio.artefacts.atomic import write_json
from equiradio.cli.main import main
from equiradio.errors import ImageRefusal, Refusal, SettingRefusal
from equiradio.inference.team import load
from equiradio.labels import Labels
from equiradio.printable import apart, as_ascii, duration, in_brackets, in_one_line, printable, some_of, with_interval
from equiradio.serve.held import Held
from equiradio.serve.refusals import as_json
from equiradio.serve.tables import Table
from equiradio.verbs.classify import classify
from equiradio.verbs.sky_maps import SkyMaps, as_fits

NAME = "a\nb\x1b[31m\x07\u202e\udcff\x85ü.npy"
SHOWN = "a?b?[31m????ü"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("J1+2.fits", "J1+2.fits"), ("ł ü \u200d中\u3000", "ł ü \u200d中\u3000"), (NAME, f"{SHOWN}.npy"), ("\ufffe\x00\x7f\u2028", "????")],
)
def test_what_cannot_be_printed_becomes_question_marks(text, shown):
    assert printable(text) == shown
    assert printable(printable(text)) == printable(text)


def test_lines_are_joined_and_letters_escaped():
    assert in_one_line(" one\n  two\r\nthree\x1b ") == "one two three?"
    assert as_ascii("ü\n") == "\\xfc?"


def test_a_long_list_ends_in_dots():
    assert (some_of("abcd"), some_of("abcde"), some_of([1, 2], 1), some_of([])) == ("a, b, c, d", "a, b, c, d, ...", "1, ...", "")
    assert str(Refusal("--id", "no", some_of("abcde"), "Do.")) == "--id: no; expected a, b, c, d, ... Do."


def test_a_name_that_is_taken_gets_a_number():
    assert [apart("c4", taken) for taken in ((), ("c4",), ("c4", "c4 (2)"), ("C4",))] == ["c4", "c4 (2)", "c4 (3)", "c4"]
    assert apart("C4", {"c4", "c4_2"}, "{}_{}", case=False) == "C4_3"


def test_intervals_and_durations_have_one_form():
    assert [with_interval(0.9016, edges) for edges in ([0.843, 0.9438], None)] == ["0.902 (0.84-0.94)", "0.902"]
    assert with_interval(0.8401, [0.7929, 0.8868], 1, 100.0) == "84.0 (79-89)"
    assert with_interval(None, None) == "-"
    assert [duration(each) for each in (0.4, 42, 90, 120, 5400, 36_000)] == ["0 s", "42 s", "90 s", "2 min", "90 min", "10.0 h"]


def test_a_refusal_is_one_printable_line():
    refusal = Refusal(NAME, "two\nlines\x1b[2J", "one", "Do\x00.")
    assert str(refusal) == f"{SHOWN}.npy: two lines?[2J; expected one. Do?."
    assert as_json(refusal)["error"]["where"] == f"{SHOWN}.npy"


@pytest.fixture
def files(sky, tmp_path):
    """An image under a strange name, and one under a plain one."""
    places = [tmp_path / NAME, tmp_path / "plain.npy"]
    for place, image in zip(places, np.load(sky / "images.npy"), strict=False):
        with open(place, "wb") as file:  # np.save would write a name's bytes into a warning
            np.save(file, image)
    return places


def test_tables_of_strange_names_are_read_by_others(trained, files, tmp_path):
    team = load(trained("lenet"))
    for suffix in ("vot", "fits", "csv", "parquet"):
        classify(team, files, out=tmp_path / f"c.{suffix}")
    assert list(parse_single_table(tmp_path / "c.vot").array["source_id"]) == [SHOWN, "plain"]
    with fits.open(tmp_path / "c.fits") as hdus:
        hdus.verify("exception")
        assert hdus[1].data["source_id"][0] == SHOWN.replace("ü", "\\xfc")
    assert pyarrow.csv.read_csv(tmp_path / "c.csv")["source_id"].to_pylist() == [SHOWN, "plain"]
    assert pq.read_table(tmp_path / "c.parquet")["file"].to_pylist()[0].endswith(f"{SHOWN}.npy")


def test_the_terminal_shows_no_escapes(trained, files, capsys):
    files[0].write_bytes(b"nothing")
    assert main(["classify", str(files[0]), "--model", str(trained("lenet"))]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{SHOWN}.npy: 7 bytes" in err
    assert main(["classify", *map(str, files), "--model", str(trained("lenet"))]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["train", "--resume\x1b[2J\nyes"]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), "\x1b" in err) == (1, False)


def test_the_viewers_fits_holds_a_strange_name():
    source = Held("upload/a", NAME, np.zeros((150, 150), np.uint8))
    maps = SkyMaps(np.zeros((1, 150, 150), np.float32), np.zeros((150, 150), np.float32), Labels(("FRI", "FRII")))
    header = fits.getheader(io.BytesIO(as_fits(source.cutout(), maps, {"model": "lenet\n"}, [f"of {source.name}\x07"])))
    assert header["MODEL"] == "lenet?"
    assert str(header["HISTORY"]).startswith("of " + f"{SHOWN}.npy".replace("ü", "\\xfc"))


@pytest.mark.filterwarnings("ignore::astropy.io.votable.exceptions.W03")  # names that are no identifiers
def test_the_viewers_votable_holds_strange_cells(tmp_path):
    fields = [pa.field(name, pa.string(), metadata={"description": "a\x02b"}) for name in ("na\x01me", "na\x02me")]
    pq.write_table(pa.table([["one\x00", "two"], ["x", "y"]], schema=pa.schema(fields)), tmp_path / "t.parquet")
    read = parse_single_table(io.BytesIO(Table("t", tmp_path / "t.parquet").votable([], None, False)))
    assert [(field.name, field.description) for field in read.fields] == [("na?me", "a?b"), ("na?me (2)", "a?b")]
    assert list(read.array[read.array.dtype.names[0]]) == ["one?", "two"]


def test_classes_that_cannot_be_printed_are_refused():
    for names, unknown in ((("A\x07", "B"), ""), (("A", "B"), "un\nknown")):
        with pytest.raises(SettingRefusal, match="characters that cannot be printed"):
            Labels(names, unknown)


def test_json_holds_bytes_that_are_no_text(tmp_path):
    write_json(tmp_path / "a.json", {"name": "a\udcff\x1b"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"name": "a?\x1b"}


def test_refusals_of_images_keep_their_flag():
    refusal = ImageRefusal("damaged", NAME, "a\nb", "c", "d")
    kind, given = refusal.__reduce__()
    assert str(kind(*given)) == str(refusal)
    assert refusal.flag == "damaged"


def test_an_interval_in_brackets_has_the_sign_that_is_asked_for():
    assert in_brackets([0.8401, 0.94], 3) == " [0.840, 0.940]"
    assert in_brackets([-0.01, 0.02], 1, 100.0, "+") == " [-1.0, +2.0]"
    assert in_brackets(None, 3) == ""
