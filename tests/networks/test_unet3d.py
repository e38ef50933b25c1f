import math

import pytest
import torch
from monai.networks.nets import DynUNet
from plain_unet3d import PlainUNet3D
from torch import nn

from shared.networks import UNet3D

FEATURES = (3, 5, 7, 11)  # primes, so that no two widths can be confused
NORMS = (nn.InstanceNorm3d, nn.BatchNorm3d, nn.GroupNorm)


def of_kind(network, kind):
    """Layers of one kind in the order in which they are defined, which is that in which they are run; the head last."""
    return [module for module in network.modules() if isinstance(module, kind)]


def copied(plain, **options):
    """Ours with the weights of the plain build, layer by layer."""
    ours = UNet3D(**options)
    for kind in (nn.Conv3d, nn.ConvTranspose3d, NORMS):
        for to, of in zip(of_kind(ours, kind), of_kind(plain, kind), strict=True):
            to.load_state_dict(of.state_dict())
    return ours


@pytest.mark.parametrize(
    ("norm", "features"),
    [("instance", FEATURES), ("instance", (2, 3, 4, 5, 6, 7)), ("batch", FEATURES), ("group", (16, 48, 32))],
)
def test_it_equals_a_plain_build_to_the_last_bit(norm, features):
    torch.manual_seed(0)
    plain = PlainUNet3D(2, 3, features, norm)
    for layer in of_kind(plain, NORMS):  # not 1 and 0, or one that is left out would not be missed
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.uniform_(layer.bias, -0.5, 0.5)
    ours = copied(plain, in_channels=2, out_channels=3, features=features, normalization=norm)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in plain.parameters())
    step = 2 ** (len(features) - 1)
    x = torch.rand(2, 2, 2 * step, step, 3 * step)
    assert (ours(x) - plain(x)).abs().max() == 0
    assert torch.equal(ours.eval()(x), plain.eval()(x))  # also the running statistics


@pytest.mark.parametrize("norm", ["instance", "batch", "group"])
def test_the_published_size(norm):
    with torch.device("meta"):
        ours, plain = UNet3D(normalization=norm), PlainUNet3D(4, 4, (32, 64, 128, 256, 320, 320), norm)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in plain.parameters()) == 31_196_196


def test_weights_start_by_glorot_and_biases_at_zero():
    torch.manual_seed(0)
    for layer in of_kind(UNet3D(features=(32, 64, 48)), (nn.Conv3d, nn.ConvTranspose3d)):
        incoming, outgoing = (layer.weight.shape[i] * layer.weight[0, 0].numel() for i in (0, 1))
        bound = math.sqrt(6 / (incoming + outgoing))
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert layer.bias is None or not layer.bias.any()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of the instance norm of torch
def test_script_and_trace_agree_at_another_size():
    torch.manual_seed(0)
    network = UNet3D(2, 3, FEATURES).eval()
    script = torch.jit.script(network)
    traced = torch.jit.trace(network, torch.rand(1, 2, 16, 8, 16))
    for sides in ((16, 8, 16), (8, 24, 16)):
        x = torch.rand(2, 2, *sides)
        assert torch.equal(script(x), network(x))
        assert torch.equal(traced(x), network(x))


def test_every_weight_has_a_gradient_and_stands_in_the_state_once():
    network = UNet3D(2, 3, FEATURES)
    network(torch.rand(1, 2, 8, 16, 8)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}


def test_the_weights_of_dynunet_fit_but_for_the_head():
    step, up = [1, 2, 2, 2], [2, 2, 2]
    theirs = DynUNet(3, 2, 3, [3] * 4, step, up, FEATURES, trans_bias=True)
    left = UNet3D(2, 3, FEATURES).load_state_dict(theirs.state_dict(), strict=False)
    assert left.missing_keys == ["output_block.weight", "output_block.bias"]


def test_wrong_arguments_and_sizes_are_refused():
    with pytest.raises(ValueError, match=r"features needs three widths at least, got \(8, 16\)"):
        UNet3D(features=(8, 16))
    with pytest.raises(ValueError, match=r"normalization must be one of \['batch', 'group', 'instance'\], got 'layer'"):
        UNet3D(features=FEATURES, normalization="layer")
    with pytest.raises(ValueError, match=r"multiples of 16 for normalization 'group', got \(3, 5, 7, 11\)"):
        UNet3D(features=FEATURES, normalization="group")
    with pytest.raises(ValueError, match=r"must be multiples of 8, got \(16, 20, 16\)"):
        UNet3D(2, 3, FEATURES)(torch.zeros(1, 2, 16, 20, 16))
