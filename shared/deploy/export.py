"""A bundle's network as ONNX, for any batch and size, and the proof that it computes the same."""

from __future__ import annotations

import logging
import math
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from monai.bundle import ConfigParser
from monai.inferers import Inferer, SimpleInferer
from monai.networks.utils import convert_to_onnx

from ..atomic import atomic_path
from ..bundle_config import content_of, read_bundle, run_entries
from ..errors import UserError
from ..extras import need_extra
from ..metrics.agreement import LEAST_DICE, MOST_DIFFERENCE, MOST_SHIFT, Agreement
from ..networks import geometry_of

__all__ = ["export_onnx"]

AXES = ("width", "height", "depth")  # in the order in which MONAI's readers give them
UNIT = 32  # pixels or voxels, or the modulus of the network if that is larger
EXAMPLE = (2, 3, 2)  # sides for the exporter, in units; those below are others
GENERATED = ((1, (2, 2, 2)), (3, (3, 2, 2)), (2, (2, 4, 3)))  # batches and sides in units, for the check
CELL = 16  # pixels; generated pictures vary at this scale


class Examples(NamedTuple):
    """What to compare on: what it is, how the network is applied to it, and batches ``(N, C, *spatial)``."""

    name: str
    inferer: Inferer
    batches: Iterator[torch.Tensor]


def export_onnx(
    bundle: str | Path,
    output: str | Path,
    check: bool = False,
    pictures: str | Path | None = None,
    checkpoint: str | Path | None = None,
    knobs: Mapping[str, Any] | None = None,
    overlays: Sequence[str] = (),
) -> str:
    """Write the network of a bundle's ``inference.json`` as one ONNX file with free batch and sides.

    Its input is called ``image``, its output ``pred``: the network's logits in float32. Reading pictures, tiling and
    what follows the network are not in it. With ``check`` the file is written only if ONNX Runtime gives what PyTorch
    gives, within the bounds for every fast path of this project.

    Args:
        bundle: folder of the bundle.
        output: file to write; must be new.
        check: whether to compare.
        pictures: folder of pictures, or one, to compare on, read, prepared and tiled as at inference; generated ones of
            several sizes and batches if None.
        checkpoint: weights; by default those that the configuration names.
        knobs: values for knobs of ``inference.json``, such as ``channels``.
        overlays: configurations that are laid over ``inference.json`` in this order: files, or names of the bundle's.
            None may apply the network several times, as ``tta`` and ``ensemble`` do.

    Returns:
        Lines that say what was written and how near it is.

    Raises:
        UserError: an option is wrong, a package is not installed, or the ONNX file computes something else.
    """
    bundle, output = Path(bundle), Path(output)
    if output.exists():
        raise UserError(f"output: {output} exists; name another file")
    need_extra("onnx", ["onnx", "onnxscript", *(["onnxruntime"] if check else [])], "export")
    knobs = dict(knobs or {})
    parser = _configuration(bundle, overlays, knobs)
    if checkpoint is not None:
        parser["checkpoint"] = str(checkpoint)
    run_entries(parser, ["check_weights"])
    network = content_of(parser, "networks")[0].eval()

    image = parser["_meta_::network_data_format::inputs::image"]
    dimensions = len(image["spatial_shape"])
    channels = content_of(parser, "channels") if "channels" in parser else image["num_channels"]
    geometry = geometry_of(network, channels, dimensions)
    modulus = geometry.modulus if geometry else (UNIT,) * dimensions
    units = [math.lcm(UNIT, own) for own in modulus]  # of sides that are halved without a rest, whose branches are kept
    example = torch.rand(2, channels, *(number * unit for number, unit in zip(EXAMPLE, units, strict=False)))
    examples = _pictures(parser, pictures, output) if pictures is not None else _blobs(image, channels, units)
    model = _converted(network, example)
    own = bool(knobs or overlays) or checkpoint is not None  # weights of one's own are no version of the bundle
    _describe(model, {"bundle": bundle.resolve().name} | ({} if own else {"version": parser["_meta_::version"]}))
    told = "not compared with PyTorch; --check does so"
    if check:
        agreement = _compared(examples, network, model)
        told = f"{agreement.pictures} {examples.name}: {agreement}"
        if not agreement.is_close():
            raise UserError(
                f"output: ONNX Runtime differs from PyTorch on {told}; allowed are a Dice of {LEAST_DICE}, a mean |dp| "
                f"of {MOST_DIFFERENCE} and, where there is no mask, a mean difference of logits of {MOST_SHIFT}. "
                "Nothing was written; another version of torch or onnx may do better"
            )
    with atomic_path(output) as temporary:
        temporary.write_bytes(model.SerializeToString())
    sides = " x ".join(f"{own}*n" for own in modulus)
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    return f"{output}  {size}, {_shape(model.graph.input[0])} -> pred, for sides of {sides}\n{told}"


def _configuration(bundle: Path, overlays: Sequence[str], knobs: Mapping[str, Any]) -> ConfigParser:
    """The bundle's inference, exact and on the CPU, with overlays and values for some of its knobs."""
    parser = read_bundle(bundle, "inference.json", overlays)
    applied = str([parser.get(part) for part in ("network", "inferer", "evaluator")])
    if "checkpoints" in parser or re.search(r"\.(Ensemble|FlipInferer)\b", applied):
        which = ", ".join(overlays) or "inference.json"
        raise UserError(f"overlay: {which} applies the network several times, the file holds it once; leave that out")
    for name, value in knobs.items():
        if name not in parser:
            raise UserError(f"{name}: the bundle {bundle.name} has no such knob; leave it out")
        parser[name] = value
    for name, value in {"device": "cpu", "amp": False, "engine": "eager"}.items():
        parser[name] = value
    return parser


def _converted(network: torch.nn.Module, example: torch.Tensor) -> Any:
    """The network as an ONNX model with its weights in it."""
    free = {0: "batch"} | {2 + axis: AXES[axis] for axis in range(example.ndim - 2)}
    with tempfile.TemporaryDirectory() as folder, _quiet_exporter():
        return convert_to_onnx(
            network,
            [example],
            input_names=["image"],
            output_names=["pred"],
            filename=str(Path(folder) / "model.onnx"),
            dynamic_shapes=(free,),
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep to itself what torch's exporter tells of its own deprecated parts and of packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _describe(model: Any, properties: Mapping[str, str]) -> None:
    """Note what the model is; take out where on this machine the code of each of its nodes lies."""
    import onnx  # noqa: PLC0415 - installed only where networks are exported

    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.helper.set_model_props(model, dict(properties))


def _shape(value: Any) -> str:
    sides = (side.dim_param or str(side.dim_value) for side in value.type.tensor_type.shape.dim)
    return f"{value.name} ({', '.join(sides)})"


def _runtime(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The model as ONNX Runtime computes it."""
    import onnxruntime  # noqa: PLC0415 - likewise

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["pred"], {"image": x.numpy()})[0])


def _blobs(image: Mapping[str, Any], channels: int, units: Sequence[int]) -> Examples:
    """Soft blobs with noise, the same each time, in several batches and sizes; whole, or windows would make all one."""
    low, high = image["value_range"]

    def drawn() -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        for batch, numbers in GENERATED:
            shape = (batch, channels, *(number * unit for number, unit in zip(numbers, units, strict=False)))
            cells = torch.randn(*shape[:2], *(side // CELL for side in shape[2:]), generator=generator)
            blobs = torch.nn.functional.interpolate(
                cells, shape[2:], mode="bilinear" if len(units) == 2 else "trilinear"
            )
            yield (blobs + 0.1 * torch.randn(shape, generator=generator)).clamp(low, high)

    return Examples("generated pictures", SimpleInferer(), drawn())


def _pictures(parser: ConfigParser, pictures: str | Path, output: Path) -> Examples:
    """The pictures of a folder as the configuration lists, prepares and cuts them."""
    parser["dataset_dir"], parser["output_dir"] = str(pictures), f"{output}.results"  # nothing is written there
    try:
        dataset = content_of(parser, "dataset")
    except UserError as error:
        raise UserError(f"pictures: {error}") from error

    def read() -> Iterator[torch.Tensor]:
        for item in dataset:
            if error := item.get("error"):
                raise UserError(f"pictures: {error}")
            yield item["image"][None]  # with its mean and deviation, if its normalisation was put off

    return Examples(f"pictures of {pictures}", parser.get_parsed_content("inferer"), read())


def _compared(examples: Examples, network: torch.nn.Module, model: Any) -> Agreement:
    """Compare the network with its conversion, both by way of one inferer."""
    agreement, computed = Agreement(), _runtime(model)
    with torch.inference_mode():
        for batch in examples.batches:
            agreement.add(examples.inferer(batch, network), examples.inferer(batch, computed))
    return agreement
