import pytest
import torch
from plain_blocks import block, layers
from torch import nn

from shared.networks import UNet

FEATURES = (3, 5, 7, 11, 13)  # primes, so that no two widths can be confused


class PlainUNet(nn.Module):
    """The network written down from its description, without MONAI."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        f = FEATURES
        self.down = nn.ModuleList([block(b, a) for b, a in zip((channels, *f), f, strict=False)])
        self.up = nn.ModuleList([block(f[i] + f[i + 1], f[i]) for i in (3, 2, 1, 0)])
        self.head = nn.Conv2d(f[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, down in enumerate(self.down):
            x = down(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for up, skip in zip(self.up, skips[-2::-1], strict=True):
            wide = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = up(torch.cat([skip, wide], 1))
        return self.head(x)


def test_it_equals_a_plain_build_to_the_last_bit():
    torch.manual_seed(0)
    plain, ours = PlainUNet(3, 2), UNet(3, 2, FEATURES)
    for target, source in zip(ordered(ours), ordered(plain), strict=True):
        target.load_state_dict(source.state_dict())
    x = torch.rand(2, 3, 48, 80)
    assert torch.equal(ours(x), plain(x))
    assert torch.equal(ours.eval()(x), plain.eval()(x))


def ordered(network: nn.Module) -> list[nn.Module]:
    """Layers with weights in the order in which they are run: encoder, decoder from below, head."""
    parts = [network.down, network.up, network.head] if isinstance(network, PlainUNet) else [
        *(getattr(network, name) for name in ("conv_0", "down_1", "down_2", "down_3", "down_4")),
        *(getattr(network, f"upcat_{level}") for level in (4, 3, 2, 1)),
        network.final_conv,
    ]  # fmt: skip
    return [layer for part in parts for layer in layers(part)]


def test_the_published_size():
    assert sum(p.numel() for p in UNet().parameters()) == 7_852_545


def test_it_can_be_scripted_and_takes_sizes_that_do_not_divide():
    network = UNet(1, 1, FEATURES).eval()
    x = torch.rand(1, 1, 37, 53)
    assert torch.equal(torch.jit.script(network)(x), network(x))
    assert network(x).shape == x.shape


def test_five_widths_are_wanted():
    with pytest.raises(ValueError, match="five widths"):
        UNet(features=(8, 16))
