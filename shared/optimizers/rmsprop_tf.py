"""RMSProp as TensorFlow defines it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, ParamsT

__all__ = ["RMSpropTF"]


class RMSpropTF(Optimizer):
    """Centred RMSProp with momentum, as TensorFlow's ``RMSPropOptimizer(centered=True)``.

    With the gradient g, its mean m (from 0 on) and the mean s of its square (from 1 on)::

        m <- decay m + (1 - decay) g
        s <- decay s + (1 - decay) g^2
        v <- momentum v + lr g / sqrt(s - m^2 + eps)
        w <- w - v

    torch's ``RMSprop`` starts s at 0, adds ``eps`` outside the root and multiplies by the learning rate outside v.
    Its first steps are up to a thousand times longer: here s falls from 1 over some 100 steps, which is a warm-up.
    And here a new learning rate does not change the momentum gathered so far.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, 0 at least.
        decay: of both means, in [0, 1).
        momentum: in [0, 1).
        eps: inside the root, greater than 0.
        weight_decay: L2 penalty; this many times the weight is added to the gradient.

    Raises:
        ValueError: an argument is out of its range.

    Reference:
        Tieleman and Hinton: Neural networks for machine learning, lecture 6.5, 2012; ``RMSPropOptimizer`` of
        TensorFlow 1.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimizer = RMSpropTF([weight], lr=0.1)
        >>> weight.grad = torch.tensor([1.0])
        >>> optimizer.step()
        >>> weight  # 1 - 0.1 / sqrt(1 - 0.01)
        Parameter containing:
        tensor([0.8995], requires_grad=True)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        decay: float = 0.9,
        momentum: float = 0.8,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} must be 0 at least, got {value}")
        for name, value in (("decay", decay), ("momentum", momentum)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {value}")
        if not eps > 0:
            raise ValueError(f"eps must be greater than 0, got {eps}")
        defaults = {"lr": lr, "decay": decay, "momentum": momentum, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change each parameter that has a gradient.

        Args:
            closure: computes the loss anew, gradients included.

        Returns:
            What ``closure`` returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._change(parameter, parameter.grad, group)
        return loss

    def _change(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["square_avg"] = torch.ones_like(parameter)
            state["grad_avg"] = torch.zeros_like(parameter)
            state["momentum_buffer"] = torch.zeros_like(parameter)
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
        square, mean, buffer = state["square_avg"], state["grad_avg"], state["momentum_buffer"]
        square.mul_(group["decay"]).addcmul_(gradient, gradient, value=1 - group["decay"])
        mean.lerp_(gradient, 1 - group["decay"])
        # A variance cannot be negative; the difference can, by rounding, where the gradient hardly changes.
        deviation = torch.addcmul(square, mean, mean, value=-1).clamp_(min=0).add_(group["eps"]).sqrt_()
        buffer.mul_(group["momentum"]).addcdiv_(gradient, deviation, value=group["lr"])
        parameter.sub_(buffer)
