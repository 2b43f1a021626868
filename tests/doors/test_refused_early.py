"""What is wrong with a command line is said before PyTorch is opened, which takes seconds."""

import subprocess
import sys

import pytest

RUN = """
import sys
from equiradio.cli.main import main
code = main(sys.argv[1:])
assert code == 2, code
assert "torch" not in sys.modules
"""
WRONG = {
    "classify nowhere.fits": "no such file",
    "classify nowhere.fits --out c.csv": "no such file",
    "classify nowhere.fits --model nobody": "'nobody' is neither",
    "classify . --model quick": "a folder without any .fits",
    "survey catalogue.csv --images nowhere.fits --out out": "--images nowhere.fits: no such file",
    "survey nowhere.csv --images catalogue.csv --out out": "nowhere.csv: no such file",
    "survey plan nowhere.csv --images catalogue.csv --out out": "nowhere.csv: no such file",
    "survey merge nowhere": "no plan.json",
    "evaluate nowhere": "no such folder",
    "evaluate some/nowhere --through beam:8": "no such folder",
    "explain some/nowhere --out out": "no such folder",
    "explain quick --member some/nowhere --out out": "no such folder",
    "calibrate nowhere --out out": "no such folder",
    "export some/nowhere": "no such folder",
    "train --model nobody": "'nobody' is not a model",
    "train --data nothing": "'nothing' is not a data set",
    "evaluate quick --through beam:8 --data nothing": "'nothing' is not a data set",
    "explain quick --out out --data nothing": "'nothing' is not a data set",
    "reproduce --data nothing --out out": "'nothing' is not a data set",
    "reproduce --data mirabest@3of2 --out out": "names fold 3 of 2",
    "data labels nowhere": "no such folder",
    "train --from some/nowhere": "no such folder",
    "train --config nowhere.toml": "no such file",
    "similar a.fits --among nowhere.parquet": "no such file",
    "reproduce --models nobody --out out": "'nobody' is not a model",
    "bench --models nobody": "'nobody' is not a model",
    "report nowhere": "no such folder",
    "data import nowhere --out out": "no such file or folder",
    "serve --images nowhere": "no such folder",
}


@pytest.mark.parametrize("command", WRONG)
def test_it_is_said_before_torch_is_opened(command, tmp_path):
    (tmp_path / "catalogue.csv").write_text("source_id,ra,dec\na,180,30\n")
    done = subprocess.run([sys.executable, "-c", RUN, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert WRONG[command] in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.csv"]
