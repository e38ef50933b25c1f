from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from shared.errors import UserError
from shared.runs import resources

NETWORK = torch.nn.Linear(1000, 1000, bias=False)  # 4 MB, so 48 MB for four states of three tensors each


@pytest.fixture
def cases(tmp_path):
    Image.fromarray(np.zeros((100, 250), np.uint8)).save(tmp_path / "a.png")
    return [{"image": str(tmp_path / "a.png")}] * 40  # a million pixels: 16 MB with three channels and a label


@pytest.fixture
def machine(monkeypatch):
    def has(memory, disk):
        monkeypatch.setattr(resources, "free_memory", lambda: memory)
        monkeypatch.setattr(resources.shutil, "disk_usage", lambda _: SimpleNamespace(free=disk))

    return has


def test_just_enough_passes(tmp_path, cases, machine):
    machine(16_000_000, 48_000_000)
    resources.check_resources(tmp_path, NETWORK, cases, channels=3)


def test_too_little_memory_names_the_knob_and_a_value_that_fits(tmp_path, cases, machine):
    machine(15_900_000, 48_000_000)
    with pytest.raises(UserError, match="caching 40 cases takes 0.0 GB .* take --cache_rate 0.99 or less"):
        resources.check_resources(tmp_path, NETWORK, cases, channels=3)
    resources.check_resources(tmp_path, NETWORK, cases, channels=3, cache_rate=0.99)
    resources.check_resources(tmp_path, NETWORK, cases, channels=1)


def test_too_little_disk_is_told_with_numbers(tmp_path, cases, machine):
    machine(16_000_000, 47_000_000)
    with pytest.raises(UserError, match=r"output_dir: checkpoints take 0.05 GB, the disk of .* has 0.05 GB free"):
        resources.check_resources(tmp_path, NETWORK, cases, channels=3)


def test_a_very_large_picture_is_counted_and_not_opened(tmp_path, machine):
    Image.fromarray(np.zeros((14000, 14000), np.uint8)).save(tmp_path / "large.png", compress_level=1)
    machine(3_135_000_000, 48_000_000)
    with pytest.raises(UserError, match="caching 1 cases takes 3.1 GB"):
        resources.check_resources(tmp_path, NETWORK, [{"image": str(tmp_path / "large.png")}], channels=3)


def test_a_sample_counts_for_all(tmp_path, machine):
    machine(16_000_000, 48_000_000)
    image, label = torch.zeros(100_000, dtype=torch.float16), torch.zeros(200_000, dtype=torch.uint8)
    sample = {"id": "a", "image": image, "label": label}
    resources.check_resources(tmp_path, NETWORK, [{}] * 40, sample=sample)
    with pytest.raises(UserError, match="caching 41 cases"):
        resources.check_resources(tmp_path, NETWORK, [{}] * 41, sample=sample)
