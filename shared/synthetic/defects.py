"""Defects of a surface: each changes a patch of it within an ellipse that encloses the defect generously."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

__all__ = ["Frame", "dent", "draw_frame", "mend", "scratch", "smear", "stain"]

REACH = 0.75  # of the defect; the ellipse of the label reaches to 1

Texture = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


class Frame(NamedTuple):
    """An ellipse and the coordinates of the pixels around it.

    ``window`` is what of the picture it covers, and ``centre`` (row, column) counts from the window's corner. ``u`` and
    ``v`` lie along its axes: it is where ``u**2 + v**2 <= 1``. ``long`` and ``short`` are its half axes in pixels.
    """

    window: tuple[slice, slice]
    centre: np.ndarray
    u: np.ndarray
    v: np.ndarray
    long: float
    short: float


def draw_frame(random: np.random.Generator, shape: tuple[int, int]) -> Frame:
    """Draw place, size and direction of an ellipse; it may reach beyond the border, its centre may not.

    The half axes are those of the official labels: 0.05 to 0.16 of the picture's shorter side.

    Args:
        random: source of all chance.
        shape: height and width, in pixels.
    """
    side = min(shape)
    long = max(9.0, side * random.uniform(0.09, 0.16))
    short = max(7.0, long / random.uniform(1, 1.8))
    centre = np.array([random.uniform(0.06, 0.94) * length for length in shape])
    turn = random.uniform(0, np.pi)
    low = np.maximum(np.floor(centre - long).astype(int), 0)
    high = np.minimum(np.ceil(centre + long).astype(int) + 1, shape)
    y, x = np.ogrid[low[0] : high[0], low[1] : high[1]]
    y, x = y - centre[0], x - centre[1]
    u = (x * np.cos(turn) + y * np.sin(turn)) / long
    v = (y * np.cos(turn) - x * np.sin(turn)) / short
    return Frame((slice(low[0], high[0]), slice(low[1], high[1])), centre - low, u, v, long, short)


def smear(random: np.random.Generator, patch: np.ndarray, frame: Frame, sigma: float = 4.0) -> np.ndarray:
    """Wipe out what is finer than ``sigma`` pixels."""
    smooth = ndimage.gaussian_filter(patch, sigma, truncate=3) + random.uniform(0, 0.4)
    return patch + _blob(random, frame) * (smooth - patch)


def stain(random: np.random.Generator, patch: np.ndarray, frame: Frame, amount: float = -1.2) -> np.ndarray:
    """Make it darker (or brighter), by ``amount`` standard deviations of the texture."""
    return patch + amount * random.uniform(0.8, 1.2) * _blob(random, frame)


def mend(random: np.random.Generator, patch: np.ndarray, frame: Frame, texture: Texture) -> np.ndarray:
    """Put another ``texture`` in its place, as if the surface had been mended."""
    return patch + _blob(random, frame) * (texture(random, patch.shape) - patch)


def dent(random: np.random.Generator, patch: np.ndarray, frame: Frame, depth: float = 0.5) -> np.ndarray:
    """Draw the surface together towards the middle, by the share ``depth`` there, and shade it."""
    blob = depth * random.uniform(0.8, 1.2) * _blob(random, frame)
    moved = [axis + blob * (axis - middle) for axis, middle in zip(np.indices(patch.shape), frame.centre, strict=True)]
    return ndimage.map_coordinates(patch, moved, order=1, mode="reflect") - 1.2 * blob


def scratch(
    random: np.random.Generator,
    patch: np.ndarray,
    frame: Frame,
    amount: float = 3.0,
    width: float = 1.5,
    roughness: float = 0.0,
) -> np.ndarray:
    """Draw a bent line along the ellipse.

    Args:
        random: source of all chance.
        patch: the surface.
        frame: the ellipse.
        amount: brightness, in standard deviations of the texture; below 0 it is dark.
        width: of the line, in pixels.
        roughness: how far it zigzags to either side, as a share of the shorter half axis; a crack does.
    """
    knots = np.linspace(-1, 1, 15)
    line = random.uniform(-0.5, 0.5) * (knots**2 - 0.3) + roughness * random.standard_normal(len(knots))
    distance = np.abs(frame.v - np.interp(frame.u, knots, np.clip(line, -0.5, 0.5))) * frame.short
    ends = np.clip((REACH - np.abs(frame.u)) * 8, 0, 1)
    return patch + amount * random.uniform(0.8, 1.2) * ends * np.exp(-((distance / width) ** 2))


def _blob(random: np.random.Generator, frame: Frame) -> np.ndarray:
    """1 in the middle of the ellipse, falling to 0 at an irregular outline inside it."""
    angle = np.arctan2(frame.v, frame.u)
    waves = sum(random.normal(0, 0.12) / k * np.cos(k * angle + random.uniform(0, 2 * np.pi)) for k in range(2, 6))
    reach = np.hypot(frame.u, frame.v) / (REACH * np.clip(1 + waves, 0.7, 1))
    rise = np.clip((1 - reach) / 0.35, 0, 1)
    return rise**2 * (3 - 2 * rise)
