"""The folder of a survey: its plan, the shards that are to be done, and the results of those that are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_json
from equiradio.artefacts.job import content_hash, read_job
from equiradio.artefacts.json_files import read_json
from equiradio.artefacts.tables import write_table
from equiradio.errors import RunRefusal, refused_as
from equiradio.sky.recipe import MIRABEST

PLANNED, SHARD = b"survey_plan", b"survey_shard"  # keys of the metadata of shards and results


@dataclass(frozen=True)
class Plan:
    """What a survey does: ``plan.json``.

    Attributes
    ----------
    fingerprint : of ``job``.
    job : everything that the results depend on: catalogue, images, weights, settings.
    rows, sources : of the catalogue, and of the result (fewer where rows are grouped).
    shards, shard_size : how many there are, of how many sources at most.
    images : file, stamp and number of sources of each, in the order of shards' ``image``.
    unusable : images that cannot be opened, or show no source where others with the same pixels do, and why.
    counts : sources by what the plan already knows of them: outside, no_position, duplicate_id.
    columns : which input columns hold position, name and group, null for none; and which of several tables it is.
    renamed : input columns that come back under another name.
    grouped, features : are rows grouped, are features written?
    notes : what else is worth a line, such as a folder of images with pictures too, which no survey takes.
    recipe : by which images of sources are made, as cards hold it; MiraBest's where an older plan says nothing.
    """

    fingerprint: str
    job: dict[str, Any]
    rows: int
    sources: int
    shards: int
    shard_size: int
    images: list[dict[str, Any]]
    unusable: list[dict[str, Any]]
    counts: dict[str, int]
    columns: dict[str, Any]
    renamed: dict[str, str]
    grouped: bool
    features: bool
    notes: list[str] = field(default_factory=list)
    recipe: dict[str, Any] = field(default_factory=MIRABEST.as_card)


class SurveyFolder:
    """``OUT``: plan.json, shards/, results/."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.plan_file = folder, folder / "plan.json"

    def plan(self) -> Plan:
        """The plan that is there.

        Raises
        ------
        RunRefusal : there is none, or a damaged one.
        """
        if not self.plan_file.is_file():
            raise RunRefusal(self.folder, "no plan.json", "the folder of a survey", "Run equiradio survey or equiradio survey plan first.")
        do = "Delete the folder and plan anew."
        return Plan(**self._known(read_json(self.plan_file, Plan, RunRefusal, "the plan of a survey", do)))

    @staticmethod
    def _known(content: Mapping[str, Any]) -> dict[str, Any]:
        return {name: content[name] for name in Plan.__dataclass_fields__ if name in content}

    def write_plan(self, plan: Plan) -> None:
        """Write the plan; last of all, so that a plan that is there has all its shards."""
        write_json(self.plan_file, asdict(plan))

    def shard_file(self, number: int) -> Path:
        """The sources of a shard."""
        return self.folder / "shards" / f"{number:06d}.parquet"

    def result_file(self, number: int) -> Path:
        """Their rows."""
        return self.folder / "results" / f"{number:06d}.parquet"

    def note_file(self, number: int) -> Path:
        """What is noted of a result when it is finished: checksum, counts, seconds."""
        return self.result_file(number).with_suffix(".json")

    def read_shard(self, number: int, plan: Plan) -> pa.Table:
        """The sources of a shard.

        Raises
        ------
        RunRefusal : missing, damaged, or of another plan.
        """
        file, do = self.shard_file(number), "Delete the folder and plan anew."
        with refused_as(RunRefusal, file, "a shard of the plan", do), pq.ParquetFile(file, page_checksum_verification=True) as content:
            table = content.read()
        if (table.schema.metadata or {}).get(PLANNED, b"").decode() != plan.fingerprint:
            raise RunRefusal(file, "a shard of another plan", f"one of {self.plan_file.name} beside it", do)
        return table

    def write_result(self, number: int, plan: Plan, table: pa.Table, note: Mapping[str, Any]) -> None:
        """Write a result and then its note: without the note, or with another checksum, a result is not finished."""
        file, bearing = self.result_file(number), {PLANNED: plan.fingerprint.encode(), SHARD: str(number).encode()}
        write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **bearing}), file)
        facts = {"sha256": content_hash(file), "rows": table.num_rows, "plan": plan.fingerprint, "shard": number}
        write_json(self.note_file(number), {**facts, **note})

    def note(self, number: int) -> dict[str, Any] | None:
        """What is noted of a result; None where nothing is."""
        return read_job(self.note_file(number))

    def noted(self, number: int, plan: Plan) -> bool:
        """Was a result of this plan finished? Its rows are not looked at."""
        note = self.note(number)
        return note is not None and note.get("plan") == plan.fingerprint and note.get("shard") == number

    def finished(self, number: int, plan: Plan) -> bool:
        """Is the result there, whole and of this plan?"""
        try:
            return self.noted(number, plan) and (self.note(number) or {}).get("sha256") == content_hash(self.result_file(number))
        except OSError:
            return False

    def unfinished(self, plan: Plan) -> list[int]:
        """The shards that are still to be done."""
        return [number for number in range(plan.shards) if not self.finished(number, plan)]

    def any_result(self) -> bool:
        """Has a run begun?"""
        return any((self.folder / "results").glob("[0-9]*.parquet"))
