import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from running import DATA, ROOT, copy_bundle, save_weights

import shared.bench.bundle
import shared.inferers.engine
from shared import networks
from shared.bench import bench, format_bench
from shared.bench.cases import case_steps
from shared.bundle_config import read_bundle
from shared.cli import main
from shared.errors import UserError
from shared.inferers.openvino_engine import OpenVINOEngine, openvino_is_there

NETWORKS = {"unet_dsb": "UNet", "unet_industrial": "EncoderUNet", "unet3d_brats": "UNet3D"}
FLIPS = {"unet_dsb": 4, "unet_industrial": 4, "unet3d_brats": 8}
SHORT = {"amp": False, "device": "cpu", "warmup": 0}


@pytest.fixture(scope="module", params=DATA)
def small(request, tmp_path_factory):
    """A bundle with a small network and weights of its own, and cases of whichever kind it takes."""
    folder = tmp_path_factory.mktemp("bundle")
    bundle = copy_bundle(request.param, folder)
    if request.param == "unet3d_brats":
        file = bundle / "configs" / "inference.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"patch_size": [32, 32, 32]}))
    (bundle / "models").mkdir()
    network = read_bundle(bundle, "inference.json").get_parsed_content("network_def")
    save_weights(request.param, network, bundle / "models" / "model.pt")
    return bundle, request.getfixturevalue(DATA[request.param]).parent / "raw"


@pytest.fixture
def pictures(tmp_path):
    """Three pictures whose windows have two size classes, and an order of their names."""
    (tmp_path / "in").mkdir()
    for name, size in {"a": (16, 32), "b": (60, 64), "c": (9, 20)}.items():
        grey = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
        Image.fromarray(grey).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def state_of(folder):
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_whole_cases_are_measured_and_nothing_is_written(small, tmp_path, monkeypatch):
    bundle, data = small
    monkeypatch.chdir(tmp_path)
    before = state_of(data), state_of(bundle)
    result = bench(bundle, "case", dataset_dir=data, steps=2, output="out.json", **SHORT)
    assert (state_of(data), state_of(bundle)) == before
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]
    assert json.loads((tmp_path / "out.json").read_text()) == result
    assert list(result["variants"]) == ["fp32 eager", "amp False, channels last"]
    assert (result["cases"], result["batch_size"], result["size"]) == (2, 1, None)
    assert result["mean_difference"] < 1e-6
    assert format_bench(result).startswith(f"{bundle.name} case, 2 in turn; ")


def test_flips_call_the_network_once_for_each(small, monkeypatch):
    bundle, data = small
    kind, calls = getattr(networks, NETWORKS[bundle.name]), []
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, x: (calls.append(x.device.type), forward(self, x))[1])
    numbers = []
    for overlays in ([], ["tta"]):
        calls.clear()
        result = bench(bundle, "case", dataset_dir=data, steps=1, overlays=overlays, **SHORT)
        numbers.append(calls.count("cpu"))  # a patch that is only tried is on the meta device
    assert numbers[1] == FLIPS[bundle.name] * numbers[0] > 0
    assert result["overlays"] == ["tta"]


def test_both_variants_segment_the_same_cases_in_turn_in_their_own_size(pictures):
    steps, found = case_steps(ROOT / "bundles" / "unet_dsb", pictures, torch.device("cpu"), rounds=9, amp=False)
    plain, fast = steps.values()
    assert found["cases"] == 3
    for size in [(16, 32), (60, 64), (9, 20), (16, 32)]:
        masks = [each()["pred"] for each in (plain, fast)]
        assert [tuple(mask.shape[-2:]) for mask in masks] == [size[::-1]] * 2  # width first, as MONAI reads
        assert torch.equal(*masks)


def test_no_more_cases_are_read_than_steps_need(pictures):
    (pictures / "c.png").write_bytes(b"no picture")
    result = bench(ROOT / "bundles" / "unet_dsb", "case", dataset_dir=pictures, steps=2, **SHORT)
    assert result["cases"] == 2


@pytest.mark.skipif(not openvino_is_there(), reason="pip install openvino")
def test_engines_for_all_sizes_are_made_before_the_clock_starts(pictures, monkeypatch):
    made, before = [], []

    def make(*arguments):
        made.append(arguments)
        return OpenVINOEngine(*arguments)

    def measure(*arguments):
        before.append(len(made))
        return real_measure(*arguments)

    real_measure = shared.bench.bundle.measure
    monkeypatch.setattr(shared.bench.bundle, "measure", measure)
    monkeypatch.setattr(shared.inferers.engine, "OpenVINOEngine", make)
    monkeypatch.setattr(shared.inferers.engine, "_recent", shared.inferers.engine._Recent())
    result = bench(ROOT / "bundles" / "unet_dsb", "case", dataset_dir=pictures, steps=3, engine="openvino", **SHORT)
    assert before == [len(made)] == [1]  # windows are padded to one size class
    assert list(result["variants"]) == ["fp32 eager", "amp False, openvino"]


def test_the_command_tells_of_a_case_that_cannot_be_read_in_one_line(small, tmp_path, capfd):
    bundle, data = small
    shutil.copytree(data, tmp_path / "in")
    bad = sorted(path for path in (tmp_path / "in").rglob("*") if path.is_file())[0]
    bad.write_bytes(bad.read_bytes()[:90])
    code = main(["bench", str(bundle), "--mode", "case", "--dataset_dir", str(tmp_path / "in"), "--device", "cpu"])
    error = capfd.readouterr().err
    assert code == 1
    assert error.startswith("error: dataset_dir: ") and bad.name in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "dataset_dir: the mode case reads whole cases; name a folder"),
        ({"dataset_dir": "nowhere"}, "dataset_dir: nowhere does not exist"),
        ({"dataset_dir": "empty"}, "dataset_dir: no picture .* in empty"),
        ({"batch_size": 2}, "batch_size: the mode case takes cases one by one"),
        ({"size": (96, 96)}, "size: the mode case takes cases one by one"),
        ({"dataset_dir": "in", "checkpoint": "none.pt"}, "checkpoint: none.pt does not exist"),
        ({"dataset_dir": "in", "overlays": ["ensemble"]}, "checkpoint: this overlay takes several; lay a file"),
        (
            {"dataset_dir": "in", "overlays": ["reference"]},
            "overlay: reference changes what inference.json does not have",
        ),
        ({"dataset_dir": "in", "overlays": ["none_such"]}, "overlay: none_such is neither a file nor one in .*configs"),
    ],
)
def test_wrong_options(options, message, pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    (pictures.parent / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        bench(ROOT / "bundles" / "unet_dsb", "case", steps=1, **SHORT | options)


@pytest.mark.parametrize("name", ["mine.json", "mine.yaml", "mine.txt"])
def test_an_overlay_that_cannot_be_read_is_named(tmp_path, name):
    (tmp_path / name).write_text('{"min_area": 3,\n}]')
    with pytest.raises(UserError, match=rf"{name}: not read as a configuration \(.+\); mend it, in JSON") as raised:
        read_bundle(ROOT / "bundles" / "unet_dsb", "inference.json", [str(tmp_path / name)])
    assert "\n" not in str(raised.value)


def test_an_ensemble_takes_its_weights_from_an_overlay(pictures, tmp_path):
    weights = str(ROOT / "bundles" / "unet_dsb" / "models" / "model.pt")
    (tmp_path / "two.json").write_text(json.dumps({"checkpoints": [weights, weights]}))
    overlays = ["ensemble", str(tmp_path / "two.json")]
    result = bench(ROOT / "bundles" / "unet_dsb", "case", dataset_dir=pictures, steps=1, overlays=overlays, **SHORT)
    assert result["mean_difference"] < 1e-6
