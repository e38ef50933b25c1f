import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

from shared.deploy import convert_nested_unet, release_nested_unet
from shared.errors import UserError
from shared.networks import NestedUNet, UNet
from shared.runs import Weights

FEATURES = (3, 5, 7, 11, 13)


class Block(nn.Module):
    """Two convolutions under the names of the program."""

    def __init__(self, before, after):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        return self.bn2(self.conv2(x)).relu()


class Theirs(nn.Module):
    """Either network of the program, node by node: UNet has the encoder and one node per row."""

    def __init__(self, nested, heads=1):
        super().__init__()
        self.nested = nested
        f = FEATURES
        for i in range(5):
            self.add_module(f"conv{i}_0", Block(f[i - 1] if i else 2, f[i]))
        for i in range(4):
            for j in range(1, 5 - i) if nested else [4 - i]:
                self.add_module(f"conv{i}_{j}", Block((j if nested else 1) * f[i] + f[i + 1], f[i]))
        for name in ["final"] if heads == 1 else [f"final{n}" for n in range(1, 5)]:
            self.add_module(name, nn.Conv2d(f[0], 1, 1))

    def forward(self, x):
        nodes = {}
        for i in range(5):
            x = nodes[i, 0] = self.get_submodule(f"conv{i}_0")(max_pool2d(x, 2) if i else x)
        for j in range(1, 5):
            for i in range(5 - j):
                if not self.nested and i + j < 4:
                    continue
                wide = interpolate(nodes[i + 1, j - 1], scale_factor=2, mode="bilinear", align_corners=True)
                skips = [nodes[i, k] for k in range(j)] if self.nested else [nodes[i, 0]]
                nodes[i, j] = self.get_submodule(f"conv{i}_{j}")(torch.cat([*skips, wide], 1))
        head = "final" if hasattr(self, "final") else "final4"
        return self.get_submodule(head)(nodes[0, 4])


def trained(nested, heads=1):
    """With statistics of its own in every batch norm."""
    torch.manual_seed(0)
    network = Theirs(nested, heads)
    network(torch.rand(4, 2, 48, 64))
    return network.eval()


@pytest.mark.parametrize(("nested", "heads", "ours"), [(False, 1, UNet), (True, 1, NestedUNet), (True, 4, NestedUNet)])
def test_the_converted_network_is_the_same_to_the_last_bit(nested, heads, ours):
    theirs = trained(nested, heads)
    converted = convert_nested_unet({f"module.{name}": value for name, value in theirs.state_dict().items()})
    assert type(converted) is ours
    x = torch.rand(2, 2, 48, 80)
    assert torch.equal(converted(x), theirs(x))


def test_a_file_becomes_a_file(tmp_path):
    theirs = trained(nested=False)
    torch.save({"state_dict": theirs.state_dict(), "epoch": 3}, tmp_path / "model.pth")
    said = release_nested_unet(tmp_path / "model.pth", tmp_path / "model.pt")
    assert said.startswith("UNet in ") and "--patch_size" in said
    weights = Weights(tmp_path / "model.pt", "unet_dsb/reference_inference")
    assert (weights["channels"], weights["num_classes"]) == (2, 1)
    ours = UNet(2, 1, FEATURES).eval()
    ours.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    x = torch.rand(1, 2, 32, 32)
    assert torch.equal(ours(x), theirs(x))
    with pytest.raises(UserError, match=r"output: .*model.pt exists; name another file"):
        release_nested_unet(tmp_path / "model.pth", tmp_path / "model.pt")


@pytest.mark.parametrize("content", [{"conv0_0.conv1.weight": torch.zeros(3, 2, 3, 3)}, torch.zeros(3), {}])
def test_weights_of_another_program(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x.pth is no model.pth of pytorch-nested-unet"):
        release_nested_unet(tmp_path / "x.pth", tmp_path / "y.pt")
    assert not (tmp_path / "y.pt").exists()
