import pytest
import torch
from plain_blocks import block, layers
from torch import nn

from shared.networks import NestedUNet

FEATURES = (3, 5, 7, 11, 13)


class PlainNestedUNet(nn.Module):
    """The network written down node by node from its description, without MONAI."""

    def __init__(self, channels: int, classes: int, heads: int) -> None:
        super().__init__()
        f = FEATURES
        for i in range(5):
            setattr(self, f"x{i}0", block(channels if i == 0 else f[i - 1], f[i]))
        for j in range(1, 5):
            for i in range(5 - j):
                setattr(self, f"x{i}{j}", block(j * f[i] + f[i + 1], f[i]))
        self.heads = nn.ModuleList(nn.Conv2d(f[0], classes, 1) for _ in range(heads))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        down = lambda y: nn.functional.max_pool2d(y, 2)  # noqa: E731
        up = lambda y: nn.functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)  # noqa: E731
        a0 = self.x00(x)
        b0 = self.x10(down(a0))
        a1 = self.x01(torch.cat([a0, up(b0)], 1))
        c0 = self.x20(down(b0))
        b1 = self.x11(torch.cat([b0, up(c0)], 1))
        a2 = self.x02(torch.cat([a0, a1, up(b1)], 1))
        d0 = self.x30(down(c0))
        c1 = self.x21(torch.cat([c0, up(d0)], 1))
        b2 = self.x12(torch.cat([b0, b1, up(c1)], 1))
        a3 = self.x03(torch.cat([a0, a1, a2, up(b2)], 1))
        e0 = self.x40(down(d0))
        d1 = self.x31(torch.cat([d0, up(e0)], 1))
        c2 = self.x22(torch.cat([c0, c1, up(d1)], 1))
        b3 = self.x13(torch.cat([b0, b1, b2, up(c2)], 1))
        a4 = self.x04(torch.cat([a0, a1, a2, a3, up(b3)], 1))
        nodes = [a1, a2, a3, a4] if len(self.heads) == 4 else [a4]
        return [head(node) for head, node in zip(self.heads, nodes, strict=True)]


def copied(plain: PlainNestedUNet, deep_supervision: bool) -> NestedUNet:
    """Ours with the weights of the plain build, layer by layer."""
    ours = NestedUNet(3, 2, FEATURES, deep_supervision)
    pairs = [(ours.encoder[i], getattr(plain, f"x{i}0")) for i in range(5)]
    pairs += [(ours.columns[j - 1][i], getattr(plain, f"x{i}{j}")) for j in range(1, 5) for i in range(5 - j)]
    pairs += [(ours.heads, plain.heads)]
    for part, plain_part in pairs:
        for to, of in zip(layers(part), layers(plain_part), strict=True):
            to.load_state_dict(of.state_dict())
    return ours


@pytest.mark.parametrize("deep_supervision", [False, True])
def test_it_equals_a_plain_build_to_the_last_bit(deep_supervision):
    torch.manual_seed(0)
    plain = PlainNestedUNet(3, 2, 4 if deep_supervision else 1)
    ours = copied(plain, deep_supervision)
    x = torch.rand(2, 3, 48, 80)
    found, expected = ours(x), plain(x)
    for a, b in zip(found if deep_supervision else [found], expected, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(ours.eval()(x), plain.eval()(x)[-1])


@pytest.mark.parametrize("deep_supervision", [False, True])
def test_it_can_be_scripted_and_every_head_has_a_gradient(deep_supervision):
    network = NestedUNet(1, 1, FEATURES, deep_supervision)
    outputs = network(torch.rand(2, 1, 32, 48))
    sum(output.sum() for output in (outputs if deep_supervision else [outputs])).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    x = torch.rand(1, 1, 37, 53)
    network.eval()
    assert torch.equal(torch.jit.script(network)(x), network(x))


def test_five_widths_are_wanted():
    with pytest.raises(ValueError, match="five widths"):
        NestedUNet(features=(8, 16))
