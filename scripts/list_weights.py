"""Write the manifest of the published teams from their folders, and copy the cards of those outside the package into it.

Usage: python scripts/list_weights.py [NAME=URL ...]            (from the repository's root)

Folders are src/equiradio/weights/<name>/ (in the wheel) and weights/<name>/ (fetched). URL is the pattern of a published record
with {file} in place of a file's name, such as https://zenodo.org/records/1/files/c4-{file}; those that the manifest has stay.
"""

import sys
from pathlib import Path

from equiradio.artefacts.atomic import write_json, write_text
from equiradio.artefacts.manifest import FILE, as_json, listing_of, read_manifest
from equiradio.artefacts.team import TeamFolder

IN_WHEEL, FETCHED = Path("src/equiradio/weights"), Path("weights")


def main(named: list[str]) -> None:
    before = read_manifest(IN_WHEEL / FILE)
    urls = {name: listing.url for name, listing in before.items()} | dict(each.split("=", 1) for each in named)
    outside = [TeamFolder(card.parent) for card in sorted(FETCHED.glob("*/card.json"))]
    for folder in outside:
        write_text(IN_WHEEL / folder.path.name / folder.card_file.name, folder.card_file.read_text(encoding="utf-8"))
    names = {folder.path.name for folder in outside}
    inside = [TeamFolder(card.parent) for card in sorted(IN_WHEEL.glob("*/card.json")) if card.parent.name not in names]
    listings = {folder.path.name: listing_of(folder, urls.get(folder.path.name)) for folder in (*inside, *outside)}
    write_json(IN_WHEEL / FILE, as_json(listings))
    for name, listing in sorted(listings.items()):
        where = "fetched" if name in names else "in the wheel"
        print(f"{name}: {len(listing.files)} files, {sum(file['size'] for file in listing.files.values()):,} bytes, {where}")


if __name__ == "__main__":
    main(sys.argv[1:])
