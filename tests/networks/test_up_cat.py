import pytest
import torch
from monai.networks.nets import basic_unet

from shared.networks.up_cat import UpCat

ARGUMENTS = (5, 3, 7, "relu", "batch", True)


@pytest.mark.parametrize("sides", [(8, 12), (9, 12), (8, 13), (9, 13)])
def test_it_equals_monais_to_the_last_bit(sides):
    torch.manual_seed(0)
    mine, monais = UpCat(*ARGUMENTS), basic_unet.UpCat(2, *ARGUMENTS, upsample="nontrainable", pre_conv=None)
    monais.load_state_dict(mine.state_dict())
    x, skip = torch.randn(2, 5, 4, 6), torch.randn(2, 3, *sides)
    assert torch.equal(mine(x, skip), monais(x, skip))
    assert torch.equal(torch.jit.script(mine)(x, skip), monais(x, skip))


def test_the_enlarged_features_stay_channels_last():
    seen = []
    block = UpCat(*ARGUMENTS).to(memory_format=torch.channels_last)
    block.convs.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x, skip = (torch.randn(2, c, s, s).to(memory_format=torch.channels_last) for c, s in ((5, 4), (3, 8)))
    block(x, skip)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
