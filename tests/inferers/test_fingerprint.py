import copy
import importlib
import sys

import pytest
import torch

from shared.inferers.fingerprint import fingerprint


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LeakyReLU(0.1))


def test_equal_networks_have_one_whatever_their_layout_in_memory():
    assert fingerprint(network()) == fingerprint(network())
    assert fingerprint(network()) == fingerprint(network().to(memory_format=torch.channels_last))


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n[0].weight.data[0, 0, 0, 0].add_(1e-6),
        lambda n: n[0].weight.detach().numpy().__imul__(-1),
        lambda n: n[0].weight.data.copy_(n[0].weight.data.flip(0)),
        lambda n: n[1].running_var.mul_(2),
        lambda n: setattr(n[2], "negative_slope", 0.2),
        lambda n: setattr(n[0], "stride", (2, 2)),
        lambda n: n.double(),
        lambda n: setattr(n, "_scale", 2),
        lambda n: n[1].bias.data.neg_(),  # from 0 to -0, another number to the eye of a bit
        lambda n: n.append(torch.nn.ReLU()),
        lambda n: n.eval(),
    ],
)
def test_each_change_makes_another(change):
    changed = network()
    before = fingerprint(changed)
    change(changed)
    after = fingerprint(changed)
    assert after != before
    assert after == fingerprint(copy.deepcopy(changed))  # which has no last time


def test_edited_code_makes_another(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for factor in (1, 2, 1):
        text = f"import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return {factor} * x\n"
        (tmp_path / "edited_network.py").write_text(text)
        sys.modules.pop("edited_network", None)
        importlib.invalidate_caches()
        found.append(fingerprint(importlib.import_module("edited_network").Net()))
    sys.modules.pop("edited_network")
    assert found[0] == found[2] != found[1]
