"""Surfaces with defects drawn in the raw layout of DAGM 2007, to try everything without a download."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..atomic import atomic_folder
from ..errors import UserError
from .defects import dent, draw_frame, mend, scratch, smear, stain
from .options import check_options, parse_size
from .textures import band_noise, interference, leather, stripes, weave

__all__ = ["draw_case", "synthesize"]

SMALLEST_SIDE = 32
HALVES = ("Test", "Train")  # cases go to them in turn
PERIOD = 8  # of the cases: the first two of eight are defective, one in each half


class Family(NamedTuple):
    """What a class looks like: grey levels of mean and standard deviation, 0 to 255, a texture and its defect."""

    mean: float
    deviation: float
    texture: Callable[..., np.ndarray]
    defect: Callable[..., np.ndarray]


FAMILIES = {
    1: Family(72, 27, interference, smear),
    2: Family(120, 32, weave, dent),
    3: Family(135, 18, partial(stripes, period=0), scratch),
    4: Family(110, 26, band_noise, partial(mend, texture=partial(band_noise, period=13))),
    5: Family(100, 24, leather, partial(scratch, amount=-3.5, width=2, roughness=0.2)),
    6: Family(125, 28, partial(stripes, angle=0.4), partial(mend, texture=partial(stripes, angle=1.7))),
    7: Family(90, 24, partial(interference, fineness=0.4), stain),
    8: Family(140, 30, partial(weave, pitch=6), partial(scratch, amount=-2.5, width=2.5)),
    9: Family(115, 24, partial(band_noise, period=4), partial(smear, sigma=2)),
    10: Family(105, 22, partial(stripes, period=14, angle=1.4), partial(dent, depth=0.8)),
}


def synthesize(
    output: str | Path, cases: int = 40, seed: int = 0, class_id: int = 1, size: str = "512x512"
) -> list[str]:
    """Write ``ClassN/{Train,Test}/NNNN.PNG``, ``Label/NNNN_label.PNG`` for those with a defect, and ``Labels.txt``.

    The labels are weak: filled ellipses, 0 and 255, that enclose the defects generously. The cases go to ``Test`` and
    ``Train`` in turn, and about one in four is defective, in both alike. Case k depends on ``seed``, ``class_id``,
    ``size`` and k only; ``output`` appears complete or not at all.

    Args:
        output: folder to write; must be new or empty.
        cases: number of pictures, 1 at least.
        seed: 0 at least.
        class_id: 1 to 10, which texture with which defect; 7 to 10 are others of the kinds that 1 to 6 are of.
        size: ``HEIGHTxWIDTH`` of every picture in pixels, each 32 at least.

    Returns:
        The paths of the pictures below ``output``.

    Raises:
        UserError: an option is out of its range, or ``output`` is not empty.
    """
    check_options(cases, seed)
    if class_id not in FAMILIES:
        raise UserError(f"class_id: {class_id} is not one of 1..{max(FAMILIES)}")
    shape = parse_size(size, SMALLEST_SIDE)
    names = []
    with atomic_folder(Path(output)) as part:
        lines = {half: ["1"] for half in HALVES[:cases]}
        for half in lines:
            (part / f"Class{class_id}" / half / "Label").mkdir(parents=True)
        for number in tqdm(range(cases), "synthesize", disable=None):
            half = HALVES[number % 2]
            folder = part / f"Class{class_id}" / half
            lines[half].append(_write_case(folder, seed, number, class_id, shape))
            names.append(f"Class{class_id}/{half}/{number + 1:04d}.PNG")
        for half, rows in lines.items():
            table = part / f"Class{class_id}" / half / "Label" / "Labels.txt"
            table.write_text("\n".join([*rows, ""]), encoding="utf-8", newline="")
    return names


def _write_case(folder: Path, seed: int, number: int, class_id: int, shape: tuple[int, int]) -> str:
    """Write a picture and its label; return its line of ``Labels.txt``."""
    picture, mask = draw_case(seed, number, class_id, shape)
    id_ = f"{number + 1:04d}"
    Image.fromarray(picture).save(folder / f"{id_}.PNG")
    if not mask.any():
        return f"{id_}\t0\t{id_}.PNG\t0\t0\t"
    Image.fromarray(mask).save(folder / "Label" / f"{id_}_label.PNG")
    return f"{id_}\t1\t{id_}.PNG\t0\t{id_}_label.PNG"


def draw_case(
    seed: int, number: int, class_id: int = 1, shape: tuple[int, int] = (512, 512)
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one picture.

    Args:
        seed: of the data set, 0 at least.
        number: of the case, 0 at least; the first two of eight are defective.
        class_id: 1 to 10.
        shape: height and width in pixels, each 32 at least.

    Returns:
        The picture, uint8, and its label, uint8: 255 in an ellipse around the defect, else 0.

    Shape:
        (H, W) both.

    Example:
        >>> picture, label = draw_case(seed=0, number=1, class_id=4, shape=(33, 47))
        >>> picture.shape, picture.dtype.name, label.shape, np.unique(label).tolist()
        ((33, 47), 'uint8', (33, 47), [0, 255])
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(class_id, number)))
    family = FAMILIES[class_id]
    values = family.texture(random, shape)
    label = np.zeros(shape, np.uint8)
    if number % PERIOD < len(HALVES):
        frame = draw_frame(random, shape)
        values[frame.window] = family.defect(random, values[frame.window], frame)
        label[frame.window][frame.u**2 + frame.v**2 <= 1] = 255
    mean, deviation = family.mean * random.uniform(0.92, 1.08), family.deviation * random.uniform(0.85, 1.15)
    light = np.add.outer(*(random.uniform(-0.1, 0.1) * np.linspace(-1, 1, side) for side in shape))
    grey = (mean + deviation * values) * (1 + light)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8), label
