"""Weights tell their network and its use, and load everywhere as a plain state dict."""

import json
import logging

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser, ckpt_export, load
from monai.handlers import CheckpointLoader
from monai.networks.utils import copy_model_state
from running import FEATURES, ROOT

from shared.errors import UserError
from shared.networks import SubpixelUNet, TinyUNet, UNet
from shared.runs import Weights, check_weights, describe, load_networks
from shared.runs.checkpoint import read_state

FACTS = {"recipe": "inference", "channels": 3, "threshold": 0.25}


def save(path, network, **facts):
    torch.save(describe(network, network.state_dict(), FACTS | facts), path)
    return path


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SubpixelUNet(3, 1, FEATURES, downscale=4, prior=0.01).eval()


def test_a_file_alone_makes_its_network(tmp_path, network):
    weights = Weights(save(tmp_path / "mailed.pt", network), "inference")
    (made,) = load_networks(weights, TinyUNet())  # what the configuration has is not asked
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(made.eval()(x), network(x))
    assert (weights["channels"], weights["threshold"]) == (3, 0.25)
    load_networks(weights, TinyUNet(), {"channels": 3})
    check_weights(weights, {"threshold": 0.9})  # a threshold may be chosen otherwise


def test_everybody_else_sees_a_state_dict(tmp_path, network):
    file = save(tmp_path / "model.pt", network)
    plain = torch.load(file, weights_only=True)
    others = [SubpixelUNet(3, 1, FEATURES, downscale=4) for _ in range(4)]
    others[0].load_state_dict(plain)
    copy_model_state(others[1], plain)
    copy_model_state(others[2], {"model": plain}["model"])
    CheckpointLoader(str(file), {"model": others[3]}, map_location="cpu")(Engine(lambda engine, batch: None))
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(other.state_dict().values(), plain.values(), strict=True))


@pytest.mark.parametrize("bundle", ["unet_dsb", "unet_industrial", "unet3d_brats"])
def test_the_weights_shipped_tell_what_their_configurations_say(bundle):
    folder = ROOT / "bundles" / bundle
    weights = Weights(folder / "models" / "model.pt", f"{bundle}/inference")
    for name in ("train", "inference"):
        parser = ConfigParser(json.loads((folder / "configs" / f"{name}.json").read_text()))
        parser["bundle_root"] = str(folder)
        network = parser.get_parsed_content("network_def")
        network.load_state_dict(weights.states[0])
        assert str(network) == str(load_networks(weights, network)[0])
        for knob in parser["train::description"] if name == "train" else ("channels", "spacing", "threshold"):
            if knob in parser.get():
                assert parser.get_parsed_content(knob) == weights[knob], knob


@pytest.mark.parametrize("bundle", ["unet_dsb", "unet_industrial", "unet3d_brats"])
def test_monai_loads_and_exports_the_weights_shipped(bundle, tmp_path, monkeypatch):
    folder = ROOT / "bundles" / bundle
    monkeypatch.chdir(ROOT)
    state = torch.load(folder / "models" / "model.pt", weights_only=True)
    loaded = load(bundle, bundle_dir=str(folder.parent), source="monaihosting")
    assert all(torch.equal(value, state[name].to(value)) for name, value in loaded.state_dict().items())
    target = tmp_path / "model.ts"
    ckpt_export(
        "network_def",
        filepath=str(target),
        ckpt_file=str(folder / "models" / "model.pt"),
        meta_file=str(folder / "configs" / "metadata.json"),
        config_file=str(folder / "configs" / "inference.json"),
    )
    exported = torch.jit.load(target).state_dict()
    assert all(torch.equal(value, state[name].to(value)) for name, value in exported.items())


def test_weights_that_tell_nothing_need_options(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    plain = UNet(3, 1, FEATURES)
    torch.save(plain.state_dict(), tmp_path / "old.pt")
    weights = Weights(tmp_path / "old.pt", "inference")
    with pytest.raises(UserError, match=r"old.pt does not tell its channels, .*; give --channels as in its training"):
        weights["channels"]
    (made,) = load_networks(weights, UNet(3, 1, FEATURES), {"channels": 3})
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), plain.parameters(), strict=True))
    check_weights(weights)
    assert "only assumed, that" in caplog.text
    assert "so taken from the configuration: its network" in caplog.text
    with pytest.raises(UserError, match="belongs to another network"):
        load_networks(weights, UNet(1, 1, FEATURES))


def test_what_contradicts_is_refused(tmp_path, network):
    file = save(tmp_path / "a.pt", network)
    with pytest.raises(UserError, match=r"a.pt was trained with channels 3, not 1; leave --channels out"):
        load_networks(Weights(file, "inference"), network, {"channels": 1})
    with pytest.raises(UserError, match=r"threshold: 2 will not do"):
        check_weights(Weights(file, "inference"), {"threshold": 2})
    with pytest.raises(UserError, match=r"a.pt is for inference.json, not for reference_inference.json"):
        Weights(file, "reference_inference")
    several = Weights([file, save(tmp_path / "b.pt", network, threshold=0.5)], "inference")
    assert (several["channels"], len(load_networks(several, network))) == (3, 2)
    with pytest.raises(UserError, match=r"different values of threshold, \[0.25, 0.5\]; give --threshold"):
        several["threshold"]
    for nothing in ([], "", 3):
        with pytest.raises(UserError, match=r"checkpoint"):
            Weights(nothing, "inference")


@pytest.mark.parametrize(
    "definition",
    [
        {"network": "os.system"},
        {"network": ["UNet"]},
        {"network": "UNet", "features": [10**12] * 5},
        {"network": "UNet", "features": "x"},
        {"network": "UNet", "width": 3},
        {"network": "UNet", "in_channels": 1, "features": FEATURES},  # not that of the weights
        {"network": "UNet", "in_channels": 3, "features": FEATURES, "out_channels": 1, "channels": 1},
        [],
    ],
)
def test_a_damaged_or_hostile_description_is_one_clear_error(tmp_path, definition):
    network = UNet(3, 1, FEATURES)
    state = describe(network, network.state_dict(), FACTS)
    if "channels" in definition:  # which contradict the network
        state.description["channels"] = definition.pop("channels")
    state.description["definition"] = definition
    torch.save(state, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"x.pt does not fit together \("):
        load_networks(Weights(tmp_path / "x.pt", "inference"), network)


@pytest.mark.parametrize("kind", [torch.int32, torch.complex64])
def test_weights_of_another_type_are_refused(tmp_path, kind):
    network = UNet(3, 1, FEATURES)
    state = {name: value.to(kind) for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"x.pt is damaged, its .* is of the type torch\.(int32|complex64)"):
        load_networks(Weights(tmp_path / "x.pt", "inference"), network)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    network = UNet(3, 1, FEATURES)
    network.conv_0.conv_0.conv.weight.data[0, 0, 0, 0] = value
    with pytest.raises(UserError, match=r"x.pt is damaged, its conv_0.conv_0.conv.weight is not finite"):
        read_state("checkpoint", save(tmp_path / "x.pt", network))
