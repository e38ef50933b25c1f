from importlib.util import find_spec

import pytest
import torch
from monai.inferers import SimpleInferer

from shared.inferers import Ensemble, PrecisionInferer
from shared.inferers.ensemble import mean_logits
from shared.networks import UNet


def outputs(*shape):
    torch.manual_seed(0)
    return [3 * torch.randn(shape) for _ in range(3)]


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 2, 3, 1, 5)])
def test_the_mean_is_that_of_the_probabilities(shape):
    some = outputs(*shape)
    expected = torch.stack([torch.sigmoid(x) for x in some]).mean(0)
    assert torch.allclose(mean_logits(some).sigmoid(), expected, atol=1e-6)
    expected = torch.stack([torch.softmax(x, 1) for x in some]).mean(0)
    found = mean_logits(some, softmax=True)
    assert torch.allclose(found.softmax(1), expected, atol=1e-6)
    assert torch.allclose(found.exp(), expected, atol=1e-6)


def test_certain_outputs_stay_finite_and_equal_ones_stay_as_they_are():
    certain = torch.tensor([[-1e4, -200.0, -3.0, 0.0, 3.0, 200.0, 1e4]])
    assert torch.allclose(mean_logits([certain] * 4), certain, atol=1e-5)
    found = mean_logits([certain, -certain])
    assert torch.equal(found, torch.zeros_like(certain))
    # One says 0, the other 1/2: a quarter, whose odds are one to three.
    assert mean_logits([torch.tensor([[-1e4]]), torch.tensor([[0.0]])]).item() == pytest.approx(-1.0986123)


def test_half_precision_is_averaged_in_float32():
    some = [x.bfloat16() for x in outputs(1, 1, 4, 4)]
    assert torch.equal(mean_logits(some), mean_logits([x.float() for x in some]))


def test_of_nothing_there_is_no_mean():
    with pytest.raises(ValueError, match="one at least, got none"):
        mean_logits(iter(()))


def members(**options):
    torch.manual_seed(1)
    return Ensemble([UNet(1, 2, (4, 4, 8, 8, 8)) for _ in range(3)], **options).eval()


@pytest.mark.parametrize("softmax", [False, True])
def test_every_engine_computes_the_mean_over_the_networks(softmax):
    ensemble, x = members(softmax=softmax), torch.rand(2, 1, 33, 50)
    to_probability = (lambda y: y.softmax(1)) if softmax else torch.sigmoid
    with torch.inference_mode():
        expected = torch.stack([to_probability(network(x)) for network in ensemble]).mean(0)
        for engine in ("eager", "openvino") if find_spec("openvino") else ("eager",):
            found = PrecisionInferer(SimpleInferer(), amp=False, engine=engine)(x, ensemble)
            assert torch.allclose(to_probability(found), expected, atol=1e-5), engine
