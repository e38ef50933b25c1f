"""Training and inference ask nothing of any network, and neither do the packages that they import."""

import os

import pytest
from running import FEATURES, ROOT, save_weights
from starting import Command

from shared.inferers.openvino_engine import openvino_is_there
from shared.networks import UNet

# In front of the command line: each attempt of Python's is noted and refused, and where the system lets a process
# leave all networks, libraries that do not ask Python have none either.
FORBIDDEN = """
import ctypes, runpy, sys

attempts = sys.argv.pop(1)

def forbid(event, arguments):
    asks = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto")
    if asks or (event == "socket.connect" and isinstance(arguments[1], tuple)):  # a text is a file of this machine
        with open(attempts, "a") as file:
            print(event, arguments[1:], file=file)
        raise OSError("no network")

sys.addaudithook(forbid)
if sys.platform == "linux":
    ctypes.CDLL(None).unshare(0x40000000)  # CLONE_NEWNET
"""
COMMAND_LINE = FORBIDDEN + 'runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)\n'


def test_the_guard_sees_an_attempt(tmp_path):
    asked = "import socket\nsocket.create_connection(('localhost', 9))"
    command = Command("-c", FORBIDDEN + asked, tmp_path / "attempts")
    assert "no network" in command.communicate()[1]
    assert (tmp_path / "attempts").read_text().startswith("socket.getaddrinfo")


@pytest.mark.parametrize("doing", ["training", "inference"])
def test_no_network_is_asked_for(nuclei, nuclei_raw, tmp_path, doing):
    bundle = ROOT / "bundles" / "unet_dsb"
    words = ["--bundle_root", bundle, "--output_dir", tmp_path / "out", "--device", "cpu"]
    words += ["--network_def::features", FEATURES]
    if doing == "training":
        config, more = "train", ["--dataset_dir", nuclei, "--epochs", 1, "--epoch_length", 1, "--batch_size", 2]
    else:
        save_weights("unet_dsb", UNet(3, 2, FEATURES), tmp_path / "model.pt")
        picture = next(nuclei_raw.glob("*/images/*.png"))
        engine = "openvino" if openvino_is_there() else "eager"
        config, more = (
            "inference",
            ["--dataset_dir", picture, "--checkpoint", tmp_path / "model.pt", "--engine", engine],
        )
    run = ["run", *(["training"] if doing == "training" else [])]
    run += ["--config_file", bundle / "configs" / f"{config}.json", *words, *more]
    home = {"HOME": str(tmp_path), "SEGMENTATION_BUNDLES_CACHE": str(tmp_path / "cache")}
    command = Command("-c", COMMAND_LINE, tmp_path / "attempts", *run, env=os.environ | home)
    _, err = command.communicate()
    assert command.returncode == 0, err[-3000:]
    assert not (tmp_path / "attempts").exists(), (tmp_path / "attempts").read_text()
    assert len(list((tmp_path / "out").iterdir())) > 1
