import numpy as np
import pytest
import torch

from shared.optimizers import RMSpropTF


class Plain:
    """TensorFlow's update, written down for one array."""

    def __init__(self, weight, decay=0.9, momentum=0.8, eps=1e-10, weight_decay=0.0):
        self.w, self.ms, self.mg, self.mom = weight.copy(), np.ones_like(weight), np.zeros_like(weight), 0 * weight
        self.decay, self.momentum, self.eps, self.weight_decay = decay, momentum, eps, weight_decay

    def step(self, gradient, lr):
        g = gradient + self.weight_decay * self.w
        self.mg = self.decay * self.mg + (1 - self.decay) * g
        self.ms = self.decay * self.ms + (1 - self.decay) * g**2
        self.mom = self.momentum * self.mom + lr * g / np.sqrt(self.ms - self.mg**2 + self.eps)
        self.w = self.w - self.mom


def gradients(steps, shape=(3, 5), scale=0.1):
    return np.random.default_rng(0).normal(0.02, scale, (steps, *shape))


def start(shape=(3, 5)):
    return np.random.default_rng(1).normal(size=shape)


@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 1e-2}, {"decay": 0.5, "momentum": 0.0, "eps": 1e-3}],
    ids=["default", "weight decay", "other constants"],
)
def test_each_step_is_the_formula_with_a_changing_learning_rate(options):
    weight = torch.nn.Parameter(torch.tensor(start()))
    optimizer, plain = RMSpropTF([weight], lr=1e-2, **options), Plain(start(), **options)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.8)
    for number, gradient in enumerate(gradients(60)):
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        schedule.step()
        plain.step(gradient, 1e-2 * 0.8 ** (number // 20))
        np.testing.assert_allclose(weight.detach().numpy(), plain.w, rtol=1e-11, atol=1e-13)


def test_one_step_by_hand():
    weight = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    weight.grad = torch.tensor([3.0], dtype=torch.float64)
    RMSpropTF([weight], lr=0.1).step()  # mean 0.3, mean square 0.9 + 0.1 * 9 = 1.8
    assert weight.item() == pytest.approx(2 - 0.1 * 3 / (1.8 - 0.09 + 1e-10) ** 0.5, abs=1e-15)


def test_resumed_from_a_file_it_goes_on_to_the_last_bit(tmp_path):
    def fresh(value):
        weight = torch.nn.Parameter(torch.tensor(value, dtype=torch.float32))
        return weight, RMSpropTF([weight], lr=1e-2, weight_decay=1e-3)

    def run(weight, optimizer, some):
        for gradient in some:
            weight.grad = torch.tensor(gradient, dtype=torch.float32)
            optimizer.step()

    whole, optimizer = fresh(start())
    run(whole, optimizer, gradients(30)[:12])
    torch.save({"weight": whole.detach(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
    run(whole, optimizer, gradients(30)[12:])

    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed, other = fresh(saved["weight"].numpy())
    other.load_state_dict(saved["optimizer"])
    run(resumed, other, gradients(30)[12:])
    assert torch.equal(resumed, whole)


def test_a_constant_gradient_gives_no_nan_and_a_missing_one_no_step():
    steady, still = (torch.nn.Parameter(torch.ones(7)) for _ in range(2))
    optimizer = RMSpropTF([steady, still], lr=1e-4)
    for _ in range(500):  # the variance becomes zero but for rounding
        steady.grad = torch.linspace(1, 100, 7)
        optimizer.step()
    assert torch.isfinite(steady).all() and not torch.equal(steady, torch.ones(7))
    assert torch.equal(still, torch.ones(7)) and still not in optimizer.state


def test_it_keeps_channels_last_and_calls_the_closure():
    weight = torch.nn.Parameter(torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last))
    optimizer = RMSpropTF([weight])

    def closure():
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 120
    assert all(s.is_contiguous(memory_format=torch.channels_last) for s in optimizer.state[weight].values())


@pytest.mark.parametrize(
    ("argument", "value"),
    [("lr", -1), ("weight_decay", float("nan")), ("decay", 1.0), ("momentum", -0.1), ("eps", 0.0)],
)
def test_arguments_out_of_range_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"{argument} must .*, got {value}"):
        RMSpropTF([torch.nn.Parameter(torch.ones(1))], **{argument: value})
