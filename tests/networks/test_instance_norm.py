import pytest
import torch
from torch import nn

from shared.networks.instance_norm import InstanceNorm3d


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_it_equals_the_original_in_either_format(batch, layout):
    torch.manual_seed(0)
    original, mine = nn.InstanceNorm3d(5, eps=1e-6, affine=True), InstanceNorm3d(5, eps=1e-6, affine=True)
    nn.init.uniform_(original.weight, 0.5, 1.5)
    nn.init.uniform_(original.bias, -0.5, 0.5)
    mine.load_state_dict(original.state_dict())
    numbers = 3 + 2 * torch.randn(batch, 5, 7, 4, 6)
    wanted, got = (numbers.to(memory_format=layout).requires_grad_() for _ in range(2))
    weights = torch.randn(batch, 5, 7, 4, 6)
    (original(wanted) * weights).sum().backward()
    result = mine(got)
    (result * weights).sum().backward()
    assert result.is_contiguous(memory_format=layout)
    torch.testing.assert_close(result, original(wanted), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.grad, wanted.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mine.weight.grad, original.weight.grad, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(mine.bias.grad, original.bias.grad, atol=1e-4, rtol=1e-5)


def test_without_scale_and_in_bfloat16():
    x = torch.randn(2, 3, 4, 4, 4).to(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(InstanceNorm3d(3)(x), nn.InstanceNorm3d(3)(x), atol=1e-5, rtol=1e-5)
    low = x.bfloat16()
    torch.testing.assert_close(
        InstanceNorm3d(3, affine=True)(low).float(), nn.InstanceNorm3d(3)(low).float(), atol=0.02, rtol=0.01
    )


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # of the instance norm of torch
def test_exporters_get_the_original():
    layer, x = InstanceNorm3d(2).eval(), torch.randn(1, 2, 4, 4, 4)
    script, trace = torch.jit.script(layer), torch.jit.trace(layer, x)
    assert "aten::instance_norm" in str(trace.inlined_graph)
    assert "batch_norm" not in str(trace.inlined_graph)
    more = torch.randn(2, 2, 6, 4, 8)
    torch.testing.assert_close(script(more), layer(more), atol=1e-5, rtol=1e-5)
