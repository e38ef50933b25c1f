"""A network that needs no training: bright is what it looks for."""

import torch

from shared.networks import UNet


def brightness_network(in_channels, out_channels, features=(16, 32, 64, 128, 256)):
    """A shipped network in full, with weights that pass the first channel through to the first output."""
    network = UNet(in_channels=in_channels, out_channels=out_channels, features=features)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
        if name.startswith(("conv_0", "upcat_1")) and isinstance(module, torch.nn.Conv2d):
            module.weight.data[0, 0, 1, 1] = 1
    network.final_conv.weight.data[0, 0], network.final_conv.bias.data[0] = 20, -4
    return network
