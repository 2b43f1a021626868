"""A shard of the plan to its rows: cutouts, answers, one Parquet file with exactly one row for each source."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from equiradio.artefacts.catalogue import Row
from equiradio.artefacts.flags import bits, names
from equiradio.artefacts.job import file_stamps
from equiradio.artefacts.provenance import Provenance, with_provenance
from equiradio.compute.memory import give_back
from equiradio.errors import ImageRefusal, RunRefusal
from equiradio.inference.reading import BATCH, Batch, Classifier, answered, schema_of
from equiradio.inference.rows import refused_row
from equiradio.printable import printable
from equiradio.sky.cutout import Cutout
from equiradio.survey.cutting import UNREADABLE, Place
from equiradio.survey.folder import Plan, SurveyFolder
from equiradio.survey.packing import unpacked
from equiradio.survey.readers import Readers
from equiradio.survey.schema import result_schema
from equiradio.verbs.classified_features import add_features

AGAIN = "Put back the image of the plan and go on with --resume, or name another --out to plan anew."
LATER = "Go on with --resume when it can; where the file is lost, take it away and name another --out."


class ReplacedImage(RunRefusal):
    """An image that is not the one that a survey was planned with, or that the disk does not give now."""


@dataclass(frozen=True)
class Worker:
    """Who answers shards: a team, and the processes that read for it."""

    team: Classifier
    folder: SurveyFolder
    plan: Plan
    readers: Readers
    about: Provenance

    def do(self, number: int, progress: Any = lambda done: None) -> None:
        """Answer a shard and write its result.

        Raises
        ------
        ReplacedImage : an image is not the one of the plan, before or after, or cannot be read now; nothing is written then.
        """
        begun = time.perf_counter()
        shard = self.folder.read_shard(number, self.plan)
        refuse_replaced(self.plan, self._files(shard))
        spent = {"reading": 0.0, "answering": 0.0}
        rows = self._rows(shard, spent, progress)
        table = self._table(shard, rows)
        refuse_replaced(self.plan, self._files(shard))
        spent["total"] = time.perf_counter() - begun
        done = sum(bool(row["answered"]) for row in rows)
        give_back()  # else what lies free between used blocks adds up from shard to shard
        note = {"answered": done, "seconds": {key: round(value, 4) for key, value in spent.items()}, "rss_mb": _resident_mb()}
        self.folder.write_result(number, self.plan, table, note)

    def _files(self, shard: pa.Table) -> set[str]:
        """The images that a shard's sources are cut from."""
        return {self.plan.images[place]["file"] for place in set(shard["image"].drop_null().to_pylist())}

    def _rows(self, shard: pa.Table, spent: dict[str, float], progress: Any) -> list[Row]:
        """A row for each source, in the order of the shard. ``spent`` counts seconds of waiting for images, and of answering."""
        targets = shard.select(["source_id", "target_ra_deg", "target_dec_deg", "image", "plan_flags"]).to_pylist()
        to_cut = [target for target in targets if target["image"] is not None]
        answers = self._answers(to_cut, spent, progress)
        rows = []
        for target in targets:
            row = next(answers) if target["image"] is not None else self._unread(target)
            row["source_id"] = target["source_id"]
            row["flags"] |= bits(target["plan_flags"].split())
            row["flag_names"] = " ".join(names(row["flags"]))
            rows.append(row)
        return rows

    def _answers(self, targets: Sequence[Mapping[str, Any]], spent: dict[str, float], progress: Any) -> Iterator[Row]:
        """Rows as ``classify`` makes them, of the sources that lie in an image."""
        place = lambda each: Place(self.plan.images[each["image"]]["file"], each["target_ra_deg"], each["target_dec_deg"])
        chunks = [[place(each) for each in targets[begin : begin + BATCH]] for begin in range(0, len(targets), BATCH)]
        reads = self.readers.read(chunks)
        for chunk in chunks:
            begun = time.perf_counter()
            cutouts = [unpacked(each) for each in next(reads)]
            read = time.perf_counter()
            _refuse_unread(cutouts)
            batch: Batch = [(where.file, what) for where, what in zip(chunk, cutouts, strict=True)]
            rows, _, answers = answered(self.team, batch)
            if self.plan.features and answers is not None:
                add_features(rows, [isinstance(what, Cutout) for what in cutouts], answers)
            spent["reading"] += read - begun
            spent["answering"] += time.perf_counter() - read
            progress(len(chunk))
            yield from rows

    def _unread(self, target: Mapping[str, Any]) -> Row:
        """The row of a source that lies in no image."""
        flag = target["plan_flags"].split()[0]
        refusal = ImageRefusal(flag, target["source_id"], "no image of it", "an image that covers it", "Add one.")
        return refused_row(refusal, "", self.team.name, self.team.labels) | {"file": None}

    def _table(self, shard: pa.Table, rows: Sequence[Row]) -> pa.Table:
        """Answers and inputs side by side."""
        begin = shard.schema.get_field_index("plan_flags") + 1 + self.plan.grouped
        inputs = [shard.schema.field(place) for place in range(begin, len(shard.schema))]
        schema = result_schema(schema_of(self.team, {}), inputs, grouped=self.plan.grouped, features=self.plan.features)
        carried = {name for name in schema.names if name in shard.column_names} - {"source_id"}
        answers = pa.Table.from_pylist(list(rows), schema=pa.schema([field for field in schema if field.name not in carried]))
        columns = [shard.column(name) if name in carried else answers.column(name) for name in schema.names]
        return pa.table(columns, schema=with_provenance(schema, {key: printable(str(value)) for key, value in self.about.items()}))


def worker_of(team: Classifier, folder: SurveyFolder, plan: Plan, readers: int, about: Provenance) -> Worker:
    """A worker with ``readers`` reading processes of its own, by the options of the plan."""
    options = {name: plan.job[name] for name in ("hdu", "plane", "beam")}
    return Worker(team, folder, plan, Readers(readers, team.recipe, options, plan.job["max_nonfinite"]), about)


def refuse_replaced(plan: Plan, files: Collection[str]) -> None:
    """Refuse images that were replaced, or are gone, since the plan was made."""
    planned = [each for each in plan.images if each["file"] in files]
    stamps = file_stamps([Path(each["file"]) for each in planned], contents=bool(plan.job.get("hash")))
    for each, stamp in zip(planned, stamps, strict=True):
        if stamp != each["stamp"]:
            what = "not there any more" if stamp == "FileNotFoundError" else "changed since the plan was made"
            raise ReplacedImage(each["file"], what, "the image that was planned with", AGAIN)


def _refuse_unread(cutouts: Sequence[Cutout | ImageRefusal]) -> None:
    """Refuse to answer for an image that was read when the survey was planned, and that the disk does not give now."""
    for each in cutouts:
        if isinstance(each, ImageRefusal) and each.flag == UNREADABLE:
            raise ReplacedImage(each.where, f"{each.found}, as it could when it was planned", each.expected, LATER)


def _resident_mb() -> float | None:
    """Memory of this process, where the system says it."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (ImportError, OSError, ValueError, IndexError):
        return None
    return round(pages * resource.getpagesize() / 1e6, 1)
