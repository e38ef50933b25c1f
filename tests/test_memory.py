"""The peak memory of large pictures: what docs/trust.md states, and bytes per pixel of an inspection."""

import csv
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from brightness import brightness_network
from PIL import Image
from running import ROOT, save_weights

from shared.networks import UNet
from shared.synthetic.dsb import draw_case

SIDE = 4096
BYTES_PER_PIXEL = 6
POINTWISE = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 1}
# The command line, and at its end the peak of this process alone; ru_maxrss counts other children, or begins with that
# of the parent.
MONAI_AND_PEAK = """
import atexit, re, runpy
peak = lambda: print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
atexit.register(peak)
runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_large_picture_takes_no_more_memory_than_stated(tmp_path):
    stated = float(
        re.search(r"([\d.]+) GB at most for a picture of 4096 x 4096", (ROOT / "docs/trust.md").read_text())[1]
    )
    picture, labels = draw_case(seed=0, number=0, shape=(256, 256))
    Image.fromarray(np.tile(picture, (SIDE // 256, SIDE // 256, 1))).save(tmp_path / "large.png")
    save_weights("unet_dsb", brightness_network(UNet(3, 2, (16, 32, 64, 128, 256))), tmp_path / "model.pt")
    bundle = ROOT / "bundles" / "unet_dsb"
    words = [sys.executable, "-c", MONAI_AND_PEAK, "run", "--config_file", str(bundle / "configs" / "inference.json")]
    words += ["--bundle_root", str(bundle), "--dataset_dir", str(tmp_path / "large.png"), "--device", "cpu"]
    words += ["--output_dir", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "model.pt")]
    run = subprocess.run(words, check=True, capture_output=True, timeout=600, text=True)
    assert peak_of(run) < stated * 1e9
    with (tmp_path / "out" / "findings.csv").open() as file:
        assert int(next(csv.DictReader(file))["count"]) > labels.max() * 200  # most of 256 copies


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_large_surface_takes_no_more_memory_than_stated_with_the_weights_shipped(tmp_path):
    stated = float(re.search(r"defects: ([\d.]+) GB there", (ROOT / "docs/trust.md").read_text())[1])
    surface = np.random.default_rng(0).integers(100, 120, (SIDE, SIDE), np.uint8)
    Image.fromarray(surface).save(tmp_path / "large.png", compress_level=1)
    bundle = ROOT / "bundles" / "unet_industrial"
    words = [sys.executable, "-c", MONAI_AND_PEAK, "run", "--config_file", str(bundle / "configs" / "inference.json")]
    words += ["--bundle_root", str(bundle), "--dataset_dir", str(tmp_path / "large.png"), "--device", "cpu"]
    words += ["--output_dir", str(tmp_path / "out")]
    run = subprocess.run(words, check=True, capture_output=True, timeout=600, text=True)
    assert 0.5 * stated * 1e9 < peak_of(run) < stated * 1e9


def peak_of(run):
    """Bytes."""
    return 1024 * int(re.search(r"peak (\d+)", run.stdout)[1])


def peak_of_an_inspection(folder, side, *options):
    """Bytes, with two pictures of this size, one after the other."""
    disc = np.hypot(*np.mgrid[-128:128, -128:128]) < 60
    surface = np.tile(np.where(disc, 200, 40).astype(np.uint8), (side // 256, side // 256))
    (folder / "in").mkdir(parents=True)
    for name in "ab":
        Image.fromarray(surface).save(folder / "in" / f"{name}.png", compress_level=1)
    torch.save({"weight": torch.full((1, 1, 1, 1), 20.0), "bias": torch.tensor([-4.0])}, folder / "model.pt")
    bundle = ROOT / "bundles" / "unet_industrial"
    words = [sys.executable, "-c", MONAI_AND_PEAK, "run", "--config_file", str(bundle / "configs" / "inference.json")]
    words += ["--bundle_root", str(bundle), "--dataset_dir", str(folder / "in"), "--output_dir", str(folder / "out")]
    words += ["--checkpoint", str(folder / "model.pt"), "--channels", "1", "--threshold", "0.5", "--min_area", "1"]
    words += ["--device", "cpu", "--engine", "eager"]
    words += ["--network_def", str(POINTWISE), *options]  # what a network takes does not grow with the picture
    # Else glibc keeps some freed blocks of up to 32 MB, which of the smaller picture are more than of the large one.
    settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1000000"}
    run = subprocess.run(words, check=True, capture_output=True, timeout=600, text=True, env=settings)
    with (folder / "out" / "findings.csv").open() as file:
        assert sum(row["decision"] == "NG" for row in csv.DictReader(file)) == 2 * (side // 256) ** 2  # a row per disc
    return peak_of(run)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_an_inspection_takes_few_bytes_per_pixel(tmp_path):
    sides = (SIDE // 2, SIDE)
    small, large = (peak_of_an_inspection(tmp_path / str(side), side) for side in sides)
    slope = (large - small) / (sides[1] ** 2 - sides[0] ** 2)
    assert 4 < round(slope, 1) <= BYTES_PER_PIXEL  # less than probabilities take was not measured
