import json
import time

import pytest
import torch
from monai.bundle import ConfigParser
from running import ROOT

from shared.bench import bench, format_bench
from shared.bench.timing import PeakMemory, measure, summarise
from shared.errors import UserError

BUNDLE = ROOT / "bundles" / "unet_dsb"


def test_percentiles_are_those_of_the_times_themselves():
    row = summarise([0.010 * n for n in range(1, 102)], pictures=4)
    assert row["latency_ms_mean"] == pytest.approx(510)
    assert (row["latency_ms_p50"], row["latency_ms_p90"], row["latency_ms_p99"]) == pytest.approx((510, 910, 1000))
    assert row["pictures_per_second"] == pytest.approx(4 / 0.51)


def test_warm_up_is_left_out_and_variants_take_turns():
    order = []
    steps = {name: (lambda name=name: order.append(name)) for name in "ab"}
    found = measure(steps, torch.device("cpu"), warmup=2, repeats=3)
    assert order == list("ab" * 5)
    assert [len(found[name]["seconds"]) for name in "ab"] == [3, 3]


def test_the_peak_is_seen_even_if_it_is_given_back():
    with PeakMemory(torch.device("cpu")) as before:
        pass
    with PeakMemory(torch.device("cpu")) as during:
        held = torch.ones(50_000_000)
        time.sleep(0.05)
        del held
    assert during.peak - before.peak > 150e6


@pytest.mark.parametrize("mode", ["train", "infer"])
def test_a_bundle_is_measured_beside_float32(mode, tmp_path):
    target = tmp_path / "out.json"
    result = bench(BUNDLE, mode, batch_size=2, size=(32, 48), amp=True, device="cpu", warmup=0, steps=2, output=target)
    assert json.loads(target.read_text()) == result
    assert list(result["variants"]) == ["fp32 eager", "amp True, channels last"]
    assert "ratio" in format_bench(result)
    if mode == "infer":
        assert result["mean_difference"] <= 0.005
        assert 0 < result["mean_difference"]


def test_the_same_network_twice_gives_the_same():
    options = {"batch_size": 2, "size": (32, 48), "amp": False, "device": "cpu", "warmup": 0, "steps": 1}
    result = bench(BUNDLE, "infer", **options)
    assert result["mean_difference"] < 1e-6


def test_an_engine_is_measured_beside_float32():
    result = bench(BUNDLE, "infer", batch_size=2, size=(32, 48), engine="auto", device="cpu", warmup=0, steps=2)
    assert list(result["variants"]) == ["fp32 eager", "amp auto, auto"]
    assert result["mean_difference"] <= 0.005


def test_masks_that_are_all_empty_do_not_agree(tmp_path):
    nothing = tmp_path / "nothing.pt"
    parser = ConfigParser()
    parser.read_config(str(BUNDLE / "configs" / "train.json"))
    weights = parser.get_parsed_content("network_def").state_dict()
    last = [name for name in weights if name.endswith("bias")][-1]
    weights[last] = weights[last] - 100  # far below one half everywhere
    torch.save(weights, nothing)
    options = {"batch_size": 1, "size": (32, 32), "device": "cpu", "warmup": 0, "steps": 1}
    result = bench(BUNDLE, "infer", checkpoint=nothing, output=tmp_path / "out.json", **options)
    assert result["dice_of_masks"] is None and json.loads((tmp_path / "out.json").read_text()) == result
    assert "no masks to compare, mean |dp| " in format_bench(result)


@pytest.mark.parametrize(
    ("bundle", "overlays", "size"),
    [
        ("unet_industrial", ["reference"], (32, 64)),
        ("unet_dsb", ["reference", "reference_deep_supervision"], (32, 48)),
        ("unet3d_brats", ["class_loss"], (64, 64, 32)),  # labels instead of masks
    ],
)
def test_networks_of_other_recipes_are_measured(bundle, overlays, size):
    options = {"batch_size": 2, "amp": False, "device": "cpu", "warmup": 0, "steps": 1}
    result = bench(ROOT / "bundles" / bundle, "train", size=size, overlays=overlays, **options)
    assert result["overlays"] == overlays
    assert format_bench(result).startswith(f"{bundle}, {', '.join(overlays)} train, batches of 2 x ")


def test_volumes_are_measured_as_pictures_are():
    volumes = ROOT / "bundles" / "unet3d_brats"
    result = bench(volumes, "train", batch_size=1, size=(64, 64, 32), amp=False, device="cpu", warmup=0, steps=1)
    assert result["size"] == [64, 64, 32]
    with pytest.raises(UserError, match="size: 96x96 will not do; the network of .*unet3d_brats takes 3 sides"):
        bench(volumes, "infer", device="cpu")


def test_the_loader_is_measured_on_real_files(nuclei):
    result = bench(BUNDLE, "data", batch_size=2, device="cpu", warmup=0, steps=6, dataset_dir=nuclei)
    assert list(result["variants"]) == ["loader"]
    assert result["size"] is None and "batches of 2;" in format_bench(result)
    with pytest.raises(UserError, match="batch_size: an epoch of .* has fewer than 99 pictures"):
        bench(BUNDLE, "data", batch_size=99, device="cpu", warmup=0, steps=1, dataset_dir=nuclei)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "fly"}, "mode: 'fly' is none of train, infer, data, case"),
        ({"mode": "data"}, "dataset_dir: the mode data reads real data"),
        ({"mode": "infer", "steps": 0}, "take whole numbers of 1 or more"),
        ({"mode": "infer", "engine": "onnx"}, "engine: 'onnx' is none of auto, eager, compile, openvino"),
        ({"mode": "train", "engine": "openvino"}, "engine: openvino is for the modes infer and case; the mode"),
        ({"mode": "train", "dataset_dir": "in"}, "dataset_dir: the mode train draws its own batches; leave that out"),
        (
            {"mode": "data", "size": (64, 64), "checkpoint": "a.pt"},
            "size, checkpoint: the mode data reads crops of the configuration's patch_size, and runs no network",
        ),
        ({"mode": "infer", "overlays": ["none_such"]}, "overlay: none_such is neither a file nor one in .*configs"),
        ({"mode": "infer", "bundle": "nowhere"}, "bundle: nowhere has no configs/train.json"),
        ({"mode": "infer", "device": "gpu"}, "device: gpu cannot be used .*; try --device cpu"),
        ({"mode": "infer", "device": "meta"}, "device: meta is neither cpu nor cuda"),
        ({"mode": "infer", "output": ROOT}, "output: .* is a folder; name a file"),
        (
            {"mode": "train", "device": "cpu", "bundle": ROOT / "bundles" / "unet_industrial", "size": (33, 64)},
            r"size: the network fails on 33x64 \(.*\); its sides are 64\*n x 64\*n",
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UserError, match=message):
        bench(**{"bundle": BUNDLE} | options)
