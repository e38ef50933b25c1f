"""A network that needs no training: bright is what it looks for."""

import torch


def brightness_network(network, channels=1):
    """Give a shipped U-Net weights that pass its first channels through to its first outputs."""
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
        if isinstance(module, torch.nn.Conv2d) and name.removeprefix("1.").startswith(("conv_0", "upcat_1")):
            for channel in range(channels):
                module.weight.data[channel, channel, 1, 1] = 1
        if isinstance(module, torch.nn.Conv2d) and name.endswith("final_conv"):
            for channel in range(channels):
                module.weight.data[channel, channel], module.bias.data[channel] = 20, -4
    return network
