import numpy as np
import torch

from shared.transforms import EightBitModalitiesd


def test_it_is_the_reference_s_arithmetic_modality_by_modality():
    """Clip at 0.85 of the maximum, scale that to 255, cut; here in float64 and voxel by voxel."""
    volume = np.random.default_rng(0).integers(0, 3000, (4, 5, 7, 3)).astype(np.float32)
    volume[1] = 0  # a missing modality
    volume[2, 0, 0, 0] = 15956
    found = EightBitModalitiesd("image")({"image": torch.from_numpy(volume)})["image"]
    for modality, result in zip(volume.astype(np.float64), found.numpy(), strict=True):
        top = 0.85 * modality.max()
        for value, stored in zip(modality.ravel(), result.ravel(), strict=True):
            exact = min(value, top) / top * 255 if top else 0.0
            assert stored == int(exact) or abs(exact - round(exact)) < 1e-3  # a whole number may fall either way
    assert found.dtype == torch.float32
    assert not found[1].any()
    assert found[2].max() == 255


def test_the_input_stays_as_it_is():
    volume = torch.rand(1, 2, 2, 2)
    before = volume.clone()
    EightBitModalitiesd("image")({"image": volume})
    assert torch.equal(volume, before)
