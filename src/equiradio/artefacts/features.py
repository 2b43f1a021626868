"""Features of classified sources on disk: one vector a source, for similarity search, clustering and maps of a catalogue."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.provenance import Provenance, with_provenance
from equiradio.errors import RunRefusal, SettingRefusal, refused_as
from equiradio.sky.recipe import MIRABEST, Recipe, recipe_of

OPTION, RECIPE = "--features", "recipe"  # what the user calls it, and where the recipe stands in its metadata
VECTOR = pa.field(
    "features",
    pa.list_(pa.float32()),
    metadata={"unit": "", "ucd": "", "description": "what the heads of all networks decide from, side by side; null without an answer"},
)
DISTANCE = pa.field(
    "distance",
    pa.float64(),
    metadata={
        "unit": "",
        "ucd": "",
        "description": "Mahalanobis distance from the sources of the calibration; null where it was never measured",
    },
)
COLUMNS = ("source_id", "file", "label", DISTANCE.name, VECTOR.name)


def features_schema(catalogue: pa.Schema, about: Provenance, recipe: Recipe) -> pa.Schema:
    """Columns of a file of features, and by which recipe its files became images; shared columns are described as in the catalogue."""
    own = {field.name: field for field in (DISTANCE, VECTOR)}
    columns = pa.schema([own.get(name) or catalogue.field(name) for name in COLUMNS])
    return with_provenance(columns, {**about, RECIPE: json.dumps(recipe.as_card())})


TWO_TEAMS = f"Drop one of {OPTION} and --cascade."


def of_two_teams(where: str, do: str) -> SettingRefusal:
    """Why a cascade gives no features."""
    return SettingRefusal(
        where, "asked of a cascade, whose two teams have features of their own", "one team, whose features can be compared", do
    )


def check_features_suffix(path: Path) -> None:
    """Refuse a file of features that could not be written, before work is done for it."""
    if path.suffix.lower() != ".parquet":
        raise SettingRefusal(OPTION, f"'{path.name}'", "a name that ends in .parquet, which holds vectors", "Change the suffix.")


class Features(NamedTuple):
    """Sources with their vectors.

    Attributes
    ----------
    source_ids, files, labels : str (count,); a label is empty where there is no answer.
    vectors : float32 (count, n), nan where there is no answer.
    model : name of the team that made them.
    recipe : by which it made images of the files.
    """

    source_ids: list[str]
    files: list[str]
    labels: list[str]
    vectors: np.ndarray
    model: str
    recipe: Recipe = MIRABEST


def refuse_absent(path: Path) -> None:
    """Refuse features that are not there."""
    if not path.is_file():
        raise RunRefusal(path, "no such file", "features that equiradio classify wrote", "Make them with equiradio classify --features.")


def read_features(path: Path) -> Features:
    """What ``equiradio classify --features`` wrote.

    Raises
    ------
    RunRefusal : it is not there, or no such file.
    """
    refuse_absent(path)
    do = "Make it anew with equiradio classify --features."
    with refused_as(RunRefusal, path, "a file of features", do):
        absent = [name for name in COLUMNS if name not in pq.read_schema(path).names]
        if absent:
            raise RunRefusal(path, f"no column {' and no '.join(absent)}, as of a catalogue", "a file of features", do)
        table = pq.read_table(path, columns=list(COLUMNS))
        given = table[VECTOR.name].to_pylist()
        lengths = {len(each) for each in given if each is not None}
        if len(lengths) != 1:
            raise ValueError(f"vectors of {sorted(lengths)} numbers")
        nothing = [np.nan] * lengths.pop()
        vectors = np.array([nothing if each is None else each for each in given], np.float32)
        sources, files, labels = ([text or "" for text in table[name].to_pylist()] for name in COLUMNS[:3])
        about = table.schema.metadata or {}
        recipe = recipe_of(json.loads(about.get(RECIPE.encode(), b"{}")))  # older files are of MiraBest's
        return Features(sources, files, labels, vectors, about.get(b"model", b"").decode(), recipe)
