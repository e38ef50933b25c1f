import pytest
import torch
from monai.engines import SupervisedTrainer

from shared.handlers import ClipGradient


def trained(max_norm, accumulation_steps=1):
    """The weight after one step from 0, where each batch has the gradient 8."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    batch = {"image": torch.full((1, 1), 8.0), "label": torch.zeros(1, 1)}
    SupervisedTrainer(
        "cpu", 1, [batch] * accumulation_steps, network, optimizer, lambda pred, label: pred.sum(),
        train_handlers=[ClipGradient(optimizer, max_norm)], decollate=False, accumulation_steps=accumulation_steps,
    ).run()  # fmt: skip
    return network.weight.item()


def test_the_step_is_bounded_and_a_small_one_untouched():
    assert trained(max_norm=3.0) == pytest.approx(-3.0)
    assert trained(max_norm=9.0) == pytest.approx(-8.0)


def test_accumulated_gradients_are_clipped_once():
    assert trained(max_norm=7.0, accumulation_steps=2) == pytest.approx(-7.0)


def test_the_parameters_of_all_groups_are_clipped_together():
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [parameter]} for parameter in parameters], lr=1.0)
    for parameter, gradient in zip(parameters, (3.0, 4.0), strict=True):
        parameter.grad = torch.tensor([gradient])
    ClipGradient(optimizer, 1.0).clip()
    assert [parameter.grad.item() for parameter in parameters] == pytest.approx([0.6, 0.8])


def test_a_norm_of_nothing_is_refused():
    with pytest.raises(ValueError, match="max_norm must be above 0, got 0"):
        trained(0)
