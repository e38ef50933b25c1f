"""Nuclei drawn in the raw layout of the 2018 Data Science Bowl, to try everything without a download."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.transform import resize
from tqdm import tqdm

from ..atomic import atomic_folder
from .options import check_options, parse_size

__all__ = ["draw_case", "synthesize"]

SMALLEST_SIDE = 16
SIZES = ((256, 256), (256, 320), (360, 360), (520, 696))  # height and width, the most frequent ones of the real set
SIZE_SHARES = (0.5, 0.3, 0.15, 0.05)
SMALLEST_NUCLEUS = 21  # pixels, as in the real set
# Optical densities of red, green and blue: what nuclei and the tissue around them absorb, in two stainings.
NUCLEI_DENSITY = np.array([[0.50, 0.78, 0.17], [0.37, 0.90, 0.42]])
TISSUE_DENSITY = np.array([[0.13, 0.18, 0.07], [0.05, 0.15, 0.09]])


class Scene(NamedTuple):
    """Nuclei without a look: pixels of ``labels`` 1 .. n, and for each pixel what it takes to shade it.

    ``strength`` is the brightness (or stain) of the pixel's nucleus, about 1, and 0 outside; ``reach`` grows from 0 in
    the nucleus' middle to 1 on its outline.
    """

    labels: np.ndarray
    strength: np.ndarray
    reach: np.ndarray


def synthesize(output: str | Path, cases: int = 40, seed: int = 0, size: str | None = None) -> list[str]:
    """Write ``<id>/images/<id>.png`` (RGBA) and ``<id>/masks/<name>.png`` (one per nucleus, 0 and 255) for each case.

    Three cases in four look like dark fluorescence, each fourth like a stained bright field. Case k depends on ``seed``
    and k only; ``output`` appears complete or not at all.

    Args:
        output: folder to write; must be new or empty.
        cases: number of pictures, 1 at least.
        seed: 0 at least.
        size: ``HEIGHTxWIDTH`` of every picture in pixels, each 16 at least; by default a mixture of real sizes.

    Returns:
        The ids of the cases, 64 hexadecimal digits each.

    Raises:
        UserError: an option is out of its range, or ``output`` is not empty.
    """
    check_options(cases, seed)
    shape = None if size is None else parse_size(size, SMALLEST_SIDE)
    with atomic_folder(Path(output)) as part:
        return [_write_case(part, seed, number, shape) for number in tqdm(range(cases), "synthesize", disable=None)]


def _write_case(folder: Path, seed: int, number: int, shape: tuple[int, int] | None) -> str:
    picture, labels = draw_case(seed, number, shape)
    id_ = _hexadecimal(f"{seed} {number}")
    for kind in ("images", "masks"):
        (folder / id_ / kind).mkdir(parents=True)
    Image.fromarray(picture).convert("RGBA").save(folder / id_ / "images" / f"{id_}.png")
    for nucleus in range(1, labels.max() + 1):
        mask = np.where(labels == nucleus, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(folder / id_ / "masks" / f"{_hexadecimal(f'{id_} {nucleus}')}.png")
    return id_


def _hexadecimal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def draw_case(seed: int, number: int, shape: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture.

    Args:
        seed: of the data set, 0 at least.
        number: of the case, 0 at least; each fourth is stained.
        shape: height and width in pixels, each 16 at least; by default drawn from the real set's sizes.

    Returns:
        The picture, uint8, and its nuclei with ids 1 .. n (n >= 1), int32.

    Shape:
        (H, W, 3) and (H, W).

    Example:
        >>> picture, labels = draw_case(seed=0, number=3, shape=(31, 37))
        >>> picture.shape, picture.dtype.name, labels.shape, bool(labels.any())
        ((31, 37, 3), 'uint8', (31, 37), True)
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    if shape is None:
        shape = SIZES[random.choice(len(SIZES), p=SIZE_SHARES)]
    magnification = np.exp(random.uniform(np.log(11), np.log(48)))
    diameter = float(np.clip(magnification, 7, min(shape) / 2))
    scene = _scatter(random, shape, diameter, coverage=random.uniform(0.05, 0.3))
    beyond_focus = _scatter(random, shape, 1.2 * diameter, coverage=random.uniform(0, 0.12))
    haze = ndimage.gaussian_filter(beyond_focus.strength, diameter / 5, truncate=3)
    look = _stained if number % 4 == 3 else _fluorescent
    values = look(random, scene, haze, diameter)
    return np.clip(np.round(values), 0, 255).astype(np.uint8), scene.labels


def _scatter(random: np.random.Generator, shape: tuple[int, int], diameter: float, coverage: float) -> Scene:
    """Place nuclei until they cover a share of the picture; some of them beside one that is there already."""
    scene = Scene(np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.ones(shape, np.float32))
    placed: list[tuple[np.ndarray, float]] = []
    clustering = random.uniform(0, 0.5)
    wanted = coverage * scene.labels.size
    for _ in range(20 + int(6 * wanted / diameter**2)):
        size = max(6.0, diameter * random.lognormal(0, 0.2))
        if not placed:  # in the middle, so that no picture is without a nucleus
            centre = random.uniform(0.3, 0.7, 2) * shape
        elif random.random() < clustering:
            neighbour, its_size = placed[random.integers(len(placed))]
            angle, distance = random.uniform(0, 2 * np.pi), (size + its_size) / 2 * random.uniform(0.8, 1.05)
            centre = neighbour + distance * np.array([np.sin(angle), np.cos(angle)])
        else:
            centre = random.uniform(0, 1, 2) * shape
        if _place(random, scene, len(placed) + 1, centre, size):
            placed.append((centre, size))
        if np.count_nonzero(scene.labels) >= wanted:
            break
    return scene


def _place(random: np.random.Generator, scene: Scene, nucleus: int, centre: np.ndarray, size: float) -> bool:
    """Draw a nucleus where nothing is yet, unless too little of it, or more than one piece, would be seen."""
    reach = _draw_nucleus(random, size)
    strength = random.lognormal(0, 0.4)
    top_left = np.round(centre).astype(int) - len(reach) // 2
    low = np.clip(top_left, 0, scene.labels.shape)
    high = np.clip(top_left + len(reach), 0, scene.labels.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    reach = reach[tuple(slice(a, b) for a, b in zip(low - top_left, high - top_left, strict=True))]
    inside = reach < 1
    free = inside & (scene.labels[window] == 0)
    if np.count_nonzero(free) < max(SMALLEST_NUCLEUS, 0.7 * np.count_nonzero(inside)) or ndimage.label(free)[1] != 1:
        return False
    scene.labels[window][free] = nucleus
    scene.strength[window][free] = strength
    scene.reach[window][free] = reach[free]
    return True


def _draw_nucleus(random: np.random.Generator, size: float) -> np.ndarray:
    """An ellipse with an irregular outline on a square: 0 in its middle, 1 on its outline, more outside."""
    elongation = random.uniform(1, 1.3)
    side = int(size * elongation * 0.75) + 2
    y, x = np.mgrid[-side : side + 1, -side : side + 1]
    turn = random.uniform(0, np.pi)
    long = (x * np.cos(turn) + y * np.sin(turn)) / (size / 2 * elongation)
    short = (y * np.cos(turn) - x * np.sin(turn)) / (size / 2 / elongation)
    angle = np.arctan2(short, long)
    waves = (random.normal(0, 0.12) / k * np.cos(k * angle + random.uniform(0, 2 * np.pi)) for k in range(2, 6))
    return np.hypot(long, short) / (1 + sum(waves))


def _fluorescent(random: np.random.Generator, scene: Scene, haze: np.ndarray, diameter: float) -> np.ndarray:
    """Nuclei that shine on a dark, uneven background: dim, blurred and full of shot noise."""
    shape = haze.shape
    dome = np.sqrt(np.clip(1 - 0.8 * scene.reach**2, 0, 1))
    light = scene.strength * dome * (1 + random.uniform(0.05, 0.2) * _chromatin(random, shape, diameter))
    light = ndimage.gaussian_filter(light, random.uniform(0.6, 1.5))
    light += random.uniform(0.02, 0.12) * ndimage.gaussian_filter(light, diameter / 3, truncate=3)
    light += random.uniform(0.1, 0.3) * haze
    light += random.uniform(0, 0.15) + random.uniform(0, 0.15) * _noise(random, shape, max(shape) / 2)
    exposure = np.exp(random.uniform(np.log(18), np.log(160)))  # grey level of a nucleus of strength 1
    grey = random.uniform(2, 25) + exposure * np.clip(light, 0, None)
    grey += np.sqrt(random.uniform(0.02, 0.3) * grey) * random.standard_normal(shape, np.float32)
    return np.repeat(grey[..., None], 3, axis=-1)


def _stained(random: np.random.Generator, scene: Scene, haze: np.ndarray, diameter: float) -> np.ndarray:
    """Purple nuclei on lilac or whitish tissue in transmitted light, which stains absorb (law of Lambert and Beer)."""
    shape = haze.shape
    rim = 0.85 + random.uniform(0, 0.5) * scene.reach**6
    stain = scene.strength * rim * (1 + random.uniform(0.1, 0.3) * _chromatin(random, shape, diameter))
    stain = random.uniform(0.5, 0.9) * stain + random.uniform(0.1, 0.3) * haze
    stain = ndimage.gaussian_filter(np.clip(stain, 0, 1.5), random.uniform(0.6, 1.3))
    fibres = _noise(random, shape, *random.permutation([diameter / 3, diameter * 1.5]))
    tissue = 1 / (1 + np.exp(-3 * _noise(random, shape, max(shape) / 3))) * (1 + 0.15 * fibres)
    tissue = np.clip(random.uniform(0.2, 1.2) * tissue, 0, None)
    staining = random.random()
    mixture = np.array([1 - staining, staining])
    density = stain[..., None] * (mixture @ NUCLEI_DENSITY) + tissue[..., None] * (mixture @ TISSUE_DENSITY)
    lamp = random.uniform(215, 250) * random.uniform(0.97, 1.03, 3)
    return lamp * 10**-density + random.uniform(1, 4) * random.standard_normal((*shape, 1), np.float32)


def _chromatin(random: np.random.Generator, shape: tuple[int, ...], diameter: float) -> np.ndarray:
    """Coarse and fine grain of the inside of a nucleus."""
    return 0.6 * _noise(random, shape, diameter / 5) + 0.6 * _noise(random, shape, max(1.5, diameter / 12))


def _noise(
    random: np.random.Generator, shape: tuple[int, ...], height: float, width: float | None = None
) -> np.ndarray:
    """Smooth noise, mean 0 and standard deviation about 1, with a new value every ``height`` and ``width`` pixels."""
    nodes = [int(side / step) + 2 for side, step in zip(shape, (height, width or height), strict=True)]
    return resize(random.standard_normal(nodes, np.float32), shape, order=3, mode="reflect", anti_aliasing=False) / 0.75
