"""How large the first weights of a steerable layer are, so that activations keep their scale through a deep network.

With independent weights of variance v_b, a layer multiplies the power of its input at spatial frequency k by G(k) = sum_b v_b |psi_b(k)|^2
(summed over fields and group elements). He et al. 2015 ask for a mean gain of 2 over all k, the ReLU halving the power, which is enough for
free filters, whose gain is the same at every k. Ring-shaped harmonics of frequency 0 pass the sky's mean up to 26 times better than noise,
and a ReLU makes a mean: with equal variances a 5x5 network grows 500-fold in 11 layers (measured). So the rings' share is set such that a
constant passes like white noise; what growth remains is found by carrying the spectrum of a wide network through `DEPTH` layers (the ReLU
acts on a correlation rho as [sqrt(1 - rho^2) + rho (pi - arccos rho)] / pi: Cho & Saul 2009) and is divided out.
"""

from functools import lru_cache

import numpy as np

from equiradio.symmetry.harmonics import harmonic_basis

DEPTH = 11  # convolutions of the paper's network
TORUS = 48  # side of the periodic grid on which spectra are carried, pixels


def _shares(size: int) -> np.ndarray:
    """Relative variance of each complex harmonic: 1, but less for rings of frequency 0, so that a constant gains as much as noise."""
    basis = harmonic_basis(size)
    constant_gain = np.abs(basis.planes.sum((1, 2))) ** 2
    ring = (basis.frequencies == 0) & (np.arange(len(basis.frequencies)) > 0)
    share = np.ones(len(ring))
    share[ring] = (len(ring) - ring.sum() - 1) / (constant_gain[ring].sum() - ring.sum())
    return np.asarray(share / share.sum())


def _growth(size: int, share: np.ndarray) -> float:
    """Gain in power per layer, geometric mean over `DEPTH` layers of convolution and ReLU on white noise."""
    spectra = np.abs(np.fft.fft2(harmonic_basis(size).planes, (TORUS, TORUS))) ** 2
    # a cosine and a sine of equal variance: |psi(k)|^2 and |psi(-k)|^2 in equal parts
    mirrored = np.roll(spectra[:, ::-1, ::-1], 1, (1, 2))
    gain = np.tensordot(share, (spectra + mirrored) / 2, 1)
    spectrum, growth = np.ones_like(gain), 0.0
    for _ in range(DEPTH):
        passed = gain * spectrum
        power = passed.mean()
        growth += np.log(power)
        correlation = np.clip(np.fft.ifft2(passed).real / power, -1, 1)
        rectified = (np.sqrt(1 - correlation**2) + correlation * (np.pi - np.arccos(correlation))) / np.pi
        spectrum = np.fft.fft2(rectified).real
    return float(np.exp(growth / DEPTH))


@lru_cache
def weight_scale(size: int) -> np.ndarray:
    """Standard deviation of the weight of each real filter (B,) for one input plane; divide by sqrt(fields * |G|) for a whole layer."""
    share = _shares(size)
    variance = 2 * share / _growth(size, share)
    return np.sqrt(np.repeat(variance, np.where(harmonic_basis(size).frequencies == 0, 1, 2)))
