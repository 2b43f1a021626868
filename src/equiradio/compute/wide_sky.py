"""Images as other telescopes would have them, in batches on their device: another beam, depth, clipping, place, field; the recipe anew.

What is drawn depends on nothing but (seed, purpose, source, pass), as poses do. The formula, and what an image that was clipped at 3 sigma
cannot say, are in docs/reference/wide-sky.md.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.compute.poses import Poses, show
from equiradio.sky.beams import Beam
from equiradio.sky.degrade import covariance, filtered
from equiradio.sky.levels import MOST_LOST, ROUNDING, field_of_source, peak_in_sigma
from equiradio.sky.recipe import MIRABEST

BEAMS = (MIRABEST.beam_arcsec, 25.0)  # full width at half maximum, arcsec: of FIRST, and half of that of NVSS
ROUNDEST, LONGEST = 1.0, 0.5  # minor axis over major
DEPTHS = (1.0, 6.0)  # noise per beam, in sigma of FIRST
CLIPS = (2.0, 5.0)  # sigma of the new noise
SHIFT = 3.0  # pixels
FIELDS = (60.0, MIRABEST.size_arcsec)  # arcsec
SHARE = 0.5  # of the views that each of beam, depth, clipping and field is changed in, one independent of the other
STANDS_OUT = 2.0  # times the threshold that the peak of a source has at least
DARK = 0.25  # levels, up to which a pixel beside a lit one is dark
PAD = 26  # pixels between opposite edges: 4.5 standard deviations of the kernel; of 176 pixels MKL transforms one image as it does many
BANK = 1024  # side of the noise that windows are cut from
STREAM = 1  # of random numbers, beside that of poses


@dataclass(frozen=True)
class Views:
    """How each of ``count`` images is seen, all float64 (count,) but where another shape is given.

    Attributes
    ----------
    major, minor, angle : of the beam, arcsec and degrees.
    depth : noise per beam, in sigma of the image.
    clip : threshold, in sigma of the new noise.
    floor : bool, what is below the threshold is set to it, as the FIRST data set does, and not to zero.
    field : side of the field, arcsec.
    shift : (count, 2), pixels along row and column.
    windows : (count, 4), rows and columns, 0..1, of where two windows of noise begin.
    """

    major: np.ndarray
    minor: np.ndarray
    angle: np.ndarray
    depth: np.ndarray
    clip: np.ndarray
    floor: np.ndarray
    field: np.ndarray
    shift: np.ndarray
    windows: np.ndarray


def draw_views(seed: int, purpose: int, sources: np.ndarray, passes: np.ndarray) -> Views:
    """A view for every pair of source and pass; widths, depths and fields are uniform in their logarithms."""
    pairs = np.broadcast(sources, passes)
    drawn = np.array([np.random.default_rng([seed, purpose, int(s), int(k), STREAM]).random(18) for s, k in pairs]).reshape(-1, 18)
    other_beam, other_depth, other_clip, other_field = (drawn[:, column] < SHARE for column in range(4))
    major = np.where(other_beam, _between(BEAMS, drawn[:, 4]), BEAMS[0])
    minor = np.maximum(major * (LONGEST + (ROUNDEST - LONGEST) * drawn[:, 5]), BEAMS[0])
    return Views(
        major,
        minor,
        180 * drawn[:, 6],
        np.where(other_depth, _between(DEPTHS, drawn[:, 7]), DEPTHS[0]) * np.sqrt(major * minor / BEAMS[0] ** 2) ** drawn[:, 13],
        np.where(other_clip, CLIPS[0] + (CLIPS[1] - CLIPS[0]) * drawn[:, 8], MIRABEST.clip_sigma),
        other_clip & (drawn[:, 9] < 0.5),
        np.where(other_field, _between(FIELDS, drawn[:, 10]), FIELDS[1]),
        SHIFT * (2 * drawn[:, 11:13] - 1),
        drawn[:, 14:18],
    )


def _between(ends: tuple[float, float], share: np.ndarray) -> np.ndarray:
    return ends[0] * (ends[1] / ends[0]) ** share


class WideSky:
    """Shows the images of a split, uint8 (count, 150, 150), as other telescopes would have them.

    ``numbers`` says how, for each view, in a tensor that travels to the device once an epoch; ``show`` does it for a batch.
    """

    def __init__(self, images: np.ndarray, seed: int) -> None:
        self.peaks, self.fields = peak_in_sigma(images), field_of_source(images)
        white = np.random.default_rng([seed, STREAM]).standard_normal((BANK, BANK))
        noise = filtered(white, 0, covariance(Beam(MIRABEST.beam_arcsec)) / MIRABEST.scale_arcsec**2)
        self._bank = torch.from_numpy(noise / noise.std()).float()

    def numbers(self, poses: Poses, views: Views, sources: np.ndarray) -> Tensor:
        """Everything that `show` needs of views of these ``sources`` (count,), float32 (count, 20)."""
        peak, scale = self.peaks[sources], poses.scale
        own = covariance(Beam(MIRABEST.beam_arcsec))
        beams = np.array([covariance(Beam(*axes)) for axes in zip(views.major, views.minor, views.angle, strict=True)]).reshape(-1, 2, 2)
        grow = np.sqrt(np.linalg.det(beams) / np.linalg.det(own))
        spread = (beams - own) * (scale / MIRABEST.scale_arcsec)[:, None, None] ** 2  # the beam is part of what the pose scales
        clip = np.minimum(views.clip, peak / STANDS_OUT)
        depth = np.clip(views.depth, 1.0, np.maximum(peak / (STANDS_OUT * clip), 1.0))
        noise = depth / np.sqrt(grow)  # before the beam, in sigma of the image
        threshold = clip * depth * (1 - ROUNDING)
        field = np.maximum(views.field, self.fields[sources] * scale + 2 * SHIFT * MIRABEST.scale_arcsec)
        columns = [
            spread[:, 0, 0],
            spread[:, 0, 1],
            spread[:, 1, 1],
            grow,
            peak / 255,
            np.minimum(noise, 1.0),
            np.sqrt(np.maximum(noise**2 - 1, 0)),
            threshold,
            np.where(views.floor, threshold, 0.0),
            field / MIRABEST.scale_arcsec / 2,
            *np.floor((BANK - MIRABEST.side - PAD + 1) * views.windows).T,
        ]
        matrices = _shifted(poses.matrices(), views.shift).flatten(1)
        return torch.cat([matrices, torch.from_numpy(np.stack(columns, 1)).float()], 1)

    def show(self, images: Tensor, numbers: Tensor) -> Tensor:
        """Images uint8 (batch, height, width), and the rows of `numbers` that they are seen by -> float32 (batch, 1, height, width),
        whole levels 0..255 as the recipe makes them."""
        self._bank = self._bank.to(images.device)
        spread, grow, unit, own, extra, threshold, base, reach, windows = _parts(numbers[:, 6:])
        levels = images.float().add_(images > 0, alpha=0.5)  # the middle of what a level stands for
        sky = F.pad(show(levels, numbers[:, :6].unflatten(1, (2, 3)))[:, 0], (0, PAD, 0, PAD))
        lit = sky > DARK
        sky.mul_(unit)
        noise = self._window(windows[:, :2], sky.shape[1]).clamp(max=MOST_LOST).mul_(own).masked_fill_(lit, 0)
        sky.add_(noise).addcmul_(extra, self._window(windows[:, 2:], sky.shape[1]))
        waves = torch.fft.rfft2(sky).mul_(_transfer(spread, *sky.shape[1:]).mul_(grow))
        seen = torch.fft.irfft2(waves, sky.shape[1:])[:, : images.shape[1], : images.shape[2]]
        lit = (seen > threshold) & _inside(reach, images.shape[1])
        seen = torch.where(lit, seen - base, 0.0)
        return (seen / seen.amax((1, 2), keepdim=True).clamp(min=1e-6)).mul_(255).floor_()[:, None]

    def _window(self, first: Tensor, side: int) -> Tensor:
        """Squares of the bank of noise that begin at ``first`` (batch, 2): (batch, side, side)."""
        rows = first[:, :1].long() + torch.arange(side, device=first.device)
        return self._bank.unfold(1, side, 1)[rows, first[:, 1:].long()]


def _inside(reach: Tensor, side: int) -> Tensor:
    """Pixels of the central square with this half side, (batch, 1, 1) -> (batch, side, side)."""
    inside = (torch.arange(side, device=reach.device) - (side - 1) / 2).abs() <= reach - 0.5
    return inside & inside.transpose(1, 2)


def _parts(numbers: Tensor) -> tuple[Tensor, ...]:
    """What stands behind the matrices in rows of `WideSky.numbers`, single numbers as (batch, 1, 1)."""
    single = [column[:, None, None] for column in numbers[:, 3:10].unbind(1)]
    return numbers[:, :3], *single, numbers[:, 10:]


def _transfer(spread: Tensor, height: int, width: int) -> Tensor:
    """Fourier transform of Gaussians of unit sum, covariance (batch, 3) in pixels^2: rows, both, columns; as `rfft2` lays it out."""
    down, across = torch.fft.fftfreq(height, device=spread.device)[:, None], torch.fft.rfftfreq(width, device=spread.device)
    rows, both, columns = spread[:, :, None, None].unbind(1)
    exponent = (rows * down**2 + columns * across**2).addcmul_(2 * both, down * across)
    return exponent.mul_(-2 * np.pi**2).exp_()


def _shifted(matrices: Tensor, shift: np.ndarray) -> Tensor:
    """Poses (count, 2, 3) whose results are moved by ``shift`` (count, 2), pixels down and right."""
    away = torch.from_numpy(shift[:, ::-1] * (2 / MIRABEST.side)).float()[:, :, None]
    return torch.cat([matrices[:, :, :2], matrices[:, :, 2:] - matrices[:, :, :2] @ away], 2)
