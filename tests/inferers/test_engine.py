"""Other engines give what torch gives, and never what another network gave."""

import copy
import logging
import os
import re
import sys

import numpy as np
import pytest
import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer
from monai.networks import nets
from PIL import Image
from running import FEATURES, SMALL, run_bundle, save_weights
from starting import Command
from torch.utils import _pytree as pytree

from shared.errors import UserError, message_behind
from shared.inferers import PrecisionInferer, TiledInferer, engine, openvino_engine, with_engine
from shared.networks import NestedUNet, SubpixelUNet, TinyUNet, UNet

pytestmark = pytest.mark.skipif(not openvino_engine.openvino_is_there(), reason="pip install openvino")
CPU = torch.device("cpu")


@pytest.fixture
def entries(tmp_path, monkeypatch):
    """An empty cache; what lists its entries."""
    monkeypatch.setenv("SEGMENTATION_BUNDLES_CACHE", str(tmp_path / "cache"))
    return lambda: sorted((tmp_path / "cache" / "openvino").glob("[!.]*"))


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """As a new process begins."""
    forget(monkeypatch)


def forget(monkeypatch):
    monkeypatch.setattr(engine, "_recent", engine._Recent())
    monkeypatch.setattr(engine, "_refused", set())


def small(seed=0):
    """A network that converts at once."""
    torch.manual_seed(seed)
    layers = torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.Conv2d(3, 1, 1)
    return torch.nn.Sequential(*layers).eval()


def fast(network, x, amp=False):
    return with_engine("openvino", network, CPU, amp)(x)


def same(a, b):
    return torch.allclose(a, b, atol=1e-5)


def structured(*shape):
    """Bright blobs on a dark ground with a little noise."""
    rows, columns = torch.arange(shape[2])[:, None], torch.arange(shape[3])[None]
    waves = torch.sin(rows / 5) * torch.cos(columns / 7)
    return (waves > 0.2).float() + 0.1 * torch.randn(shape) + torch.rand(shape[0], shape[1], 1, 1)


def decided(network):
    """Normalise what each layer gives and scale the last: half of the pixels foreground, certain as after training."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # of all that it has seen
    head = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        network.train()(structured(8, 3, 80, 96))
        logits = network.eval()(structured(2, 3, 80, 96))
        head.bias.sub_(logits.mean((0, 2, 3)))
        scale = 3 / logits.std((0, 2, 3))
        head.bias.mul_(scale)
        head.weight.mul_(scale[:, None, None, None])
    return network


# bfloat16 has no margins to spend in weights drawn at random; those shipped are compared in test_shipped_weights.py.
@pytest.mark.parametrize(("amp", "least_dice", "most_difference"), [(False, 0.998, 0.005), ("auto", 0.95, 0.04)])
@pytest.mark.parametrize("network", [UNet, TinyUNet, NestedUNet, lambda *a: NestedUNet(*a, deep_supervision=True)])
def test_masks_and_probabilities_agree_with_float32_at_odd_sizes_and_batches(
    network, amp, least_dice, most_difference, entries
):
    torch.manual_seed(0)
    network = decided(network(3, 1, FEATURES))
    exact, tested = (PrecisionInferer(SimpleInferer(), *a) for a in ((False, "eager"), (amp, "openvino")))
    for shape in ((3, 3, 53, 82), (2, 3, 21, 50)):
        x = structured(*shape)
        with torch.inference_mode():
            expected, found = torch.sigmoid(exact(x, network)), torch.sigmoid(tested(x, network))
        a, b = expected > 0.5, found > 0.5
        assert 0.2 < a.float().mean() < 0.8
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= least_dice
        assert (expected - found).abs().mean() <= most_difference
        assert found.dtype == torch.float32
    assert len(entries()) == 1  # both sizes leave the same rests


def test_a_side_that_meets_an_odd_one_at_the_fifth_halving_has_a_conversion_of_its_own(entries):
    torch.manual_seed(0)
    network = SubpixelUNet(1, 1, FEATURES).eval()
    for sides in ((48, 64), (64, 64)):
        x = torch.rand(1, 1, *sides)
        with torch.inference_mode():
            assert same(fast(network, x), network(x))
    assert len(entries()) == 2


MANY = {
    "downscale 4": lambda: SubpixelUNet(1, 1, FEATURES, downscale=4),
    "six levels": lambda: nets.UNet(2, 1, 1, (2, 2, 4, 4, 4, 4, 4), (2, 2, 2, 2, 2, 2)),
    "deep supervision": lambda: NestedUNet(1, 1, FEATURES, deep_supervision=True),
    "sides unlike": lambda: nets.DynUNet(
        2, 1, 1, [3] * 4, [1, (2, 1), 2, 2], [(2, 1), 2, 2], filters=[4] * 4, norm_name="batch"
    ),
    "no modulus": lambda: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(7), torch.nn.Upsample((64, 96)), small()),
}


@pytest.mark.parametrize("name", MANY)
def test_every_network_gives_what_torch_gives_whatever_was_computed_before(name, entries, monkeypatch):
    torch.manual_seed(0)
    network = MANY[name]().eval()
    fixed = name == "no modulus"  # one that computes one size only
    order = [(64, 96)] * 3 if fixed else [(192, 192), (160, 96), (192, 192), (30, 30)]
    for sizes in (order, order[::-1]):
        forget(monkeypatch)  # the second time from the disk
        for number, sides in enumerate(sizes):
            x = torch.rand(1 + number % 2, 1, *sides)
            with torch.inference_mode():
                results = [PrecisionInferer(TiledInferer(), False, e)(x, network) for e in ("eager", "openvino")]
            for expected, found in zip(*map(pytree.tree_leaves, results), strict=True):
                assert found.shape == (len(x), 1, *sides)
                assert torch.allclose(found, expected, atol=1e-4)


def test_an_output_of_another_size_is_never_handed_on(caplog):
    class Halved(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.avg_pool2d(x, 2)

    x = torch.rand(1, 1, 16, 16)
    with pytest.raises(UserError, match=r"the batch \(1, 1, 16, 16\) gave \(1, 1, 8, 8\)"):
        fast(Halved().eval(), x)
    with pytest.raises(ValueError, match="network must give the batch and the sides of its input"):
        PrecisionInferer(TiledInferer(), False, "auto")(x, Halved().eval())


def test_a_network_that_tracing_freezes_is_not_converted():
    class Frozen(torch.nn.Module):
        def forward(self, x):
            return x * float(x.shape[2] * len(x))

    with pytest.raises(UserError, match="OpenVINO computes something else than this network"):
        fast(Frozen().eval(), torch.rand(1, 1, 16, 16))
    x = torch.rand(3, 1, 16, 16)
    assert torch.equal(with_engine("auto", Frozen().eval(), CPU)(x), 48 * x)


def test_a_network_that_decides_by_the_numbers_is_not_converted():
    class Decides(torch.nn.Module):
        def forward(self, x):
            return x if x.mean() > 0 else 2 * x

    for x in (torch.ones(1, 1, 8, 8), -torch.ones(1, 1, 8, 8)):
        assert torch.equal(with_engine("auto", Decides().eval(), CPU)(x), Decides()(x))
    with pytest.raises(UserError, match="OpenVINO may compute something else than this network"):
        fast(Decides().eval(), torch.ones(1, 1, 8, 8))


def test_float32_is_exact_and_outputs_stay_nested():
    class Nested(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = small()

        def forward(self, x):
            y = self.body(x)
            return {"main": y, "aux": [y + 1, (2 * y,)]}

    network, x = Nested().eval(), torch.rand(2, 1, 9, 8)
    with torch.inference_mode():
        expected, found = network(x), PrecisionInferer(SimpleInferer(), False, "openvino")(x, network)
    assert list(found) == ["main", "aux"]
    assert isinstance(found["aux"][1], tuple)
    assert same(found["main"], expected["main"])
    assert same(found["aux"][0], expected["aux"][0])
    assert same(found["aux"][1][0], expected["aux"][1][0])


def test_windows_share_one_look_at_the_weights_and_results_do_not_share_memory(monkeypatch):
    looks, look = [], engine.fingerprint
    monkeypatch.setattr(engine, "fingerprint", lambda network: looks.append(1) or look(network))
    network, x = small(), torch.rand(1, 1, 40, 40)
    inferer = SlidingWindowInferer((16, 16), sw_batch_size=3, overlap=0.5)
    found = PrecisionInferer(inferer, False, "openvino")(x, network)
    assert len(looks) == 1
    assert same(found, inferer(x, network))


def test_changed_weights_are_never_answered_by_the_old_engine(entries):
    network, x = small(), torch.rand(1, 1, 16, 16)
    first, before = copy.deepcopy(network), fast(network, x)
    assert same(before, first(x))
    network[0].weight.data.neg_()  # no version of a tensor counts this
    assert same(fast(network, x), network(x))
    assert not same(fast(network, x), before)
    network.load_state_dict(small(seed=1).state_dict())
    assert same(fast(network, x), small(seed=1)(x))
    network[1].running_mean += 1
    assert same(fast(network, x), network(x))
    assert len(entries()) == 4

    # The weights as they were, in another object: the first engine, untouched by what became of its network.
    assert torch.equal(fast(first, x), before)
    assert len(entries()) == 4


def test_a_second_process_uses_the_cache_and_reports_to_nobody(entries, tmp_path):
    x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(5))
    found = fast(small(), x)
    program = (
        "import logging, torch; logging.basicConfig(level='INFO'); from shared.inferers import with_engine;"
        "torch.manual_seed(0); n = torch.nn;"
        "network = n.Sequential(n.Conv2d(1, 3, 3, padding=1), n.BatchNorm2d(3), n.ReLU(), n.Conv2d(3, 1, 1)).eval();"
        "x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(5));"
        "print(with_engine('openvino', network, torch.device('cpu'), False)(x).double().sum().item())"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    out, err = Command("-c", program, env=environment).communicate()
    assert float(out) == pytest.approx(found.double().sum().item())
    assert f"taken from {entries()[0]}" in err
    assert "converted for" not in err
    assert len(entries()) == 1
    assert not (home / "intel").exists()  # where OpenVINO's reports keep the name they give to the user


def test_a_broken_entry_is_made_anew_and_a_cache_that_cannot_be_written_does_no_harm(
    entries, tmp_path, monkeypatch, caplog
):
    network, x = small(), torch.rand(1, 1, 16, 16)
    expected = fast(network, x)
    (entries()[0] / "model.bin").write_bytes(b"")
    forget(monkeypatch)
    assert torch.equal(fast(network, x), expected)
    assert "cannot be read and is made anew" in caplog.text
    assert (entries()[0] / "model.bin").stat().st_size > 0

    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGMENTATION_BUNDLES_CACHE", str(tmp_path / "file"))
    forget(monkeypatch)
    assert torch.equal(fast(network, x), expected)
    assert "set SEGMENTATION_BUNDLES_CACHE to another folder" in caplog.text


def test_compiled_networks_own_their_weights(monkeypatch):
    compiled = []

    def compile(network, dynamic):
        assert dynamic
        compiled.append(network)
        return network

    monkeypatch.setattr(torch, "compile", compile)
    network, x = small(), torch.rand(1, 1, 7, 9)
    for _ in range(2):
        assert torch.equal(with_engine("compile", network, CPU)(x), network(x))
    assert len(compiled) == 1
    network[0].weight.data.neg_()
    assert torch.equal(with_engine("compile", network, CPU)(x), network(x))
    assert torch.equal(with_engine("compile", small(), CPU)(x), small()(x))
    assert len(compiled) == 2


def test_a_machine_without_a_compiler_is_told_of(monkeypatch):
    monkeypatch.setenv("CXX", "no_such_compiler")
    torch._dynamo.reset()
    with pytest.raises(Exception) as raised, torch._inductor.config.patch("cpp.cxx", ("no_such_compiler",)):
        with_engine("compile", torch.nn.Conv2d(1, 2, 3).eval(), CPU)(torch.rand(1, 1, 7, 9))
    assert re.match(r"engine: PyTorch cannot compile .*; take --engine eager", message_behind(raised.value))


class Bessel(torch.nn.Module):
    """Something OpenVINO has no operation for."""

    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_auto_takes_openvino_where_it_can(caplog):
    def is_eager(network, device=CPU):
        return with_engine("auto", network, device) is network

    network, x = small(), torch.rand(1, 1, 8, 8)
    assert not is_eager(network)
    assert is_eager(network, torch.device("cuda"))
    assert is_eager(lambda x: x)
    assert is_eager(small().train())
    with torch.inference_mode():
        assert same(PrecisionInferer(SimpleInferer(), False, "auto")(x, network), network(x))
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        assert torch.equal(with_engine("auto", Bessel().eval(), CPU)(x), Bessel()(x))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "OpenVINO fails at converting" in caplog.text


def test_auto_is_eager_where_openvino_cannot_be_started(monkeypatch, caplog):
    def broken():
        raise ImportError("libopenvino.so: cannot open shared object file")

    monkeypatch.setattr(sys.modules["shared.inferers.openvino_engine"], "_core", broken)
    monkeypatch.setattr(engine, "_refused", set())
    monkeypatch.setattr(engine, "_recent", engine._Recent())
    network, x = small(), torch.rand(1, 1, 8, 8)
    assert torch.equal(with_engine("auto", network, CPU)(x), network(x))
    assert "OpenVINO fails at starting (libopenvino.so" in caplog.text
    with pytest.raises(UserError, match="fails at starting .*take --engine eager"):
        with_engine("openvino", network, CPU)(x)


def test_auto_without_openvino_is_eager(monkeypatch):
    monkeypatch.setattr(engine, "openvino_is_there", lambda: False)
    network = small()
    assert with_engine("auto", network, CPU) is network
    with pytest.raises(UserError, match="openvino is not installed; run pip install openvino, or take --engine eager"):
        with_engine("openvino", network, CPU)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fast(Bessel().eval(), torch.rand(1, 1, 8, 8)), r"fails at converting .*take --engine eager"),
        (lambda: with_engine("openvino", small(), torch.device("cuda:0")), "not on cuda:0; take --device cpu or --eng"),
        (lambda: with_engine("openvino", small().train(), CPU), r"network must be .* evaluation mode \(network.eval"),
        (lambda: with_engine("compile", torch.relu, CPU), "network must be a torch module"),
        (lambda: with_engine("fast", small(), CPU), "engine must be one of auto, eager, compile, openvino, got 'fast'"),
        (lambda: PrecisionInferer(SimpleInferer(), engine="fast"), "engine must be one of .*, got 'fast'"),
        (lambda: with_engine("openvino", small(), CPU)(torch.rand(1, 1, 8, 8), 1), "more than one input"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_inference_of_a_bundle_writes_the_same_masks(nuclei_raw, tmp_path, entries):
    torch.manual_seed(3)
    save_weights("unet_dsb", decided(UNet(3, 2, FEATURES)), tmp_path / "model.pt")
    (tmp_path / "in").mkdir()
    for number, picture in enumerate(sorted(nuclei_raw.glob("*/images/*.png"))[:3]):
        with Image.open(picture) as image:  # of 71, 68 and 39 pixels, which are padded to 80, 80 and 48
            image.crop((0, 0, image.width - (0, 3, 32)[number], image.height)).save(tmp_path / "in" / f"{number}.png")
    options = SMALL | {"dataset_dir": tmp_path / "in", "checkpoint": tmp_path / "model.pt", "amp": False}
    for name in ("eager", "openvino"):
        run_bundle("unet_dsb", ["inference"], engine=name, output_dir=tmp_path / name, **options)
    assert len(entries()) == 1
    for number in range(3):
        masks = []
        for name in ("eager", "openvino"):
            with Image.open(tmp_path / name / f"{number}_seg.png") as mask:
                masks.append(np.asarray(mask))
        assert masks[0].any()
        assert np.array_equal(*masks)
