import pytest
import torch

from shared.errors import UserError
from shared.networks import SubpixelUNet, UNet, UNet3D
from shared.runs import check_patch

SIX, FIVE = (2, 2, 2, 2, 2, 2), (2, 2, 2, 2, 2)


@pytest.mark.parametrize(
    ("network", "channels", "good", "bad", "message"),
    [
        (UNet3D(4, 3, (2, 2, 2)), 4, [32, 32, 32], [64, 64], r"has 2 sides, the network takes 3; .* \[64, 64, 64\]"),
        (UNet(3, 1, FIVE), 3, [32, 32], [128, 128, 128], r"has 3 sides, the network takes 2; .* \[128, 128\]"),
        (UNet3D(4, 3, SIX), 4, [64, 32, 32], [32, 32, 32], r"\[32, 32, 32\] will not do .*; take \[64, 64, 64\]"),
        (UNet3D(4, 3, (2, *SIX)), 4, [128, 64, 64], [96, 96, 96], r"take \[192, 192, 192\] .*multiples of 64"),
        (SubpixelUNet(1, 1, FIVE), 1, [32, 64], [32, 32], r"take \[64, 64\] "),  # batch norm of a last batch of one
    ],
)
def test_the_network_says_which_patches_it_takes(network, channels, good, bad, message):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_patch(good, network, channels)
    with pytest.raises(UserError, match=message):
        check_patch(bad, network, channels)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_windows_are_smaller_where_nothing_is_learned():
    check_patch([32, 32, 32], UNet3D(4, 3, SIX, normalization="batch").eval(), 4)


def test_a_network_that_takes_no_patch_has_another_fault():
    check_patch([32, 32], torch.nn.Conv2d(5, 1, 3), channels=3)


def test_a_patch_that_memory_does_not_hold_is_told_before_it_is_cut():
    numbers = r"one takes 11,999\.2 GB of memory, [0-9.]+ GB are free"
    with pytest.raises(UserError, match=rf"patch_size: \[999968, 999968\] is too large, {numbers}; take smaller sides"):
        check_patch([999968, 999968], UNet(3, 1, FIVE), 3)
