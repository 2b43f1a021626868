"""Maps of some of a survey's sources, drawn after the answers: of the doubtful, of the surest, or of those in a list."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_json, write_text
from equiradio.artefacts.claim import claimed
from equiradio.artefacts.job import JOB, read_job, refuse_other
from equiradio.artefacts.provenance import Provenance
from equiradio.errors import RunRefusal, SettingRefusal, refused_as
from equiradio.inference.reading import BATCH, Batch, Classifier, answered
from equiradio.labels import Labels
from equiradio.printable import some_of
from equiradio.sky.cutout import Cutout
from equiradio.survey.cutting import Place
from equiradio.survey.folder import Plan, SurveyFolder
from equiradio.survey.packing import unpacked
from equiradio.survey.readers import Readers
from equiradio.survey.schema import DEC, RA, ROW
from equiradio.survey.worker import refuse_replaced
from equiradio.verbs.sky_maps import SkyMaps, write_maps

OPTION = "--maps"
INDEX = "index.csv"
FORMS = "uncertain, top:N or ids:FILE"


class Choice(NamedTuple):
    """Which sources: ``uncertain`` all that are abstained from, ``top`` the ``most`` surest of the others, ``ids`` those of ``names``."""

    kind: str
    most: int = 0
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str) -> "Choice":
        """Of "uncertain", "top:100", or "ids:FILE", a file with a name of a source on each line.

        Raises
        ------
        SettingRefusal : another text, or a file that cannot be read or is empty.
        """
        if text == "uncertain":
            return cls("uncertain")
        if match := re.fullmatch(r"top:([1-9]\d{0,8})", text):
            return cls("top", int(match[1]))
        if not text.startswith("ids:"):
            raise SettingRefusal(OPTION, f"'{text}'", FORMS, "For example --maps top:100.")
        file = Path(text.removeprefix("ids:"))
        do = "Name a text file with a name of the catalogue on each line."
        with refused_as(SettingRefusal, file, "names of sources, UTF-8", do):
            names = frozenset(line.strip() for line in file.read_text(encoding="utf-8").splitlines())
        if not names - {""}:
            raise SettingRefusal(OPTION, f"no name in {file}", "a name on each line", do)
        return cls("ids", names=names - {""})

    @property
    def about(self) -> dict[str, object]:
        """As the folder of maps says what it holds."""
        return {"kind": self.kind, "most": self.most, "names": sorted(self.names)}


class Drawing(NamedTuple):
    """Where maps lie, how many sources have some, and how many of these were drawn now."""

    folder: Path
    sources: int
    drawn: int


def draw_maps(
    team: Classifier,
    folder: SurveyFolder,
    choice: Choice,
    about: Provenance,
    *,
    readers: int = 1,
    progress: Callable[[str, int, int], object] = lambda what, done, total: None,
) -> Drawing:
    """Draw maps of some sources of a finished survey into ``OUT/maps``, as ``equiradio classify --maps`` draws them.

    What an interrupted call of the same choice has drawn stays. ``index.csv`` there says which maps are whose.

    Raises
    ------
    RunRefusal : shards that are not finished, maps there of another choice, or images that are not those of the plan.
    SettingRefusal : names that are in no row.
    """
    plan, maps = folder.plan(), folder.folder / "maps"
    if unfinished := folder.unfinished(plan):
        raise RunRefusal(folder.folder, f"{len(unfinished):,} of {plan.shards:,} shards are not finished", "all of them", "Finish them.")
    chosen = _chosen(folder, plan, choice, team.labels)
    with claimed(maps) as claim:
        job = {"plan": plan.fingerprint, "choice": choice.about}
        if (before := read_job(maps / JOB)) is not None and any(maps.glob("*.fits")):  # one that drew nothing is in nobody's way
            refuse_other(maps, before, job, "maps of this survey", "Delete that folder, or move it away.")
        write_json(maps / JOB, job)
        names = _names(chosen)
        write_text(maps / INDEX, _index(chosen, names))
        to_do = [row | {"map_name": name} for row, name in zip(chosen, names, strict=True) if not (maps / f"{name}.png").is_file()]
        refuse_replaced(plan, {row["file"] for row in to_do})
        reading = Readers(readers, team.recipe, {name: plan.job[name] for name in ("hdu", "plane", "beam")}, plan.job["max_nonfinite"])
        try:
            for done in _drawn(team, reading, maps, to_do, about):
                claim.check()
                progress("maps", len(chosen) - len(to_do) + done, len(chosen))
        finally:
            reading.close()
    return Drawing(maps, len(chosen), len(to_do))


def _drawn(team: Classifier, reading: Readers, maps: Path, to_do: Sequence[dict[str, Any]], about: Provenance) -> Iterator[int]:
    """Draw, batch after batch; how many are done. The picture is written last: where it is, all of a source's maps are."""
    chunks = [to_do[begin : begin + BATCH] for begin in range(0, len(to_do), BATCH)]
    reads = reading.read([[Place(row["file"], row[RA.name], row[DEC.name]) for row in chunk] for chunk in chunks])
    for number, chunk in enumerate(chunks):
        batch: Batch = [(row["file"], unpacked(each)) for row, each in zip(chunk, next(reads), strict=True)]
        rows, cutouts, answers = answered(team, batch)
        drawn = iter(()) if answers is None else zip(cutouts, answers.gates, answers.attention, answers.evidence, strict=True)
        for asked, (_, what), row in zip(chunk, batch, rows, strict=True):
            drawing = next(drawn) if isinstance(what, Cutout) else None
            if drawing is not None and row["label"]:
                cutout, gates, attention, why = drawing
                of_source = row | {"source_id": asked["source_id"], "map_name": asked["map_name"]}
                seen = SkyMaps(gates, attention, team.labels, why, row["map_agreement"])
                write_maps(maps, cutout, seen, of_source, {**about, **team.about_of(row["model"])})
        yield number * BATCH + len(chunk)


def _chosen(folder: SurveyFolder, plan: Plan, choice: Choice, labels: Labels) -> list[dict[str, Any]]:
    """The rows of the sources chosen, in the order of images, so that each is opened once."""
    columns = ["source_id", ROW.name, RA.name, DEC.name, "file"]
    there_are, parts = set[str](), list[pa.Table]()
    for shard in range(plan.shards):
        table = pq.read_table(folder.result_file(shard))
        there = pc.fill_null(table["answered"], False)
        if choice.kind == "ids":
            named = pc.is_in(table["source_id"], pa.array(sorted(choice.names)))
            there_are |= set(table["source_id"].filter(named).to_pylist())
            there = pc.and_(there, named)
        else:
            doubt = pc.fill_null(table["uncertain"], True)
            there = pc.and_(there, doubt if choice.kind == "uncertain" else pc.invert(doubt))
        table = table.append_column("top", pa.array(_top(table, labels)))
        parts.append(table.select([*columns, "top"]).filter(there))
        if choice.kind == "top":  # so that memory holds no more than the best and a shard
            parts = [_best(pa.concat_tables(parts), choice.most)]
    if lost := sorted(choice.names - there_are):
        raise SettingRefusal(
            OPTION, f"{len(lost):,} names that no source has ({some_of(lost, 3)})", "names of the catalogue", "Correct the file."
        )
    return pa.concat_tables(parts).sort_by([("file", "ascending"), (ROW.name, "ascending")]).to_pylist()


def _top(table: pa.Table, labels: Labels) -> np.ndarray:
    """Highest probability of each row, 0 where there is no answer."""
    return np.asarray(np.nan_to_num(np.max([table[name].to_numpy() for name in labels.columns()], axis=0)))


def _best(table: pa.Table, count: int) -> pa.Table:
    """The rows of highest probability; of equals the first of the catalogue."""
    return table.sort_by([("top", "descending"), (ROW.name, "ascending")]).slice(0, count)


def _names(chosen: Sequence[dict[str, Any]]) -> list[str]:
    """What the maps of each source are called: like the source, with its row behind where others would be called so too."""
    plain = [re.sub(r"[^\w.+-]+", "_", row["source_id"], flags=re.ASCII).strip(".") or "source" for row in chosen]
    often = Counter(name.lower() for name in plain)  # some disks do not tell letters' case apart
    return [name if often[name.lower()] == 1 else f"{name}-row{row[ROW.name]}" for name, row in zip(plain, chosen, strict=True)]


def _index(chosen: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """A CSV that says which maps are whose, in the order of the catalogue."""
    lines = [(row["source_id"], row[ROW.name], name) for row, name in zip(chosen, names, strict=True)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("source_id", ROW.name, "map_name"), *sorted(lines, key=lambda line: line[1])])
    return text.getvalue()
