"""What the independent builds of the networks have in common."""

from torch import nn


def block(before: int, after: int) -> nn.Sequential:
    """Two 3x3 convolutions with batch norm and ReLU."""
    parts: list[nn.Module] = []
    for width in (before, after):
        parts += [nn.Conv2d(width, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*parts)


def layers(network: nn.Module) -> list[nn.Module]:
    """Layers with weights, in the order of their definition."""
    return [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
