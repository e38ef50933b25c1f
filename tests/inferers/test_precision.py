import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer

from shared.inferers import PrecisionInferer
from shared.networks import UNet


def seen(amp, x):
    """The type in which a convolution computes under an inferer, and what comes back."""
    types = []
    network = torch.nn.Conv2d(1, 1, 1)
    network.register_forward_hook(lambda module, args, output: types.append((type(args[0]), output.dtype)))
    return types, PrecisionInferer(SimpleInferer(), amp)(x, network)


def test_the_network_computes_in_bfloat16_and_gives_float32():
    types, output = seen(True, torch.rand(1, 1, 3, 5))
    assert types == [(torch.Tensor, torch.bfloat16)]
    assert output.dtype == torch.float32


def test_false_is_float32():
    types, _ = seen(False, torch.rand(1, 1, 3, 5))
    assert types[0][1] == torch.float32


def test_the_network_gets_plain_tensors():
    types, _ = seen(False, MetaTensor(torch.rand(1, 1, 3, 5)))
    assert types[0][0] is torch.Tensor


def test_lists_and_dictionaries_are_kept():
    x = torch.rand(1, 1, 3, 5)
    output = PrecisionInferer(SimpleInferer(), True)(x, lambda y: [y.bfloat16(), {"aux": y.half()}])
    assert [output[0].dtype, output[1]["aux"].dtype] == [torch.float32, torch.float32]


def test_bfloat16_agrees_with_float32_within_the_tolerance():
    torch.manual_seed(0)
    network = UNet(3, 1, (8, 8, 16, 16, 32)).eval()
    x = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        exact, fast = (torch.sigmoid(PrecisionInferer(SimpleInferer(), amp)(x, network)) for amp in (False, True))
    assert (exact - fast).abs().mean() <= 0.005


def test_a_wrong_amp_is_refused():
    with pytest.raises(ValueError, match="'auto', True or False, got 'half'"):
        PrecisionInferer(SimpleInferer(), "half")
