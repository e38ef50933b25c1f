"""Runs the network, and only the network, in the precision and by the engine asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from monai.inferers import Inferer
from torch.utils import _pytree as pytree

from ..errors import UserError
from .engine import ENGINES, with_engine
from .network_call import NetworkCall
from .true_gradients import TrueGradients

__all__ = ["PrecisionInferer", "bfloat16_is_fast"]


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether ``device`` computes convolutions in bfloat16 in hardware (CUDA from Ampere on; AMX or AVX512-BF16)."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # the question is about the current one
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return False


class PrecisionInferer(Inferer):
    """Wraps an inferer so that each call of the network runs under autocast and returns float32.

    Sliding windows, blending, loss and metrics stay outside and in float32. bfloat16 has the range of float32, so
    training needs no gradient scaler; a convolution whose gradient the CPU gets wrong in it computes in float32.
    MONAI's own ``amp`` arguments of trainer and evaluator are fixed to CUDA and stay off.

    Args:
        inferer: any MONAI inferer; it decides how the picture is cut and blended.
        amp: ``"auto"`` takes bfloat16 where the device computes it in hardware and float32 elsewhere; ``True`` takes
            bfloat16 in any case, or what OpenVINO has for it; ``False`` takes float32, of which PyTorch computes
            convolutions in TF32 on GPUs from Ampere on, as TensorFlow does.
        engine: ``"eager"``, ``"auto"``, ``"openvino"`` or ``"compile"``, for inference, as ``with_engine`` tells.
        finite: whether it is an error that the network gives NaN or infinity, as for scores, in which they would pass
            for nothing found. Else infinity becomes NaN, which the handlers of an inference tell of each file.

    Raises:
        ValueError: ``amp`` or ``engine`` is none of these.
        UserError: in a call, the image is not finite, or with ``finite`` what the network gives.

    Shape:
        As the wrapped inferer; lists, tuples and dictionaries of outputs are kept, each element as float32.
    """

    def __init__(self, inferer: Inferer, amp: bool | str = "auto", engine: str = "eager", finite: bool = False) -> None:
        super().__init__()
        if amp not in ("auto", True, False):
            raise ValueError(f"amp must be 'auto', True or False, got {amp!r}")
        if engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
        self.inferer = inferer
        self.amp, self.engine, self.finite = amp, engine, finite

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        device = inputs.device
        low = bfloat16_is_fast(device) if self.amp == "auto" else bool(self.amp)
        run = with_engine(self.engine, network, device, self.amp)

        def in_precision(x: torch.Tensor, *more: Any, **options: Any) -> Any:
            # A MetaTensor would carry its metadata through every layer; the network needs the numbers only.
            plain = x.as_tensor() if hasattr(x, "as_tensor") else x
            if not torch.isfinite(plain).all():
                raise UserError(
                    f"{_file_of(inputs)}: its values are not finite; no network computes anything from such"
                )
            tried = TrueGradients() if low and device.type == "cpu" and torch.is_grad_enabled() else nullcontext()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low), tried:
                return _to_float32(run(plain, *more, **options))

        outputs = self.inferer(inputs, NetworkCall(in_precision, network), *args, **kwargs)
        if self.finite and not all(torch.isfinite(output).all() for output in pytree.tree_leaves(outputs)):
            raise UserError(f"{_file_of(inputs)}: the network gave NaN; try --amp False, or check its weights")
        return outputs


def _file_of(images: torch.Tensor) -> str:
    files = getattr(images, "meta", {}).get("filename_or_obj", "image")
    return files if isinstance(files, str) else ", ".join(map(str, files))


def _to_float32(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        values = output.float()
        return values if values.requires_grad else torch.nan_to_num_(values, math.nan, math.nan, math.nan)
    if isinstance(output, dict):
        return {key: _to_float32(value) for key, value in output.items()}
    return type(output)(_to_float32(value) for value in output)
