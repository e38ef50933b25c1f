"""Outlines of label maps on a picture."""

from __future__ import annotations

import numpy as np
import torch
from skimage.segmentation import find_boundaries

__all__ = ["draw_contours", "rows_first"]

TRUTH = (0, 255, 0)
PREDICTION = (255, 96, 0)
BOTH = (255, 255, 0)
SHOWN = (0.5, 99.8)  # percentiles
STRIP = 2**20  # pixels that are drawn at a time
LONGEST_SIDE = 1024  # smaller pictures are enlarged up to it, so that a contour does not hide what it encloses


def draw_contours(image: np.ndarray, prediction: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    """Draw the outlines of two label maps on a picture: truth green, prediction orange, both yellow.

    Args:
        image: picture of any range; shown between its 0.5 and 99.8 percentiles.
        prediction: label map, 0 is background.
        truth: label map of the same size, if it is known.

    Shape:
        ``image`` (H, W, 3) or (H, W, 1), label maps (H, W). The result is uint8 (k H, k W, 3) with the largest
        whole k for which no side exceeds 1024 pixels, at least 1.
    """
    height, width = image.shape[:2]
    factor = max(1, LONGEST_SIDE // max(height, width))
    dark, bright = np.percentile(image, SHOWN)
    drawn = np.empty((factor * height, factor * width, 3), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):  # a large picture would take many times its size in float64 and as boundaries
        strip = slice(top, min(top + rows, height))
        shown = np.clip((image[strip] - dark) / (bright - dark or 1), 0, 1)
        colours = np.round(255 * np.broadcast_to(shown, (*shown.shape[:2], 3))).astype(np.uint8)
        part = drawn[factor * strip.start : factor * strip.stop]
        part[...] = _enlarge(colours, factor)
        found = _outline(prediction, strip, factor)
        part[found] = PREDICTION
        if truth is not None:
            true = _outline(truth, strip, factor)
            part[true] = TRUTH
            part[true & found] = BOTH
    return drawn


def _enlarge(pixels: np.ndarray, factor: int) -> np.ndarray:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _outline(labels: np.ndarray, strip: slice, factor: int) -> np.ndarray:
    """Boundaries in some rows of a label map, enlarged; the rows above and below have a say in them."""
    above = min(1, strip.start)
    seen = labels[strip.start - above : strip.stop + 1]
    outline = find_boundaries(_enlarge(seen, factor), mode="inner")
    return outline[factor * above : factor * (above + strip.stop - strip.start)]


def rows_first(tensor: torch.Tensor) -> np.ndarray:
    """MONAI's (C, W, H) as (C, H, W)."""
    return tensor.detach().cpu().numpy().transpose(0, 2, 1)
