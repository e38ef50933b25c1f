import zipfile

import pytest
import torch

from shared.errors import UserError
from shared.runs import load_checkpoint, load_pretrained


def test_weights(tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    with pytest.raises(UserError, match=r"checkpoint: .*none.pt does not exist"):
        load_checkpoint(tmp_path / "none.pt", network)

    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match=r"broken.pt is no readable checkpoint .*; name a model.pt"):
        load_checkpoint(tmp_path / "broken.pt", network)

    torch.save(torch.nn.Linear(5, 2).state_dict(), tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other.pt belongs to another network; .*size mismatch for weight"):
        load_checkpoint(tmp_path / "other.pt", network)

    half = {name: value.half() for name, value in torch.nn.Linear(3, 2).state_dict().items()}
    torch.save({"model": half}, tmp_path / "good.pt")
    load_checkpoint(tmp_path / "good.pt", network)
    assert network.weight.dtype == torch.float32
    assert torch.equal(network.weight, half["weight"].float())


@pytest.mark.parametrize("content", [b"", b"some text", b"\x80\x04."])
def test_files_of_another_kind(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"pretrained: .*x.pt is no readable checkpoint"):
        load_pretrained(tmp_path / "x.pt", torch.nn.Linear(3, 2))


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, [torch.zeros(1)], {0: torch.zeros(1)}])
def test_files_without_weights(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"checkpoint: .*x.pt holds no weights of a network"):
        load_checkpoint(tmp_path / "x.pt", torch.nn.Linear(3, 2))


def test_pretrained_takes_what_fits_and_names_the_rest(tmp_path, caplog):
    caplog.set_level("INFO")
    torch.manual_seed(0)
    source, target = layers(3, 2), layers(5, 2)
    torch.save(source.state_dict(), tmp_path / "x.pt")
    load_pretrained(tmp_path / "x.pt", target)
    assert torch.equal(target[2].weight, source[2].weight)
    assert "pretrained: 7 of 8 tensors taken" in caplog.text
    assert "pretrained: not taken: 0.weight" in caplog.text
    with pytest.raises(UserError, match="nothing in .*x.pt fits the network"):  # but for how often a norm was updated
        load_pretrained(tmp_path / "x.pt", layers(7, 5))


def layers(first, second):
    parts = torch.nn.Linear(first, second), torch.nn.BatchNorm1d(second), torch.nn.Linear(second, 4, bias=False)
    return torch.nn.Sequential(*parts)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (torch.ones(1, 1, dtype=torch.complex64), "its weight is of the type torch.complex64"),
        (torch.ones(1, 1).to_sparse(), "its weight is of the type torch.sparse_coo"),
        (torch.ones(1).expand(2**40, 2**10), "its weight is larger than what is stored"),
    ],
)
@pytest.mark.parametrize("load", [load_checkpoint, load_pretrained])
def test_weights_are_plain_numbers_that_are_in_the_file(tmp_path, load, value, wrong):
    torch.save({"weight": value}, tmp_path / "model.pt")
    with pytest.raises(UserError, match=f"model.pt is damaged, {wrong}"):
        load(tmp_path / "model.pt", torch.nn.Linear(1, 1))


def test_weights_are_not_unpacked(tmp_path):
    torch.save({"weight": torch.zeros(2**20)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(tmp_path / "model.pt", "w") as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"model.pt is no readable checkpoint \(packed, as PyTorch packs nothing"):
        load_checkpoint(tmp_path / "model.pt", torch.nn.Linear(1, 1))
