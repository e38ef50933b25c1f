"""The background of a resampled or noisy volume is found, and one that is 0 is left alone, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.spatial.transform import Rotation

from shared.datasets.background import Background, clear_background

SHAPE = (61, 53, 47)


def head(seed: int = 0) -> np.ndarray:
    """A brain in whole numbers with structures of some voxels, and 0 around it."""
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij"))
    inside = (places**2 / np.array([0.5, 0.6, 0.55]).reshape(3, 1, 1, 1)).sum(axis=0) < 1
    structure = gaussian_filter(np.random.default_rng(seed).normal(0, 1, SHAPE), 1.5)
    return (inside * (900 + 1500 * structure)).clip(0).round()


def rotated(values: np.ndarray, order: int) -> np.ndarray:
    turn = Rotation.from_euler("xyz", [4, 2, 3], degrees=True).as_matrix()
    centre = (np.array(SHAPE) - 1) / 2
    return affine_transform(values, turn, centre - turn @ centre, order=order).astype(np.float32)


RANDOM = np.random.default_rng(1).normal(0, 1, SHAPE)
SPOILED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ringing of splines": lambda values: rotated(values, 3),
    "noise": lambda values: rotated(values, 1) + 10 * RANDOM,
    "strong noise": lambda values: rotated(values, 1) + 40 * RANDOM,
    "noise above 0": lambda values: np.abs(rotated(values, 1) + 20 * RANDOM),
    "noise cut off at 0": lambda values: (rotated(values, 1) + 20 * RANDOM).clip(0),
    "noise in whole numbers": lambda values: np.rint(rotated(values, 1) + 10 * RANDOM),
    "noise around another value": lambda values: rotated(values, 1) / 300 - 3.5 + 0.03 * RANDOM,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_noise_and_ringing_are_told_from_the_brain(spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    brain = rotated(head(), 1) > 50
    values = spoil(head()).astype(np.float32)
    before = values.copy()
    background = clear_background(values)
    kept = values != 0
    assert background.noise > 0
    assert 2 * (kept & brain).sum() / (kept.sum() + brain.sum()) > 0.98
    assert before[kept].mean() == pytest.approx(before[brain].mean(), abs=0.15 * float(before[brain].std()))
    np.testing.assert_array_equal(values[kept], before[kept])


def test_the_value_of_the_background_is_told() -> None:
    values = (head() / 300 - 3.5).astype(np.float32)
    assert clear_background(values) == Background(-3.5)
    assert not values[head() == 0].any() and np.count_nonzero(values) > 0.999 * np.count_nonzero(head())
    noisy = (head() / 300 - 3.5 + 0.03 * RANDOM).astype(np.float32)
    assert clear_background(noisy).level == pytest.approx(-3.5, abs=0.02)


CLEAN = {
    "whole numbers": head(),
    "resampled linearly": rotated(head(), 1),
    "resampled and rounded": np.rint(rotated(head(), 3)),
    "8 bits, a bright vessel": np.where(np.indices(SHAPE).sum(0) == 80, 255, np.rint(head() / 40)),
    "a slab of brain": head()[15:-15, 12:-12, 20:26],
    "brain alone": (head() - 900)[20:-20, 17:-17, 15:-15] / 300,
    "one value": np.full(SHAPE, 3.0),
    "nothing": np.zeros(SHAPE),
    "one slice": head()[:, :, 20:21],
}


@pytest.mark.parametrize("values", CLEAN.values(), ids=CLEAN)
def test_a_sound_volume_is_left_as_it_is(values: np.ndarray) -> None:
    values = values.astype(np.float32)
    before = values.copy()
    assert clear_background(values) == Background()
    np.testing.assert_array_equal(values, before)
