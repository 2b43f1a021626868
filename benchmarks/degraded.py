"""What training's wide sky is worth: its images beside those of FITS files, and runs asked about validation sources behind beams and noise.

python benchmarks/degraded.py --files shared/data/fits
python benchmarks/degraded.py runs/first runs/wide --out degraded.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax

import equiradio
from equiradio.compute.poses import turned
from equiradio.compute.wide_sky import Views, WideSky
from equiradio.datasets.registry import chosen_split
from equiradio.evaluation.bootstrap import draw
from equiradio.sky.beams import Beam
from equiradio.sky.cutout import noise, stretched, to_mirabest
from equiradio.sky.degrade import through_beam, with_noise
from equiradio.sky.fits import mirabest_image, read_image
from equiradio.sky.levels import brightness
from equiradio.sky.recipe import MIRABEST

FIRST, PIXEL = Beam(MIRABEST.beam_arcsec), MIRABEST.scale_arcsec
BEAMS = [Beam(width, width, 0.0) for width in (5.4, 6.0, 8.0, 10.0, 15.0, 25.0)] + [Beam(15.0, 7.5, 30.0)]
SKIES = [("as it is", 0.0, 1)] + [("beam", width, 1) for width in (8.0, 15.0, 25.0)] + [("noise", times, 3) for times in (2.0, 5.0)]


def files(folder: Path) -> None:
    """Correlation of training's view through each beam with the recipe on the FITS file through that beam."""
    paths = sorted(folder.glob("*.fits.gz"))
    images, skies = np.stack([mirabest_image(path) for path in paths]), [read_image(path).pixels for path in paths]
    sky, one, rows = WideSky(images, 0), np.ones(len(paths)), np.arange(len(paths))
    windows = np.random.default_rng(2).random((len(paths), 4))
    for beam in BEAMS:
        depth, still = one * np.sqrt(beam.major * beam.minor) / FIRST.major, np.zeros((len(paths), 2))
        shape = beam.major * one, beam.minor * one, beam.angle * one
        views = Views(*shape, depth, 3 * one, one == 0, one * MIRABEST.size_arcsec, still, windows)
        seen = sky.show(torch.from_numpy(images), sky.numbers(turned(0 * one), views, rows))[:, 0].numpy()
        behind = [through_beam(pixels, PIXEL, FIRST, beam) for pixels in skies]
        whole = [to_mirabest(pixels) for pixels in behind]
        alike = [np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] for ours, theirs in zip(seen, whole, strict=True)]
        louder = np.median([noise(after)[1] / noise(before)[1] for after, before in zip(behind, skies, strict=True)])
        words = f"correlation least {min(alike):.3f}, 5 % {np.percentile(alike, 5):.3f}, median {np.median(alike):.4f}"
        print(f"{beam.major:g} x {beam.minor:g} arcsec: {words}; noise {louder:.2f} times, by formula {depth[0]:.2f}", flush=True)


def degraded(images: np.ndarray, kind: str, size: float, turn: int) -> np.ndarray:
    """Images uint8 behind a beam of ``size`` arcsec, or with so many times the noise; what was lost below 3 sigma is other noise."""
    if kind == "as it is":
        return images
    made = np.zeros_like(images)
    for row, field in enumerate(brightness(images)):
        lost = np.minimum(with_noise(np.zeros_like(field), PIXEL, FIRST, 1.0, 3 * row), MIRABEST.clip_sigma)
        field = np.where(field > 0, field, lost)
        if kind == "beam":
            field = through_beam(field, PIXEL, FIRST, Beam(size))
        else:
            field = with_noise(field, PIXEL, FIRST, (size**2 - 1) ** 0.5, 1000 * turn + row)
        sigma = noise(field)[1]
        if field.max() > MIRABEST.clip_sigma * sigma:
            made[row] = stretched(field, sigma)
    return made


def asked(team: equiradio.Team, images: np.ndarray) -> np.ndarray:
    """Probabilities (count, classes) of the first member."""
    parts = [team.members[0].look(images[first : first + 16]).logits.numpy() for first in range(0, len(images), 16)]
    return softmax(np.concatenate(parts).astype(float), 1)


def runs(folders: list[Path], out: Path | None) -> None:
    """Accuracy and likelihood on the validation split, mean over draws, with 95 % intervals over sources; the last run less the first."""
    part = chosen_split(equiradio.open_data("mirabest"), "validation")
    counts, rows = draw(len(part), 4000, 0), []
    teams = {folder.name: equiradio.load(folder, "cpu") for folder in folders}
    for kind, size, draws in SKIES:
        scores: dict[str, np.ndarray] = {}
        for turn in range(draws):
            images = degraded(part.images, kind, size, turn)
            for name, team in teams.items():
                p = asked(team, images)
                truth = p[np.arange(len(p)), part.labels]
                each = np.stack([p.argmax(1) == part.labels, -np.log(truth), p.argmax(1) == 1])
                scores[name] = scores.get(name, 0) + each / draws
        first, last = (scores[folder.name] for folder in (folders[0], folders[-1]))
        for name, values in {**scores, "last less first": last - first}.items():
            shares = counts @ values.T / counts.sum(1, keepdims=True)
            low, high = np.percentile(shares, (2.5, 97.5), axis=0)
            row = {"sky": kind, "size": size, "run": name, "blank": int((images.max((1, 2)) == 0).sum())}
            for place, score in enumerate(("accuracy", "nll", "called_second")):
                row |= {score: float(values[place].mean()), f"{score}_95": [float(low[place]), float(high[place])]}
            rows.append(row)
            numbers = [f"{s} {row[s]:.3f} [{row[f'{s}_95'][0]:.3f}, {row[f'{s}_95'][1]:.3f}]" for s in ("accuracy", "nll", "called_second")]
            print(f"{kind} {size:g} | {name} | {' | '.join(numbers)} | blank {row['blank']}", flush=True)
    if out:
        out.write_text(json.dumps({"sources": len(part), "rows": rows}, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.files:
        files(options.files)
    if options.runs:
        runs(options.runs, options.out)


if __name__ == "__main__":
    main()
