import math

import pytest
import torch
from plain_blocks import layers
from plain_tiny_unet import PlainTinyUNet, original, tiny

from shared.networks import TinyUNet

ORIGINAL = (64, 128, 256, 512, 1024)
SMALL = (4, 6, 10, 14, 22)


def copied(plain: PlainTinyUNet, **options) -> TinyUNet:
    """Ours with the weights of the plain build, layer by layer."""
    ours = TinyUNet(**options)
    for to, of in zip(layers(ours), layers(plain), strict=True):
        to.load_state_dict(of.state_dict())
    return ours


@pytest.mark.parametrize(
    ("plan", "features", "size"),
    [(tiny, (32, 32, 64, 128, 256), 1_850_305), (original, ORIGINAL, 29_137_793)],
)
def test_it_equals_a_plain_build_to_the_last_bit(plan, features, size):
    torch.manual_seed(0)
    plain = PlainTinyUNet(plan())
    ours = copied(plain, features=features)
    assert sum(p.numel() for p in ours.parameters()) == size
    x = torch.rand(2, 1, 32, 48)
    assert (ours(x) - plain(x)).abs().max() == 0


def test_channels_classes_and_activation_are_free():
    plain = PlainTinyUNet(tiny(3, 2), slope=0.2)
    ours = copied(plain, in_channels=3, out_channels=2, act=("leakyrelu", {"negative_slope": 0.2}))
    x = torch.rand(1, 3, 16, 32)
    assert torch.equal(ours(x), plain(x))


def test_a_size_that_does_not_divide_is_padded_with_the_border_and_cut_back():
    torch.manual_seed(0)
    network = TinyUNet(1, 1, SMALL)
    x = torch.rand(1, 1, 37, 50)
    rows, columns = torch.arange(48).clamp(max=36), torch.arange(64).clamp(max=49)
    assert torch.equal(network(x), network(x[..., rows, :][..., columns])[..., :37, :50])
    assert network(x[..., :1, :1]).shape == (1, 1, 1, 1)


@pytest.mark.parametrize("act", ["relu", "elu", "selu", "prelu"])
def test_it_can_be_scripted_and_every_weight_has_a_gradient(act):
    network = TinyUNet(1, 2, SMALL, act=act)
    network(torch.rand(2, 1, 33, 48)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.eval()
    script = torch.jit.script(network)
    for x in (torch.rand(1, 1, 37, 53), torch.rand(2, 1, 16, 16)):
        assert torch.equal(script(x), network(x))


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("he_uniform", lambda before, after: 2 / before),
        ("he_normal", lambda before, after: 2 / before),
        ("glorot_uniform", lambda before, after: 2 / (before + after)),
        ("glorot_normal", lambda before, after: 2 / (before + after)),
    ],
)
def test_weights_start_with_the_variance_of_their_rule_and_biases_at_zero(init, variance):
    torch.manual_seed(0)
    network = TinyUNet(init=init)
    for layer in layers(network):
        outgoing, incoming = (layer.weight.shape[i] * layer.weight[0, 0].numel() for i in (0, 1))
        ratio = layer.weight.var().item() / variance(incoming, outgoing)
        assert ratio == pytest.approx(1, abs=6 / math.sqrt(layer.weight.numel()))
        assert not layer.bias.any()
        if init == "he_uniform":
            assert layer.weight.abs().max() <= math.sqrt(6 / incoming)


def test_orthogonal_weights():
    weight = layers(TinyUNet(init="orthogonal"))[1].weight.flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(len(weight)), atol=1e-5)


def test_wrong_arguments_are_refused():
    for features in ((8, 16), (8, 8, 8, 8, 9)):
        with pytest.raises(ValueError, match="features needs five even widths, got"):
            TinyUNet(features=features)
    with pytest.raises(ValueError, match=r"init must be one of \['glorot_normal', .*\], got 'zeros'"):
        TinyUNet(init="zeros")
