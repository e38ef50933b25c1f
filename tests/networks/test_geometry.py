"""What a network asks of the sides of its input."""

import copy

import pytest
import torch
from monai.networks import nets

from shared.networks import EncoderUNet, SubpixelUNet, TinyUNet, UNet, UNet3D, fault_of, geometry_of

THIN = (2, 2, 2, 2, 2)


@pytest.mark.parametrize(
    ("make", "channels", "modulus", "least"),
    [
        (lambda: UNet(3, 1, THIN), 3, (16, 16), (16, 16)),
        (lambda: SubpixelUNet(1, 1, THIN), 1, (32, 32), (32, 32)),
        (lambda: SubpixelUNet(1, 1, THIN, downscale=4), 1, (64, 64), (64, 64)),
        (lambda: SubpixelUNet(1, 1, THIN, downscale=3), 1, (48, 48), (48, 48)),
        (
            lambda: EncoderUNet(1, 1, THIN),
            1,
            (64, 64),
            (64, 64),
        ),  # borders of zeros before each convolution that halves
        (lambda: EncoderUNet(1, 1, THIN, downscale=4), 1, (128, 128), (128, 128)),
        (lambda: TinyUNet(1, 1, THIN), 1, (16, 16), (16, 16)),
        (lambda: UNet3D(4, 3, (2, 2, 2, 2, 2, 2)), 4, (32, 32, 32), (64, 64, 64)),  # a mean over one voxel is no norm
        (lambda: UNet3D(4, 3, (2, 2, 2)), 4, (4, 4, 4), (8, 8, 8)),
        (lambda: nets.UNet(2, 1, 1, (*THIN, 2, 2), (2,) * 6), 1, (64, 64), (128, 128)),
        (lambda: nets.DynUNet(2, 1, 1, [3] * 3, [1, (2, 1), 2], [(2, 1), 2], filters=[2] * 3), 1, (4, 2), (8, 4)),
        (lambda: torch.nn.Conv2d(1, 1, 3, padding=1), 1, (1, 1), (1, 1)),
    ],
)
def test_modulus_and_least_follow_from_the_network(make, channels, modulus, least):
    network = make().eval()
    before = copy.deepcopy(network.state_dict())
    assert geometry_of(network, channels, len(modulus)) == (modulus, least)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_asks_for_numbers_or_is_scripted_does_not_tell():
    class Asks(torch.nn.Module):
        def forward(self, x):
            return x if x.mean() > 0 else -x

    assert geometry_of(Asks(), 1, 2) is None
    assert geometry_of(torch.nn.AdaptiveAvgPool2d(7), 1, 2) is None
    assert "Expected more than 1" in fault_of(UNet(3, 1, THIN).train(), 3, (16, 16))
