"""The peak memory that docs/trust.md states for a large picture."""

import csv
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from running import ROOT

from shared.networks import UNet
from shared.synthetic.dsb import draw_case

resource = pytest.importorskip("resource", reason="peak memory is read the POSIX way")
SIDE = 4096


def brightness_network():
    """The shipped network in full, with weights that pass the first channel through: bright is nucleus."""
    network = UNet(in_channels=3, out_channels=2, features=(16, 32, 64, 128, 256))
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
        if name.startswith(("conv_0", "upcat_1")) and isinstance(module, torch.nn.Conv2d):
            module.weight.data[0, 0, 1, 1] = 1
    network.final_conv.weight.data[0, 0], network.final_conv.bias.data[0] = 20, -4
    return network


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss differs elsewhere")
def test_a_large_picture_takes_no_more_memory_than_stated(tmp_path):
    stated = float(
        re.search(r"([\d.]+) GB at most for a picture of 4096 x 4096", (ROOT / "docs/trust.md").read_text())[1]
    )
    picture, labels = draw_case(seed=0, number=0, shape=(256, 256))
    Image.fromarray(np.tile(picture, (SIDE // 256, SIDE // 256, 1))).save(tmp_path / "large.png")
    torch.save(brightness_network().state_dict(), tmp_path / "model.pt")
    bundle = ROOT / "bundles" / "unet_dsb"
    words = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(bundle / "configs" / "inference.json")]
    words += ["--bundle_root", str(bundle), "--dataset_dir", str(tmp_path / "large.png"), "--device", "cpu"]
    words += ["--output_dir", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "model.pt")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    subprocess.run(words, check=True, capture_output=True, timeout=600)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak > before  # else another child of this process was larger, and this one was not measured
    assert peak * 1024 < stated * 1e9
    with (tmp_path / "out" / "findings.csv").open() as file:
        assert int(next(csv.DictReader(file))["count"]) > labels.max() * 200  # most of 256 copies
