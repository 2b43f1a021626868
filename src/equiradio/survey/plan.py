"""From a catalogue and images to shards: which source is cut from which image, and what each process is to do."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from equiradio.artefacts.features import OPTION, TWO_TEAMS, of_two_teams
from equiradio.artefacts.job import content_hash, file_stamps, fingerprint, plain_job, refuse_other
from equiradio.artefacts.tables import write_table
from equiradio.errors import DataRefusal, ImageRefusal
from equiradio.inference.cascade import Cascade
from equiradio.inference.reading import Classifier, job_of_team
from equiradio.printable import count_of
from equiradio.sky.cutout import MAX_NONFINITE
from equiradio.survey.catalogue import Chosen, Sources, sources_of, texts
from equiradio.survey.folder import PLANNED, SHARD, Plan, SurveyFolder
from equiradio.survey.groups import Targets, targets_of
from equiradio.survey.images import Coverage, Listed, best_images, image_files, in_order
from equiradio.survey.schema import output_names, shard_schema
from equiradio.version import version

SHARD_SIZE = 10_000
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Asked:
    """What is asked of a survey.

    Attributes
    ----------
    catalogue : file, or folder of Parquet files.
    images : files, folders and patterns, in order of preference.
    beside : more of them, one choice with the first: what a shell makes of a pattern.
    chosen : columns that are named.
    options : of `equiradio.sky.mosaic.Mosaic`: hdu, plane, beam.
    """

    catalogue: Path
    images: Sequence[str]
    chosen: Chosen = field(default_factory=Chosen)
    shard_size: int = SHARD_SIZE
    features: bool = False
    max_nonfinite: float = MAX_NONFINITE
    options: Mapping[str, Any] = field(default_factory=dict)
    contents: bool = False
    beside: Sequence[str] = ()


def make_plan(team: Classifier, asked: Asked, folder: SurveyFolder, progress: Progress = lambda what, done, total: None) -> Plan:
    """The plan of a survey, written into its folder; one that is there already is gone on with where it is the same.

    Raises
    ------
    DataRefusal, SettingRefusal, ImageRefusal : a catalogue or images that cannot be used; nothing is written then.
    RunRefusal : the folder holds another plan.
    """
    if asked.features and isinstance(team, Cascade):
        raise of_two_teams(OPTION, TWO_TEAMS)
    notes: list[str] = []
    images = image_files(asked.images, asked.beside, notes.append)
    stamps = file_stamps([each.file for each in images], contents=asked.contents)
    job = _job(team, asked, images, stamps)
    if folder.plan_file.exists():
        there = folder.plan()
        do = "Repeat that command, name another --out, or delete the folder."
        refuse_other(folder.folder, there.job, job | _of_the_plan(there, images), "a survey", do)
        return there
    sources = sources_of(asked.catalogue, asked.chosen)
    names = output_names(asked.catalogue, sources.table.column_names, team.labels)
    group = None if sources.columns.group is None else texts(asked.catalogue, sources.table, sources.columns.group)
    targets = targets_of(asked.catalogue, sources, group)
    coverage = best_images(images, targets.ra_deg, targets.dec_deg, team.recipe, asked.options, progress)
    _refuse_nowhere(asked, images, targets, coverage)
    flags = _flags(targets, coverage)
    plan = _facts(asked, images, stamps, sources, targets, coverage, job, names, flags)
    plan = replace(plan, notes=[*notes, *plan.notes], recipe=team.recipe.as_card())
    _write_shards(folder, plan, sources.table.rename_columns(list(names.values())), targets, coverage, flags)
    folder.write_plan(plan)
    return plan


def _of_the_plan(plan: Plan, images: Sequence[Listed]) -> dict[str, Any]:
    """Of a plan's job what need not be the same to go on: an image that was changed, or is gone, costs its own shards alone."""
    gone = {str(each.file) for each in images} < {each["file"] for each in plan.images}
    return {name: plan.job.get(name) for name in ("image_contents", *(("images", "image_names") if gone else ()))}


def _job(team: Classifier, asked: Asked, images: Sequence[Listed], stamps: Sequence[str]) -> dict[str, Any]:
    """What the results depend on."""
    job = {
        "version": version(),
        **job_of_team(team),
        "catalogue": _catalogue_hash(asked.catalogue),
        "images": len(images),
        "image_names": fingerprint([[str(each.file), each.rank] for each in images]),
        "image_contents": fingerprint(list(stamps)),
        "hash": asked.contents,
        "shard_size": asked.shard_size,
        "features": asked.features,
        "max_nonfinite": asked.max_nonfinite,
        **{what if what == "table" else f"column_{what}": name for what, name in asdict(asked.chosen).items()},
        **{name: asked.options.get(name) for name in ("hdu", "plane", "beam")},
    }
    return plain_job(job)


def _catalogue_hash(path: Path) -> str:
    """Of a file its content, wherever it lies; of a folder those of its files."""
    if path.is_dir():
        return fingerprint([[str(file.relative_to(path)), content_hash(file)] for file in sorted(path.rglob("*.parquet"))])
    return content_hash(path) if path.is_file() else "none"


def _refuse_nowhere(asked: Asked, images: Sequence[Listed], targets: Targets, coverage: Coverage) -> None:
    """Refuse images none of which can be opened, and positions none of which lies in one."""
    if len(coverage.unusable) == len(images):
        first = next(iter(coverage.unusable.values()))
        others = f" (and none of {len(images) - 1:,} other images can be used)" if len(images) > 1 else ""
        raise ImageRefusal(first.flag, first.where, first.found + others, first.expected, first.do)
    if (coverage.image < 0).all():
        hours = " Are right ascensions hours?" if np.nanmax(targets.ra_deg) <= 24 else ""
        found = f"none of {count_of(len(targets.row), 'position')} lies in {count_of(len(images), 'image')}"
        raise DataRefusal(asked.catalogue, found, "some of them", f"Check both.{hours}")


def _flags(targets: Targets, coverage: Coverage) -> np.ndarray:
    """What is clear of each source before any image is cut: names of flags, separated by spaces."""
    often = Counter(targets.names.tolist())
    nowhere = ~np.isfinite(targets.ra_deg + targets.dec_deg)
    flags = []
    for name, lost, image in zip(targets.names, nowhere, coverage.image, strict=True):
        twice = "duplicate_id" if often[name] > 1 else ""
        flags.append(" ".join(filter(None, ("no_position" if lost else "outside" if image < 0 else "", twice))))
    return np.array(flags, object)


def _facts(
    asked: Asked,
    images: Sequence[Listed],
    stamps: Sequence[str],
    sources: Sources,
    targets: Targets,
    coverage: Coverage,
    job: dict[str, Any],
    names: dict[str, str],
    flags: np.ndarray,
) -> Plan:
    """What plan.json says."""
    covered = np.bincount(coverage.image[coverage.image >= 0], minlength=len(images)).tolist()
    listed = [each.file for each in images]
    count = len(targets.row)
    return Plan(
        fingerprint(job),
        job,
        sources.table.num_rows,
        count,
        -(-count // asked.shard_size),
        asked.shard_size,
        [{"file": str(file), "stamp": stamp, "sources": many} for file, stamp, many in zip(listed, stamps, covered, strict=True)],
        [{"file": str(listed[number]), "why": str(refusal)} for number, refusal in coverage.unusable.items()],
        {name: sum(name in each.split() for each in flags) for name in ("outside", "no_position", "duplicate_id")},
        asdict(sources.columns),
        {name: output for name, output in names.items() if name != output},
        targets.members is not None,
        asked.features,
        list(_notes(sources, listed, coverage)),
    )


def _notes(sources: Sources, files: Sequence[Path], coverage: Coverage) -> Iterator[str]:
    """What the plan had to decide and nobody asked for."""
    if sources.columns.id is None and sources.columns.group is None:
        yield f"no column of names: sources are called row-1 to row-{sources.table.num_rows}. Name one by --id."
    if coverage.alike:
        first = " and ".join(str(files[number]) for number in coverage.alike[0][:2])
        count = sum(map(len, coverage.alike))
        decides = "where nothing else decides the first by name is taken"
        yield f"{count:,} images have the same pixels as others ({first}): {decides}. Name by --images those that are meant."


def _write_shards(folder: SurveyFolder, plan: Plan, inputs: pa.Table, targets: Targets, coverage: Coverage, flags: np.ndarray) -> None:
    """Write the sources, those of an image together."""
    shutil.rmtree(folder.folder / "shards", ignore_errors=True)
    order = in_order(coverage.image, targets.ra_deg, targets.dec_deg)
    schema = shard_schema(inputs.schema, grouped=plan.grouped)
    number = lambda values: pa.array(values, pa.float64(), mask=~np.isfinite(values))
    for shard in range(plan.shards):
        rows = order[shard * plan.shard_size : (shard + 1) * plan.shard_size]
        image = coverage.image[rows]
        columns = [
            pa.array(targets.row[rows], pa.int64()),
            pa.array(targets.names[rows], pa.string()),
            number(targets.ra_deg[rows]),
            number(targets.dec_deg[rows]),
            pa.array(image, pa.int32(), mask=image < 0),
            pa.array(flags[rows], pa.string()),
        ]
        if targets.members is not None:
            columns.append(pa.array([targets.members[row] for row in rows], pa.list_(pa.string())))
        columns += inputs.take(pa.array(targets.row[rows])).columns
        bearing = {PLANNED: plan.fingerprint.encode(), SHARD: str(shard).encode()}
        write_table(pa.table(columns, schema=schema).replace_schema_metadata(bearing), folder.shard_file(shard))
