"""What is learned in bfloat16 is what would be learned in float32."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer

from shared.inferers import PrecisionInferer, true_gradients

BUNDLES = Path(__file__).parents[2] / "bundles"
KERNEL = """
import torch
from monai.inferers import SimpleInferer
from shared.inferers import PrecisionInferer

torch.manual_seed(0)
for sides in ((2, 2, 2), (2, 2, 3), (2, 3, 2), (2, 4, 4), (2, 8, 8), (2, 9, 20), (1, 1, 1), (3, 2, 2), (4, 4, 2)):
    layer, x = torch.nn.Conv3d(32, 32, 3, padding=1), torch.randn(1, 32, *sides)
    found = []
    for amp in (False, True, True):
        layer.zero_grad()
        PrecisionInferer(SimpleInferer(), amp)(x, layer).square().sum().backward()
        found.append(layer.weight.grad.clone())
    assert (found[1] - found[0]).norm() < 0.05 * found[0].norm(), sides
    assert torch.equal(found[1], found[2]), sides

layer, x = torch.nn.Conv3d(16, 16, 11, padding=1), torch.randn(1, 16, 10, 10, 10)  # of which 2 x 2 x 2 are left
PrecisionInferer(SimpleInferer(), True)(x, layer).square().sum().backward()
assert layer.weight.grad.abs().max() < 1e6
"""


@pytest.mark.parametrize("isa", ["AVX512_CORE_BF16", None])
def test_kernels_learn_from_every_small_map_with_and_without_amx(isa):
    environment = os.environ | ({"ONEDNN_MAX_CPU_ISA": isa} if isa else {})
    subprocess.run([sys.executable, "-c", KERNEL], check=True, env=environment)


@pytest.mark.parametrize("bundle", ["unet3d_brats", "unet_dsb", "unet_industrial"])
def test_shipped_networks_have_the_gradients_of_float32_on_their_own_patches(bundle):
    parser = ConfigParser(json.loads((BUNDLES / bundle / "configs" / "train.json").read_text()))
    torch.manual_seed(0)
    network = parser.get_parsed_content("network_def").eval()  # batch norm of one image multiplies what is rounded
    formats = {2: torch.channels_last, 3: torch.channels_last_3d}
    patch = parser.get_parsed_content("patch_size")
    network = network.to(memory_format=formats[len(patch)])
    x = torch.randn(1, parser.get("channels", 4), *patch)
    exact, low = [], []
    for amp, gradients in ((False, exact), (True, low)):
        network.zero_grad()
        torch.sigmoid(PrecisionInferer(SimpleInferer(), amp)(x, network)).square().mean().backward()
        gradients += [kernel.grad.flatten() for kernel in network.parameters() if kernel.ndim > 1]
    for a, b in zip(exact, low, strict=True):
        assert torch.cosine_similarity(a, b, dim=0) > 0.6  # 0.78 at least on AMX and AVX512; garbage has 0


def test_a_convolution_that_is_wrong_computes_in_float32_and_the_others_do_not(monkeypatch):
    monkeypatch.setattr(true_gradients, "_right", {})
    small, large = torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(1, 2, 3)
    monkeypatch.setattr(true_gradients, "_try", lambda func, args, kwargs: args[0].shape[2] != 5)
    kinds = []
    for sides in ((5, 5), (6, 6), (5, 20), (20, 20)):
        PrecisionInferer(SimpleInferer(), True)(
            torch.rand(1, 1, *sides), lambda x: kinds.append(small(x).dtype) or large(x)
        )
    assert kinds == [torch.float32, torch.bfloat16, torch.float32, torch.bfloat16]
