"""A merged catalogue as HATS, partitioned by place on the sky, as LSDB opens it; hats-import sorts the rows."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from equiradio.errors import SettingRefusal
from equiradio.folders import scratch_folder

SUFFIX = ".hats"
POSITION = "target_ra_deg", "target_dec_deg"
INDEX = "_healpix_29"  # column of a row's place on the sky in every HATS catalogue
INSTALL = "Install it: pip install 'equiradio[hats]', or write a folder of Parquet files."


def check_installed(out: Path) -> None:
    """Refuse the form where nothing could write it."""
    if importlib.util.find_spec("hats_import") is None:
        raise SettingRefusal("--out", f"'{out.name}' without the package hats-import", "it installed", INSTALL)


def write_hats(tables: Iterator[pa.Table], out: Path) -> int:
    """The pieces of a catalogue to a folder, whole or not at all, without the rows that have no position; how many those are."""
    left_out = 0
    with scratch_folder(out) as scratch:
        files = []
        for number, table in enumerate(tables):
            placed = _placed(table)
            left_out += table.num_rows - placed.num_rows
            if placed.num_rows:
                files.append(scratch / f"{number:06d}.parquet")
                pq.write_table(placed, files[-1])
        os.replace(_imported(files, scratch, out.stem), out)
    return left_out


def _placed(table: pa.Table) -> pa.Table:
    """Rows with a position; hats-import would put the others somewhere on the sky. It makes the index of a HATS input anew."""
    ra, dec = (table.column(name) for name in POSITION)
    table = table.drop_columns([name for name in table.column_names if name == INDEX])
    return table.filter(pc.fill_null(pc.and_(pc.is_finite(ra), pc.is_finite(dec)), False))


def _imported(files: list[Path], scratch: Path, name: str) -> Path:
    """The folder that hats-import makes of Parquet files, by threads of this process."""
    from dask.distributed import Client
    from hats_import.catalog.arguments import ImportArguments
    from hats_import.pipeline import pipeline_with_client

    wanted = ImportArguments(
        output_path=scratch / "hats",
        output_artifact_name=name,
        input_file_list=files,
        file_reader="parquet",
        ra_column=POSITION[0],
        dec_column=POSITION[1],
        progress_bar=False,
    )
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None, local_directory=scratch) as client:
        pipeline_with_client(wanted, client)
    return scratch / "hats" / name
