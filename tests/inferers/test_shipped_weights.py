"""The weights shipped: faster ways give what float32 gives, on pictures in which there is something to find."""

from functools import partial

import pytest
import torch
from monai.bundle import ConfigParser
from running import ROOT

from shared.inferers import PrecisionInferer
from shared.inferers.openvino_engine import openvino_is_there
from shared.inferers.precision import bfloat16_is_fast
from shared.synthetic import brats, dagm, dsb

# What draws pictures, how large, and which of them to take.
PICTURES = {
    "unet_industrial": (dagm, "256x256", "Class1/*/0*.PNG"),
    "unet_dsb": (dsb, "128x160", "*/images/*.png"),
    "unet3d_brats": (brats, "128x144x112", "*/*"),
}
LEAST_DICE = {"unet_industrial": 0.975}  # 0.980 by PyTorch, 0.994 by OpenVINO; of the others 0.998
MOST_DIFFERENCE = 0.005


@pytest.fixture(scope="module", params=PICTURES)
def shipped(request, tmp_path_factory):
    """A bundle's name, what computes probabilities of its pictures, and those that float32 gives."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    draw, size, pattern = PICTURES[name]
    draw.synthesize(folder / "raw", cases=1 if name == "unet3d_brats" else 2, seed=0, size=size)
    parser = ConfigParser()
    parser.read_config(str(ROOT / "bundles" / name / "configs" / "inference.json"))
    parser["device"], parser["output_dir"] = "cpu", str(folder / "out")
    network, inferer = (parser.get_parsed_content(part) for part in ("network", "inferer"))
    network.eval().load_state_dict(torch.load(ROOT / "bundles" / name / "models" / "model.pt", weights_only=True))
    pictures = []
    for file in sorted((folder / "raw").glob(pattern)):
        parser["dataset_dir"] = str(file)
        (item,) = parser.get_parsed_content("dataset")
        pictures.append(item["image"][None])
    compute = partial(probabilities, inferer.inferer, network, pictures)
    return name, compute, compute(amp=False, engine="eager")


def probabilities(inferer, network, pictures, amp, engine):
    with torch.inference_mode():
        found = [PrecisionInferer(inferer, amp, engine)(picture, network) for picture in pictures]
    return [torch.sigmoid(torch.as_tensor(logits)) for logits in found]


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_low_precision_gives_the_masks_and_probabilities_of_float32(shipped, engine):
    name, compute, exact = shipped
    if engine == "openvino" and not openvino_is_there():
        pytest.skip("pip install openvino")
    if name == "unet3d_brats" and engine == "eager" and not bfloat16_is_fast(torch.device("cpu")):
        pytest.skip("two minutes on a processor that has no bfloat16; amp: auto does not take it there")
    fast = compute(amp=True, engine=engine)
    channel = slice(0, 1) if name == "unet_dsb" else slice(None)  # the other one is a depth
    masks, others = (torch.cat([(p[:, channel] > 0.5).flatten() for p in each]) for each in (exact, fast))
    assert all((p[:, channel] > 0.5).flatten(2).any(2).all() for p in exact)  # there is something to compare
    assert 2 * (masks & others).sum() / (masks.sum() + others.sum()) >= LEAST_DICE.get(name, 0.998)
    differences = torch.cat([(p - q).abs().flatten() for p, q in zip(exact, fast, strict=True)])
    assert 0 < differences.mean() <= MOST_DIFFERENCE
