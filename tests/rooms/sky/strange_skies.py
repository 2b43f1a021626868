"""Images that hold no FRI or FRII, made by code: what a survey's cutouts show where no radio galaxy is."""

import numpy as np
from scipy.ndimage import gaussian_filter

FIELD, BEAM_SIGMA = 300, 1.27  # pixels; FIRST's 5.4 arcsec beam on 1.8 arcsec pixels
NOISE = 1.5e-4  # Jy per beam


def noise(seed):
    """A field without a source: noise of the beam's correlation."""
    pixels = gaussian_filter(np.random.default_rng(seed).normal(size=(FIELD, FIELD)), BEAM_SIGMA)
    return (NOISE * pixels / pixels.std()).astype(np.float32)


def line(seed):
    """A bright straight artefact across the whole field."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((FIELD, FIELD)) - FIELD / 2
    angle = rng.uniform(0, np.pi)
    away = columns * np.sin(angle) - rows * np.cos(angle) - rng.uniform(-20, 20)
    return (noise(seed) + 0.01 * np.exp(-(away**2) / (2 * BEAM_SIGMA**2))).astype(np.float32)


def spiral(seed):
    """Two logarithmic arms around a faint disc, as a nearby star-forming galaxy shows."""
    rng = np.random.default_rng(seed)
    pixels, pitch, turn = np.zeros((FIELD, FIELD)), rng.uniform(0.25, 0.4), rng.uniform(0, np.pi)
    angle = np.linspace(0, 2.5 * np.pi, 1500)
    radius = 6 * np.exp(pitch * angle)
    for arm in (0, np.pi):
        rows = FIELD / 2 + radius * np.sin(angle + turn + arm)
        columns = FIELD / 2 + radius * np.cos(angle + turn + arm)
        inside = radius < 60
        np.add.at(pixels, (rows[inside].astype(int), columns[inside].astype(int)), np.exp(-radius[inside] / 25))
    rows, columns = np.indices((FIELD, FIELD)) - FIELD / 2
    arms = gaussian_filter(pixels, 2.0)
    disc = 0.3 * np.exp(-np.hypot(rows, columns) / 20)
    return (noise(seed) + 0.004 * (arms / arms.max() + disc)).astype(np.float32)


KINDS = {"noise": noise, "line": line, "spiral": spiral}
