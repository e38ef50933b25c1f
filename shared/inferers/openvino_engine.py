"""A network converted for OpenVINO, which computes on the CPU."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import operator
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch.utils import _pytree as pytree

from ..errors import UserError
from ..networks import fault_of, geometry_of
from .model_cache import MODEL, cache_folder, store, workplace

__all__ = ["EngineError", "OpenVINOEngine", "openvino_is_there", "size_class"]

EXAMPLE = 64  # sides of the example are this long at least
MOST = 2**18  # numbers of a picture that a conversion is compared on besides
CLOSE = 1e-3  # of the largest value: what a conversion may differ from its network in float32
STRUCTURE = ["segmentation_bundles", "outputs"]  # where in the model's own notes the nesting of its outputs stands


class EngineError(UserError):
    """OpenVINO cannot convert or compute this network."""


class OpenVINOEngine:
    """One network, fixed in its weights, for pictures of one ``size_class``.

    It is read from the cache on the disk or, if it is not there, converted from ``network``, which is not kept.

    A conversion is compared with its network in float32, at other batches and sizes than it was made with, before it
    is used or kept. A network whose own code asks for a certain size may still be computed otherwise at another.

    Args:
        network: in evaluation mode, on the CPU, with one tensor as input.
        fingerprint: of the network, as by ``fingerprint``.
        x: a picture it will compute, ``(N, C, *spatial)``; batch and sides may differ later within the size class.
        low: whether to compute in bfloat16 or float16 where the processor has it in hardware.

    Raises:
        EngineError: OpenVINO cannot be started, or cannot convert the network; in a call, an output has other batch or
            sides than its input.

    Shape:
        Input ``(N, C, *spatial)``; the outputs are nested as the network's, float32 where the network's are.
    """

    def __init__(self, network: torch.nn.Module, fingerprint: str, x: torch.Tensor, low: bool) -> None:
        try:
            self._start(network, fingerprint, x, low)
        except (ImportError, OSError, RuntimeError) as error:  # a broken installation, no temporary folder
            raise _fails("starting", error) from error

    def _start(self, network: torch.nn.Module, fingerprint: str, x: torch.Tensor, low: bool) -> None:
        precision = low_precision(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")) if low else "f32"
        words = [
            fingerprint,
            precision,
            openvino().__version__,
            str(x.dtype),
            str(x.shape[1]),
            str(size_class(network, x)),
        ]
        entry = cache_folder() / "openvino" / hashlib.sha256(" ".join(words).encode()).hexdigest()
        model = _read(entry)
        if model is None:
            model = _convert(network, x, entry)
        self.structure = pytree.treespec_loads(model.get_rt_info(STRUCTURE).astype(str))
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self.request = _core().compile_model(model, "CPU", options).create_infer_request()
        self.lock = threading.Lock()  # a request computes one picture at a time; servers have several threads

    def __call__(self, x: torch.Tensor) -> Any:
        with self.lock:
            try:
                found = self.request.infer([x.detach().contiguous().numpy()], share_inputs=True, share_outputs=False)
            except RuntimeError as error:
                raise _fails(f"computing a batch of {tuple(x.shape)}", error) from error
            # The arrays are copies, so the next picture does not write over them.
            leaves = [torch.from_numpy(found[number]) for number in range(self.structure.num_leaves)]
        for leaf in leaves:
            if (len(leaf), *leaf.shape[2:]) != (len(x), *x.shape[2:]):
                shapes = f"{tuple(x.shape)} gave {tuple(leaf.shape)}"
                raise EngineError(f"engine: the batch {shapes}, which is another batch or size; take --engine eager")
        return pytree.tree_unflatten(leaves, self.structure)


class SizeClass(NamedTuple):
    """Pictures that can share a conversion.

    A traced network is a list of operations without branches. Decoders branch: a side that was odd before a pooling is
    padded after it. Which poolings meet an odd side follows from what is left of the side when it is divided by all of
    them.

    Args:
        modulus: of each side; None where the network does not tell, and pictures of one size only share.
        rest: of each side, divided by its modulus; the side itself where there is none.
    """

    modulus: tuple[int, ...] | None
    rest: tuple[int, ...]


def size_class(network: torch.nn.Module, x: torch.Tensor) -> SizeClass:
    """The size class of a picture.

    Args:
        network: that will compute it.
        x: the picture, ``(N, C, *spatial)``.

    Example:
        >>> size_class(torch.nn.MaxPool2d(32), torch.zeros(1, 3, 512, 37))
        SizeClass(modulus=(32, 32), rest=(0, 5))
    """
    sides = tuple(x.shape[2:])
    geometry = geometry_of(network, x.shape[1], len(sides))
    if geometry is None:
        return SizeClass(None, sides)
    return SizeClass(geometry.modulus, tuple(map(operator.mod, sides, geometry.modulus)))


def low_precision(capabilities: Sequence[str]) -> str:
    """The fast precision of a processor: bfloat16 before float16, since nothing that float32 holds overflows in it.

    >>> low_precision(["FP32", "BF16", "FP16"]), low_precision(["FP32", "FP16"]), low_precision(["FP32", "INT8"])
    ('bf16', 'f16', 'f32')
    """
    return next((hint for name, hint in (("BF16", "bf16"), ("FP16", "f16")) if name in capabilities), "f32")


def openvino_is_there() -> bool:
    """Whether OpenVINO is installed; it is not imported."""
    return "openvino" in sys.modules or importlib.util.find_spec("openvino") is not None


@cache
def openvino() -> ModuleType:
    """OpenVINO, imported without its companion that reports the use of it over the network, unasked, at the import."""
    # A None in sys.modules makes an import fail as if it were not installed; OpenVINO has a stand-in for that case.
    companion = "openvino_telemetry"
    blocked = sys.modules.setdefault(companion, None) is None  # type: ignore[arg-type]
    try:
        import openvino as module  # noqa: PLC0415 - half a second, and only where it is asked for
    finally:
        if blocked:
            del sys.modules[companion]
    return module


@cache
def _core() -> Any:
    core = openvino().Core()
    core.set_property({"ENABLE_MMAP": False})  # a file of the cache may be deleted while its network is in use
    return core


def _read(entry: Path) -> Any:
    """The model in ``entry``; None if there is none that can be read."""
    logger = logging.getLogger(__name__)
    try:
        if not (entry / MODEL).is_file():
            return None
        model = _core().read_model(entry / MODEL)
    except (RuntimeError, OSError) as error:
        logger.warning("engine: %s cannot be read and is made anew (%s)", entry, _line(error))
        shutil.rmtree(entry, ignore_errors=True)
        return None
    logger.info("engine: converted network taken from %s", entry)
    return model


def _convert(network: torch.nn.Module, x: torch.Tensor, entry: Path) -> Any:
    ov, began = openvino(), time.perf_counter()
    channels, sides = x.shape[1], x.shape[2:]
    if geometry_of(network, channels, len(sides)) is None and (fault := fault_of(network, channels, sides)):
        # Without numbers it cannot be run, so it may decide by them, which a trace does not.
        what = f"may compute something else than this network ({fault})"
        raise EngineError(f"engine: OpenVINO {what}; take --engine eager")
    flat, (traced, *compared) = _Flat(network), _examples(network, x)
    shape = ov.PartialShape([-1, x.shape[1], *[-1] * (x.ndim - 2)])
    # Tracing must meet neither autocast, whose casts it would record, nor tensors of the inference mode.
    with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False), _as_it_was():
        try:
            model = ov.convert_model(flat, example_input=traced, input=shape)
        except Exception as error:  # tracing calls the network's code, which can fail in any way
            raise _fails("converting", error) from error
        if len(model.outputs) != flat.structure.num_leaves:
            raise EngineError("engine: OpenVINO merges outputs of this network; take --engine eager")
        _compare(flat, model, compared)
    model.set_rt_info(pytree.treespec_dumps(flat.structure), STRUCTURE)
    with workplace(entry) as made:
        ov.save_model(model, made / MODEL, compress_to_fp16=False)
        store(made, entry)
        seconds = time.perf_counter() - began
        logging.getLogger(__name__).info("engine: network converted for OpenVINO in %.1f s", seconds)
        # Read again: the model as converted shares the memory of the network's weights, and these may change.
        return _core().read_model(made / MODEL)


def _examples(network: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """A batch to trace the network with, and others of its size class to compare on: larger, least, as the picture."""
    rest = size_class(network, x).rest
    sides = longer = short = rest
    if geometry := geometry_of(network, x.shape[1], len(rest)):
        short = tuple(map(_from_on, geometry.least, rest, geometry.modulus))
        sides = tuple(map(_from_on, [max(EXAMPLE, side) for side in short], rest, geometry.modulus))
        longer = tuple(
            side + m * (axis == 0) for axis, (side, m) in enumerate(zip(sides, geometry.modulus, strict=True))
        )
    random = torch.Generator().manual_seed(0)
    shapes = [(2, x.shape[1], *longer), (1, x.shape[1], *short), *([x.shape] if x.numel() <= MOST else [])]
    batches = [torch.randn(shape, generator=random).to(x) for shape in dict.fromkeys(map(tuple, shapes))]
    return [torch.zeros(1, x.shape[1], *sides, dtype=x.dtype), *batches]


def _from_on(side: int, rest: int, modulus: int) -> int:
    """The first side from this on that leaves this rest."""
    return side + (rest - side) % modulus


def _compare(flat: _Flat, model: Any, batches: Sequence[torch.Tensor]) -> None:
    """Refuse a conversion that computes something else than its network."""
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    request = _core().compile_model(model, "CPU", options).create_infer_request()
    for x in batches:
        try:
            found = request.infer([x.numpy()])
        except RuntimeError as error:
            raise _fails(f"computing a batch of {tuple(x.shape)}", error) from error
        for number, expected in enumerate(flat(x)):
            mine = torch.from_numpy(found[number])
            if mine.shape != expected.shape or not (mine - expected).abs().max() <= CLOSE * expected.abs().max():
                raise EngineError("engine: OpenVINO computes something else than this network; take --engine eager")


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Keep the root logger as it is, which a conversion that fails leaves deaf to warnings, and torch.jit silent."""
    root = logging.getLogger()
    level, filters, handlers = root.level, root.filters[:], root.handlers[:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # OpenVINO traces with torch.jit
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # of branches: see SizeClass
        try:
            yield
        finally:
            root.setLevel(level)
            root.filters, root.handlers = filters, handlers


class _Flat(torch.nn.Module):
    """A network whose outputs, nested in any way, are a tuple; tracing takes no other nesting."""

    structure: pytree.TreeSpec

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        leaves, self.structure = pytree.tree_flatten(self.network(x))
        return tuple(leaves)


def _fails(doing: str, error: Exception) -> EngineError:
    return EngineError(f"engine: OpenVINO fails at {doing} ({_line(error)}); take --engine eager")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
