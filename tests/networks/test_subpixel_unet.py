import pytest
import torch

from shared.networks import SubpixelUNet, UNet

FEATURES = (3, 5, 7, 11, 13)


@pytest.mark.parametrize("downscale", [1, 2, 3])
def test_blocks_of_pixels_are_channels_and_come_back(downscale):
    """Written down pixel by pixel: channel ``c`` of a block's pixel (i, j) is number ``(c d + i) d + j``."""
    torch.manual_seed(0)
    network = SubpixelUNet(2, 1, FEATURES, downscale).eval()
    inner = UNet(2 * downscale**2, downscale**2, FEATURES).eval()
    inner.load_state_dict(network[1].state_dict())
    image = torch.rand(2, 2, 32 * downscale, 48 * downscale)
    parts = [(i, j) for i in range(downscale) for j in range(downscale)]
    small = torch.stack([image[:, c, i::downscale, j::downscale] for c in range(2) for i, j in parts], dim=1)
    expected = torch.empty(2, 1, *image.shape[2:])
    with torch.inference_mode():
        found = inner(small)
        for number, (i, j) in enumerate(parts):
            expected[:, 0, i::downscale, j::downscale] = found[:, number]
        assert torch.equal(network(image), expected)


def test_an_untrained_network_begins_with_the_prior():
    torch.manual_seed(0)
    network = SubpixelUNet(1, 1, FEATURES, downscale=2, prior=0.01)
    torch.nn.init.zeros_(network[1].final_conv.weight)
    assert torch.allclose(network(torch.rand(2, 1, 32, 64)).sigmoid(), torch.tensor(0.01))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"downscale": 0}, "downscale must be 1 pixel at least, got 0"),
        ({"prior": 1.0}, r"prior must lie between 0 and 1, got 1\.0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        SubpixelUNet(**options)
