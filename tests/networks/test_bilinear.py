import pytest
import torch
from torch.nn.functional import interpolate

from shared.networks.bilinear import BilinearDouble

OPTIONS = {"scale_factor": 2, "mode": "bilinear", "align_corners": True}


@pytest.mark.parametrize("shape", [(2, 3, 5, 8), (1, 1, 1, 7), (3, 2, 4, 1), (1, 4, 1, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradient_are_pytorchs(shape, layout):
    torch.manual_seed(0)
    numbers, after = torch.randn(shape), torch.randn(*shape[:2], 2 * shape[2], 2 * shape[3])
    mine, theirs = (numbers.to(memory_format=layout).double().requires_grad_() for _ in range(2))
    result, wanted = BilinearDouble()(mine), interpolate(theirs, **OPTIONS)
    assert "_Double" in type(result.grad_fn).__name__
    assert torch.equal(result, wanted)
    (result * after).sum().backward()
    (wanted * after).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-6, rtol=1e-6)  # the weights are of float32


def test_in_bfloat16_it_is_as_near_to_the_truth_as_pytorchs():
    torch.manual_seed(0)
    numbers, after = torch.randn(2, 16, 24, 32), torch.randn(2, 16, 48, 64)
    found = {}
    for name, kind, double in (("mine", torch.bfloat16, BilinearDouble()), ("theirs", torch.float32, None)):
        x = numbers.to(kind).requires_grad_()
        (double(x) if double else interpolate(x, **OPTIONS)).backward(after.to(kind))
        found[name] = x.grad.float()
    assert (found["mine"] - found["theirs"]).abs().max() < 0.01 * found["theirs"].abs().max()


def test_exporters_and_inference_get_pytorchs_own():
    module, x = BilinearDouble(), torch.randn(1, 2, 4, 6)
    trace = torch.jit.trace(module, x.clone().requires_grad_())
    for called in (module, trace, torch.jit.script(module)):
        assert torch.equal(called(x), interpolate(x, **OPTIONS))
    assert "upsample_bilinear2d" in str(trace.inlined_graph)
