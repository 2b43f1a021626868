"""Move every maps.npz of a folder of results into archives named by hash beside them, with maps.json to list them.

Usage: python scripts/archive_maps.py results
"""

import sys
from pathlib import Path

from equiradio.artefacts.map_archive import write_archives

if __name__ == "__main__":
    for archive in write_archives(Path(sys.argv[1])):
        print(f"{archive}: {archive.stat().st_size:,} bytes")
