import pytest
import torch
from torch.nn.functional import conv2d

from shared.networks.depthwise import DepthwiseConv2d


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 8, 11), (1, 4, 9, 6)])
def test_value_and_gradients_are_pytorchs(side, stride, padded, shape):
    torch.manual_seed(0)
    padding = side // 2 if padded else 0
    layer = DepthwiseConv2d(shape[1], side, stride, padding).double()
    numbers = torch.randn(shape, dtype=torch.float64)
    results = []
    for called in (layer, lambda x: conv2d(x, layer.weight, None, stride, padding, groups=shape[1])):
        x = numbers.clone().requires_grad_()
        y = called(x)
        after = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
        results.append((y, *torch.autograd.grad(y, (x, layer.weight), after)))
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_in_bfloat16_the_gradients_are_as_near_to_the_truth_as_pytorchs():
    torch.manual_seed(0)
    layer, numbers = DepthwiseConv2d(16, 5, stride=2, padding=2), torch.randn(2, 16, 24, 32)
    found = {}
    for low in (True, False):
        x = numbers.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            y = layer(x.to(torch.bfloat16 if low else torch.float32))
        y.float().square().sum().backward()
        found[low] = x.grad, layer.weight.grad
        layer.weight.grad = None
    for mine, true in zip(found[True], found[False], strict=True):
        assert (mine - true).norm() < 0.02 * true.norm()


def test_exporters_and_inference_get_pytorchs_own():
    layer, x = DepthwiseConv2d(2, 5), torch.randn(1, 2, 8, 8)
    trace = torch.jit.trace(layer, x.clone().requires_grad_())
    for called in (layer, trace, torch.jit.script(layer)):
        assert torch.equal(called(x), conv2d(x, layer.weight, groups=2))
    assert "_convolution" in str(trace.inlined_graph)


def test_other_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel_size must be 3 or 5, got 7"):
        DepthwiseConv2d(4, 7)
