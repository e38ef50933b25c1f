import itertools

import pytest
import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer

from shared.inferers import FlipInferer, PrecisionInferer, TiledInferer


def network(axes):
    torch.manual_seed(0)
    kind = torch.nn.Conv2d if axes == 2 else torch.nn.Conv3d
    return kind(2, 3, 3, padding=1).requires_grad_(False)


def by_hand(x, run, to_probability):
    axes = range(2, x.ndim)
    total, number = 0, 0
    for mirrored in itertools.product([False, True], repeat=len(axes)):
        flip = [axis for axis, turned in zip(axes, mirrored, strict=True) if turned]
        total, number = total + torch.flip(to_probability(run(torch.flip(x, flip))), flip), number + 1
    return total / number


@pytest.mark.parametrize("shape", [(2, 2, 7, 5), (1, 2, 1, 9), (1, 2, 5, 4, 3)])
@pytest.mark.parametrize("softmax", [False, True])
def test_the_probability_is_the_mean_over_all_flips(shape, softmax):
    run, x = network(len(shape) - 2), 5 * torch.randn(shape)
    calls = []
    run.register_forward_hook(lambda *_: calls.append(1))
    to_probability = (lambda y: y.softmax(1)) if softmax else torch.sigmoid
    found = to_probability(FlipInferer(SimpleInferer(), softmax)(x, run))
    assert len(calls) == 2 ** (len(shape) - 2)
    assert torch.allclose(found, by_hand(x, run, to_probability), atol=1e-6)
    assert ((found >= 0) & (found <= 1)).all()
    assert not torch.allclose(found, to_probability(run(x)), atol=0.01)


@pytest.mark.parametrize("inferer", [TiledInferer(max_tile=32), SlidingWindowInferer((16, 16), 2, 0.25, "gaussian")])
def test_what_does_not_mind_flips_stays_as_it_is(inferer):
    mean = torch.nn.AvgPool2d(3, 1, 1)
    x = 10 * torch.randn(1, 3, 53, 71)
    assert torch.allclose(FlipInferer(inferer)(x, mean), inferer(x, mean), atol=1e-4)


def test_a_flip_is_inside_its_window_and_keeps_the_precision():
    calls, run = [], network(2)
    run.register_forward_hook(lambda module, args, output: calls.append((tuple(args[0].shape), output.dtype)))
    x = torch.randn(1, 2, 40, 64)
    found = PrecisionInferer(FlipInferer(TiledInferer(max_tile=32, overlap=0.0)), amp=True)(x, run)
    assert calls == [((1, 2, 32, 32), torch.bfloat16)] * 4 * 4
    assert found.dtype == torch.float32
