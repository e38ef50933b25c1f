"""Photographs of mixed surfaces with flaws of mixed sizes: a hard set of defects, unlike DAGM's in every respect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from ..atomic import atomic_folder
from .options import check_options

__all__ = ["synthesize"]

SIZES = ((180, 240), (400, 300), (512, 640), (768, 1024), (1050, 1400))  # height and width in pixels, in turn
FINE = 2  # flaws are drawn so many times as large and averaged, so that masks are grey at their rims
QUALITY = 90  # of JPEG

Flaw = tuple[Image.Image, int]


def synthesize(output: str | Path, cases: int = 60, seed: int = 0) -> list[str]:
    """Write ``images/*.jpg``, colour, and for every other one a grey-valued mask ``masks/*.png``.

    Wood, metal and leather in uneven light, 180 x 240 to 1050 x 1400 pixels; stains up to 0.66 of the shorter side,
    pits of 2 to 5 pixels radius, scratches 1.5 to 3 pixels wide. Some names have a blank, some an umlaut, as files do.
    The first pictures of a ``seed`` are the same however many there are; ``output`` appears complete or not at all.

    Args:
        output: folder to write; must be new or empty.
        cases: number of pictures, 1 at least.
        seed: 0 at least.

    Returns:
        The names of the pictures, without the suffix.

    Raises:
        UserError: an option is out of its range, or ``output`` is not empty.
    """
    check_options(cases, seed)
    random = np.random.default_rng(seed)
    names = []
    with atomic_folder(Path(output)) as part:
        for name in ("images", "masks"):
            (part / name).mkdir()
        for number in tqdm(range(cases), "synthesize", disable=None):
            names.append(f"part {number:03d}" if number % 7 else f"Prüfling_{number:03d}")
            picture, mask = _draw(random, number)
            Image.fromarray(picture).save(part / "images" / f"{names[-1]}.jpg", quality=QUALITY)
            if mask.any():
                Image.fromarray(mask).save(part / "masks" / f"{names[-1]}.png")
    return names


def _draw(random: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) and its mask (H, W), both uint8; odd ones have a flaw."""
    shape = SIZES[number % len(SIZES)]
    colour, surface = SURFACES[number // len(SIZES) % len(SURFACES)]
    texture = surface(random, random.normal(size=shape))
    y, x = ((np.arange(side) / side - 0.5) for side in shape)
    across, down = random.uniform(-1, 1), random.uniform(-1, 1)
    light = 1 + 0.35 * (x[None, :] * across + y[:, None] * down)
    picture = np.array(colour) * (1 + 0.18 * texture[..., None]) * light[..., None]
    mask = np.zeros(shape)
    if number % 2:
        drawing, change = FLAWS[number // 2 % len(FLAWS)](random, FINE * shape[0], FINE * shape[1])
        mask = np.asarray(drawing.resize(shape[::-1], Image.Resampling.BOX), float)
        picture = picture + change * mask[..., None] / 255
    picture = picture + random.normal(scale=3, size=picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), mask.astype(np.uint8)


def _wood(random: np.random.Generator, noise: np.ndarray) -> np.ndarray:
    rows = np.arange(len(noise))[:, None]
    rings = np.sin((rows + gaussian_filter(noise, 40) * 900) / 9)
    return gaussian_filter(noise, (1.5, 25)) * 12 + 0.25 * rings


def _metal(random: np.random.Generator, noise: np.ndarray) -> np.ndarray:
    return gaussian_filter(noise, (12, 0.7)) * 6


def _leather(random: np.random.Generator, noise: np.ndarray) -> np.ndarray:
    return gaussian_filter(noise, 2.5) * 3 + gaussian_filter(random.normal(size=noise.shape), 8) * 8


def _scratch(random: np.random.Generator, height: int, width: int) -> Flaw:
    drawing, pen, x, y = _paper(random, height, width)
    angle, length = random.uniform(0, np.pi), random.uniform(0.15, 0.4) * min(height, width) / FINE
    along = np.linspace(-1, 1, 9)
    bend = angle + 0.15 * along
    line = np.stack([x + np.cos(bend) * length * along, y + np.sin(bend) * length * along], axis=1)
    pen.line([*map(tuple, line)], fill=255, width=int(random.integers(3, 7)))
    return drawing, 75


def _stain(random: np.random.Generator, height: int, width: int) -> Flaw:
    drawing, pen, x, y = _paper(random, height, width)
    radius = random.uniform(0.15, 0.3) * min(height, width)
    angles, reach = np.linspace(0, 2 * np.pi, 14), radius * random.uniform(0.75, 1.1, (14, 2))
    rim = np.stack([x + reach[:, 0] * np.cos(angles), y + 0.7 * reach[:, 1] * np.sin(angles)], axis=1)
    pen.polygon([*map(tuple, rim)], fill=255)
    return drawing.filter(ImageFilter.GaussianBlur(6)), -35


def _pits(random: np.random.Generator, height: int, width: int) -> Flaw:
    drawing, pen, x, y = _paper(random, height, width)
    for _ in range(int(random.integers(3, 9))):
        radius = random.uniform(4, 10)
        left, top = x + random.normal() * 50 - radius, y + random.normal() * 50 - radius
        pen.ellipse([left, top, left + 2 * radius, top + 2 * radius], fill=255)
    return drawing, -70


def _paper(
    random: np.random.Generator, height: int, width: int
) -> tuple[Image.Image, ImageDraw.ImageDraw, float, float]:
    """What to draw on, with what, and around where."""
    drawing = Image.new("L", (width, height))
    return drawing, ImageDraw.Draw(drawing), random.uniform(0.2, 0.8) * width, random.uniform(0.2, 0.8) * height


Surface = Callable[[np.random.Generator, np.ndarray], np.ndarray]
SURFACES: tuple[tuple[tuple[int, int, int], Surface], ...] = (
    ((150, 105, 60), _wood),
    ((150, 155, 160), _metal),
    ((95, 45, 35), _leather),
)
FLAWS = (_scratch, _stain, _pits)
