"""What a survey's catalogue holds, in numbers and as a sample: counted piece by piece, so that memory stays flat."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from equiradio.artefacts.flags import FLAGS
from equiradio.artefacts.provenance import provenance_of
from equiradio.survey.folder import Plan, SurveyFolder
from equiradio.survey.schema import ROW

SAMPLE = 100_000  # sources that figures show
BEST = 4  # of a class
STRANGE = 8
PROBABILITY, MIXED = "probability of ", " where sources are mixed "  # before and behind a class in the description of its column
COLUMNS = ("target_ra_deg", "target_dec_deg", "total_jy", "size_arcsec", "beams_across")  # of the sample, numbers


def summary_file(out: Path) -> Path:
    """Beside a merged catalogue: what is in it."""
    return out.with_name(f"{out.name}.summary.json")


def classes_of(schema: pa.Schema) -> dict[str, str]:
    """Classes and their columns, in order, of the columns that are ours."""
    ours = list(schema)[: schema.get_field_index(ROW.name)]
    about = [(field.name, (field.metadata or {}).get(b"description", b"").decode()) for field in ours]
    return {words.removeprefix(PROBABILITY).split(MIXED)[0]: name for name, words in about if words.startswith(PROBABILITY)}


def reasons(folder: SurveyFolder, plan: Plan) -> str:
    """Why sources have no answer, in words, the most frequent reason first; the first is explained."""
    import pyarrow.parquet as pq

    files = [folder.result_file(number) for number in range(plan.shards)]
    rows = [pq.read_table(file, columns=["answered", "flag_names"]).to_pylist() for file in files]
    often = Counter(name for some in rows for row in some if not row["answered"] for name in row["flag_names"].split())
    fatal = [(flag, often[flag.name]) for flag in FLAGS if flag.fatal and often[flag.name]]
    ordered = sorted(fatal, key=lambda each: -each[1])
    counted = ", ".join(f"{count:,} {flag.name}" for flag, count in ordered)
    return f"{counted}; {ordered[0][0].name}: {ordered[0][0].meaning.removeprefix('no answer: ')}" if ordered else "no flag"


class Summary:
    """Counts and a sample of a catalogue that goes by.

    Attributes
    ----------
    sources, answered, uncertain : how many there are so far; left_out : that the form of the catalogue does not hold.
    classes, flags : how often each is there; a class is counted where there is an answer, abstained or not.
    columns : of probabilities, by class, in the order of the network's.
    surest : of each class the rows of highest probability without a doubt; strangest : rows that are flagged unusual, or else least sure.
    sample : columns of every so-manieth source: numbers, nan for none; ``label``, empty for none; ``uncertain``.
    """

    def __init__(self, plan: Plan, notes: Sequence[Mapping[str, Any]]) -> None:
        self.plan, self.notes = plan, notes
        self.sources = self.answered = self.uncertain = self.left_out = 0
        self.classes, self.flags, self.columns = Counter[str](), Counter[str](), dict[str, str]()
        self.stride = max(1, -(-plan.sources // SAMPLE))
        self.surest: dict[str, list[dict[str, Any]]] = {}
        self.strangest: list[dict[str, Any]] = []
        self.about: dict[str, Any] = {}
        self._parts: list[dict[str, np.ndarray]] = []

    def add(self, table: pa.Table) -> None:
        """Count the next piece."""
        self.about, self.columns = {entry.name: value for entry, value in provenance_of(table.schema)}, classes_of(table.schema)
        answered = pc.fill_null(table.column("answered"), False)
        self._sample(table)
        self.sources += len(table)
        self.answered += pc.sum(answered).as_py() or 0
        self.uncertain += pc.sum(pc.and_(answered, pc.fill_null(table.column("uncertain"), False))).as_py() or 0
        for counter, column in ((self.classes, table.column("label")), (self.flags, table.column("flag_names"))):
            for each in pc.value_counts(pc.drop_null(column)).to_pylist():
                for name in each["values"].split() if counter is self.flags else [each["values"]]:
                    counter[name] += each["counts"]
        self._look_for(table.filter(answered))

    def _sample(self, table: pa.Table) -> None:
        rows = pa.array(np.arange(-self.sources % self.stride, len(table), self.stride))
        if not len(rows):
            return
        part = table.select([*COLUMNS, "label", "uncertain"]).take(rows)
        numbers = {name: pc.fill_null(part.column(name).cast(pa.float64()), np.nan).to_numpy() for name in COLUMNS}
        label = np.array(pc.fill_null(part.column("label"), "").to_pylist(), np.str_)
        self._parts.append({**numbers, "label": label, "uncertain": pc.fill_null(part.column("uncertain"), True).to_numpy()})

    @property
    def sample(self) -> dict[str, np.ndarray]:
        """What was sampled so far."""
        names = (*COLUMNS, "label", "uncertain")
        return {name: np.concatenate([part[name] for part in self._parts]) if self._parts else np.zeros(0) for name in names}

    def _look_for(self, table: pa.Table) -> None:
        """Keep the surest and the strangest of the answers."""
        if not len(table):
            return
        top = pc.max_element_wise(*[table.column(name) for name in self.columns.values()])
        sure = pc.invert(pc.fill_null(table.column("uncertain"), True))
        unusual = pc.match_substring(pc.fill_null(table.column("flag_names"), ""), "unusual")
        wanted = ["source_id", "file", "target_ra_deg", "target_dec_deg", "label", "flag_names"]
        rows = table.select(wanted).append_column("probability", top).append_column("unusual", pc.cast(unusual, pa.int8()))
        by_place = [("probability", "descending"), ("source_id", "ascending")]
        for label in pc.unique(table.column("label")).to_pylist():
            best = rows.filter(pc.and_(sure, pc.equal(table.column("label"), label))).sort_by(by_place).slice(0, BEST)
            self.surest[label] = sorted(self.surest.get(label, []) + best.to_pylist(), key=_by_probability)[:BEST]
        strange = rows.sort_by([("unusual", "descending"), ("probability", "ascending"), ("source_id", "ascending")]).slice(0, STRANGE)
        self.strangest = sorted(self.strangest + strange.to_pylist(), key=_by_strangeness)[:STRANGE]

    @property
    def seconds(self) -> dict[str, float]:
        """Of all shards together: total, reading, answering."""
        names = {name for note in self.notes for name in note.get("seconds", {})}
        return {name: round(sum(note.get("seconds", {}).get(name, 0.0) for note in self.notes), 3) for name in sorted(names)}

    def numbers(self) -> dict[str, Any]:
        """As they are written."""
        return {
            "sources": self.sources,
            "answered": self.answered,
            "uncertain": self.uncertain,
            "left_out": self.left_out,
            "classes": {name: self.classes[name] for name in self.columns},
            "flags": dict(self.flags.most_common()),
            "shards": self.plan.shards,
            "seconds": self.seconds,
            "plan": self.plan.fingerprint,
            "provenance": self.about,
        }


def _by_probability(row: Mapping[str, Any]) -> tuple[float, str]:
    return -row["probability"], row["source_id"] or ""


def _by_strangeness(row: Mapping[str, Any]) -> tuple[int, float, str]:
    return -row["unusual"], row["probability"], row["source_id"] or ""
