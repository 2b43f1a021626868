"""A catalogue in Python: an Arrow table with doors to pandas, astropy and notebooks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from equiradio.artefacts.catalogue import Row
from equiradio.artefacts.catalogue_forms import as_astropy
from equiradio.errors import ImageRefusal, SettingRefusal

SHOWN = 20  # rows in a notebook


@dataclass(frozen=True)
class Catalogue:
    """Rows of `Team.classify`, one for each source; ``table`` is the Arrow table, None or null stands for no answer.

    ``refusals`` : why sources have no answer, by the number of their row.
    """

    table: pa.Table
    refusals: Mapping[int, ImageRefusal] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return self.table.num_rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.table.to_pylist())

    def __getitem__(self, column: str) -> list[Any]:
        """A column as a list."""
        return self.table.column(column).to_pylist()

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return self.table.column_names

    def __repr__(self) -> str:
        labels = [label or "" for label in self["label"]]
        counts = ", ".join(f"{labels.count(label)} {label or 'without an answer'}" for label in sorted(set(labels), reverse=True))
        why = f"; {next(iter(self.refusals.values()))}" if self.refusals else ""
        return f"Catalogue({len(self)} sources: {counts}{why})"

    def to_pandas(self) -> Any:
        """A pandas DataFrame; what has no answer is missing. Raises `equiradio.errors.SettingRefusal` without pandas."""
        try:
            import pandas
        except ImportError:
            raise SettingRefusal("to_pandas", "no package pandas", "the extra pandas", "pip install 'equiradio[pandas]'") from None
        whole = {pa.int32(): pandas.Int32Dtype()}  # which else become floats where one is missing
        return self.table.to_pandas(types_mapper=whole.get)

    def to_astropy(self) -> Any:
        """An astropy Table with units and descriptions; what has no answer is masked."""
        return as_astropy(self.table)

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        rows = self.table.slice(0, SHOWN).to_pylist()
        body = "".join("<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>" for row in rows)
        more = f"<caption>{len(self):,} sources{', the first ' + str(SHOWN) if len(self) > SHOWN else ''}</caption>"
        why = "".join(f"<p>{escape(str(refusal))}</p>" for refusal in [*self.refusals.values()][:SHOWN])
        return f"<table>{more}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{why}"


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
