import json
import re
import runpy
import shlex
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from running import FEATURES, ROOT, copy_bundle, save_weights

from shared.cli import main
from shared.deploy import export_onnx, half_precision
from shared.errors import UserError
from shared.networks import SubpixelUNet


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A bundle of a small network with weights drawn at random, in half precision."""
    folder = tmp_path_factory.mktemp("export")
    bundle = copy_bundle("unet_dsb", folder)
    (bundle / "models").mkdir()
    torch.manual_seed(0)
    save_half(bundle)
    return folder


@pytest.fixture(scope="module")
def exported(place):
    """Its ONNX file, written by the command."""
    file = place / "nuclei.onnx"
    assert main(["export", str(place / "unet_dsb"), "--output", str(file), "--check"]) == 0
    return file


@pytest.fixture
def as_exported(exported, monkeypatch):
    """Takes the conversion from the file, which is quicker than another."""
    monkeypatch.setattr(sys.modules["shared.deploy.export"], "_converted", lambda *_: onnx.load(exported))


def save_half(bundle):
    network = network_of(bundle)
    save_weights(bundle.name, network, bundle / "models" / "model.pt", half_precision(network))


def network_of(bundle, checkpoint=None):
    parser = ConfigParser(json.loads((bundle / "configs" / "inference.json").read_text()))
    network = parser.get_parsed_content("network_def").eval()
    if checkpoint:
        network.load_state_dict(torch.load(checkpoint, weights_only=True))
    return network


def test_any_batch_and_size_gives_what_the_network_gives(place, exported):
    network = network_of(place / "unet_dsb", place / "unet_dsb" / "models" / "model.pt")
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 16, 48), (4, 3, 112, 80), (2, 3, 64, 96)):
        x = torch.rand(shape)
        (found,) = session.run(["pred"], {"image": x.numpy()})
        with torch.inference_mode():
            assert np.allclose(found, network(x).numpy(), atol=1e-5)
    assert {file.name for file in place.iterdir()} == {"unet_dsb", "nuclei.onnx"}  # the weights are in it


@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_monai_s_own_command_gives_any_batch_and_size_too(place, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "deploy.md").read_text()
    (command,) = re.findall(r"^python -m (monai.bundle onnx_export .*)$", page, flags=re.MULTILINE)
    bundle, file = place / "unet_dsb", tmp_path / "model.onnx"
    monkeypatch.chdir(bundle)
    monkeypatch.setattr(sys, "argv", [str(file) if word == file.name else word for word in shlex.split(command)])
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    network, session = network_of(bundle, bundle / "models" / "model.pt"), onnxruntime.InferenceSession(file)
    for shape in ((1, 3, 32, 64), (4, 3, 96, 32)):
        x = torch.rand(shape)
        (found,) = session.run(["pred"], {"image": x.numpy()})
        with torch.inference_mode():
            assert np.allclose(found, network(x).numpy(), atol=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx"}  # the weights are in it


def test_the_file_says_whose_it_is_and_not_where_it_was_made(place, exported):
    content = exported.read_bytes()
    for path in (str(ROOT), str(place), "site-packages"):
        assert path.encode() not in content
    model = onnx.load(exported)
    (image,) = model.graph.input
    assert image.name == "image"
    assert [axis.dim_param or axis.dim_value for axis in image.type.tensor_type.shape.dim] == [
        *("batch", 3, "width", "height"),  # as the bundle's reader gives pictures
    ]
    version = json.loads((place / "unet_dsb" / "configs" / "metadata.json").read_text())["version"]
    assert {p.key: p.value for p in model.metadata_props} == {"bundle": "unet_dsb", "version": version}


@pytest.mark.usefixtures("as_exported")
def test_pictures_are_compared_as_inference_prepares_and_cuts_them(place, tmp_path):
    pictures = tmp_path / "in"
    pictures.mkdir()
    generator = np.random.default_rng(0)
    for name, size in {"a.png": (37, 91), "b.tif": (64, 1)}.items():
        Image.fromarray(generator.integers(0, 255, size, dtype=np.uint8)).save(pictures / name)
    told = export_onnx(place / "unet_dsb", tmp_path / "a.onnx", check=True, pictures=pictures)
    assert f"2 pictures of {pictures}: Dice of the masks 1.0000" in told
    assert {file.name for file in tmp_path.iterdir()} == {"in", "a.onnx"}
    (pictures / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    with pytest.raises(UserError, match="pictures: .*c.png"):
        export_onnx(place / "unet_dsb", tmp_path / "b.onnx", check=True, pictures=pictures)


def test_pictures_whose_normalisation_was_put_off_are_compared(tmp_path):
    bundle = copy_bundle("unet_industrial", tmp_path)
    (bundle / "models").mkdir()
    torch.manual_seed(0)
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    config["network_def"]["prior"] = 0.5  # so that there is something in the masks
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    save_half(bundle)
    (tmp_path / "in").mkdir()
    surface = np.random.default_rng(0).integers(0, 255, (40, 53), dtype=np.uint8)
    Image.fromarray(surface).save(tmp_path / "in" / "a.png")
    told = export_onnx(bundle, tmp_path / "a.onnx", check=True, pictures=tmp_path / "in")
    assert f"1 pictures of {tmp_path / 'in'}: Dice of the masks 1.0000" in told


def test_a_network_that_divides_further_is_traced_with_sides_that_it_divides(tmp_path):
    torch.manual_seed(0)
    network = SubpixelUNet(1, 1, FEATURES, downscale=4).eval()
    save_weights("unet_industrial", network, tmp_path / "model.pt")
    bundle = ROOT / "bundles" / "unet_industrial"
    told = export_onnx(bundle, tmp_path / "a.onnx", check=True, checkpoint=tmp_path / "model.pt")
    assert "for sides of 64*n x 64*n" in told
    x = torch.rand(1, 1, 64, 192)
    (found,) = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(["pred"], {"image": x.numpy()})
    with torch.inference_mode():
        assert np.allclose(found, network(x).numpy(), atol=1e-5)


def test_volumes_are_compared(tmp_path):
    bundle = copy_bundle("unet3d_brats", tmp_path)
    (bundle / "models").mkdir()
    torch.manual_seed(0)
    save_half(bundle)
    told = export_onnx(bundle, tmp_path / "a.onnx", check=True)
    assert "image (batch, 4, width, height, depth) -> pred" in told
    assert "6 generated pictures: Dice of the masks 1.0000" in told


def test_the_network_of_an_overlay(place, tmp_path):
    parser = ConfigParser()
    narrow = tmp_path / "narrow.json"
    narrow.write_text(json.dumps({"network_def::features": [4, 4, 8, 8, 8]}))
    overlays = [str(ROOT / "bundles" / "unet_dsb" / "configs" / "reference_inference.json"), str(narrow)]
    parser.read_config([str(place / "unet_dsb" / "configs" / "inference.json"), *overlays])
    network = parser.get_parsed_content("network_def").eval()
    save_weights("unet_dsb", network, tmp_path / "model.pt", recipe="unet_dsb/reference_inference")
    words = ["--output", str(tmp_path / "a.onnx"), "--checkpoint", str(tmp_path / "model.pt")]
    assert main(["export", str(place / "unet_dsb"), *words, "--overlay", f"reference_inference,{narrow}"]) == 0
    x = torch.rand(1, 3, 64, 96)
    (found,) = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(["pred"], {"image": x.numpy()})
    with torch.inference_mode():
        assert found.shape[1] == 1 and np.allclose(found, network(x).numpy(), atol=1e-5)
    assert not onnx.load(tmp_path / "a.onnx").metadata_props[1:]  # weights of one's own are no version of the bundle


def test_the_weights_of_an_overlay(place, tmp_path, monkeypatch):
    network, taken = network_of(place / "unet_dsb"), []
    save_weights("unet_dsb", network, tmp_path / "other.pt")
    (tmp_path / "mine.json").write_text(json.dumps({"checkpoint": str(tmp_path / "other.pt")}))
    (tmp_path / "none.json").write_text(json.dumps({"checkpoint": "nowhere.pt"}))

    def stop(network, example):
        taken.append(network)
        raise InterruptedError

    monkeypatch.setattr(sys.modules["shared.deploy.export"], "_converted", stop)
    for options in ({"overlays": ["mine"]}, {"overlays": ["none"], "checkpoint": tmp_path / "other.pt"}):
        files = [str(tmp_path / f"{name}.json") for name in options["overlays"]]
        with pytest.raises(InterruptedError):
            export_onnx(place / "unet_dsb", tmp_path / "a.onnx", **options | {"overlays": files})
        found = taken.pop().state_dict()
        assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


@pytest.mark.usefixtures("as_exported")
def test_a_file_that_computes_something_else_is_not_written(place, tmp_path, capsys):
    save_weights("unet_dsb", network_of(place / "unet_dsb"), tmp_path / "other.pt")
    words = ["--output", str(tmp_path / "a.onnx"), "--checkpoint", str(tmp_path / "other.pt"), "--check"]
    assert main(["export", str(place / "unet_dsb"), *words]) == 1
    assert "error: output: ONNX Runtime differs from PyTorch on 6 generated pictures: Dice" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"other.pt"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"bundle": "nowhere"}, "bundle: nowhere has no configs/inference.json"),
        ({"output": "there.onnx"}, "output: .*there.onnx exists; name another file"),
        ({"checkpoint": "nowhere.pt"}, "checkpoint: nowhere.pt does not exist"),
        ({"knobs": {"channels": 1}}, "was trained with channels 3, not 1; leave --channels out"),
        ({"knobs": {"chanels": 1}}, "chanels: the bundle unet_dsb has no such knob"),
        ({"overlays": ["reference_inferense"]}, "overlay: reference_inferense is neither a file nor one in"),
        (
            {"overlays": ["elsewhere/reference_inference.json"]},
            "overlay: elsewhere/.*json is neither a file",
        ),
        ({"overlays": ["tta"]}, "overlay: tta applies the network several times, the file holds it once; leave that"),
        ({"overlays": ["ensemble"]}, "overlay: ensemble applies the network several times"),
        ({"pictures": "nowhere"}, "pictures: dataset_dir: nowhere does not exist"),
    ],
)
def test_a_mistake_is_told_before_the_conversion(place, tmp_path, monkeypatch, words, message):
    (tmp_path / "there.onnx").touch()
    monkeypatch.delattr(sys.modules["shared.deploy.export"], "_converted")
    options = {"bundle": place / "unet_dsb"} | words | {"output": tmp_path / words.get("output", "a.onnx")}
    with pytest.raises(UserError, match=message):
        export_onnx(**options)


def test_packages_that_are_not_installed_are_named(place, tmp_path, monkeypatch):
    for package in ("onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        UserError, match="export: onnxscript not installed, of the extra onnx; run pip install onnxscript$"
    ):
        export_onnx(place / "unet_dsb", tmp_path / "a.onnx")
    with pytest.raises(UserError, match="onnxscript, onnxruntime not installed"):
        export_onnx(place / "unet_dsb", tmp_path / "a.onnx", check=True)


def test_pictures_without_a_comparison_are_a_wrong_command_line(capsys):
    assert main(["export", "unet_dsb", "--output", "a.onnx", "--pictures", "x"]) == 2
    assert "--pictures goes with --check" in capsys.readouterr().err
