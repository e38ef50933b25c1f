"""Textures of surfaces, without defects: arrays (H, W) of mean 0 and standard deviation about 1."""

from __future__ import annotations

import numpy as np
from scipy import fft

__all__ = ["band_noise", "interference", "leather", "stripes", "weave"]


def interference(random: np.random.Generator, shape: tuple[int, int], fineness: float = 1.0) -> np.ndarray:
    """Circular and hyperbolic waves that grow finer than the pixels outwards, so that they beat with the grid; grainy.

    Args:
        random: source of all chance.
        shape: height and width, in pixels.
        fineness: number of waves per length, relative to class 1.
    """
    waves = np.zeros(shape)
    for _ in range(3):
        phases = []
        for side in shape:
            centre, curvature = random.uniform(-0.2, 1.2) * side, random.uniform(0.8, 2.5) * random.choice([-1, 1])
            along = np.arange(side) - centre
            phases.append(fineness * curvature * np.pi / 512 * along**2 + random.uniform(0, 2 * np.pi))
        # cos(a + b) of a sum over the axes is a product of vectors: no cosine per pixel
        waves += np.outer(np.cos(phases[0]), np.cos(phases[1])) - np.outer(np.sin(phases[0]), np.sin(phases[1]))
    return _standard(waves + 0.35 * waves**2 + 0.7 * random.standard_normal(shape))


def weave(random: np.random.Generator, shape: tuple[int, int], pitch: float = 9.0) -> np.ndarray:
    """Threads that pass over and under each other.

    Args:
        random: source of all chance.
        shape: height and width, in pixels.
        pitch: between two threads, in pixels.
    """
    across, along = (_threads(random, side, pitch * random.uniform(0.9, 1.1)) for side in shape)
    (height, weft), (width, warp) = across, along
    over = 0.5 + 0.5 * np.outer(np.cos(np.pi * height), np.cos(np.pi * width))
    cloth = over * weft[:, None] + (1 - over) * warp[None, :]
    return _standard(cloth + 0.12 * random.standard_normal(shape))


def _threads(random: np.random.Generator, side: int, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Position along one side, counted in threads, and the brightness of the thread there."""
    position = np.arange(side) / pitch + random.uniform(0, 2)
    tints = random.normal(1, 0.12, int(side / pitch) + 4)
    return position, np.abs(np.sin(np.pi * position)) ** 0.7 * tints[position.astype(int)]


def band_noise(
    random: np.random.Generator, shape: tuple[int, int], period: float = 6.0, octaves: float = 0.5
) -> np.ndarray:
    """Grain: noise of one coarseness and of all directions.

    Args:
        random: source of all chance.
        shape: height and width, in pixels.
        period: of the grain, in pixels.
        octaves: standard deviation of the periods around it.
    """
    y, x = _frequencies(shape)
    distance = np.log2(np.maximum(np.hypot(y, x), 1e-6) * period)
    return _standard(_filtered(random, shape, np.exp(-0.5 * (distance / octaves) ** 2)))


def stripes(
    random: np.random.Generator, shape: tuple[int, int], period: float = 8.0, angle: float = 0.0, length: float = 40.0
) -> np.ndarray:
    """Wavy stripes, or brush marks if the period is 0.

    Args:
        random: source of all chance.
        shape: height and width, in pixels.
        period: of the stripes, in pixels; 0 takes all from the finest on.
        angle: of the stripes with the horizontal, in radians, clockwise; each call differs from it by about 0.1.
        length: over which a stripe stays straight, in pixels.
    """
    y, x = _frequencies(shape)
    angle += random.normal(0, 0.1)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    gain = np.exp(-0.5 * (2.5 * length * along) ** 2)
    if period:
        gain = gain * np.exp(-0.5 * ((np.abs(across) * period - 1) / 0.25) ** 2)
    return _standard(_filtered(random, shape, gain))


def leather(random: np.random.Generator, shape: tuple[int, int], period: float = 22.0) -> np.ndarray:
    """Bulges parted by dark wrinkles: where a noise is 0 there is a wrinkle.

    Args:
        random: source of all chance.
        shape: height and width, in pixels.
        period: of the bulges, in pixels.
    """
    bulges = np.sqrt(np.abs(band_noise(random, shape, period, 0.35)))
    return _standard(bulges + 0.08 * random.standard_normal(shape))


def _frequencies(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """In waves per pixel, downwards and to the right, as ``rfft2`` orders them."""
    return fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]


def _filtered(random: np.random.Generator, shape: tuple[int, int], gain: np.ndarray) -> np.ndarray:
    # Double precision, so that rounding to grey values gives the same on every machine.
    return fft.irfft2(fft.rfft2(random.standard_normal(shape)) * gain, s=shape)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()
