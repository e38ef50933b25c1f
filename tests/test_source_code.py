import functools
import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose, Lambdad, LoadImaged, NormalizeIntensityd, SpatialPadd
from running import ROOT

from shared.source_code import fingerprint_of


def scaled(factor):
    return lambda x: factor * x


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: 2 * x, lambda x: 3 * x),
        (lambda x: x.mean(), lambda x: x.sum()),
        (lambda x, by=2: by * x, lambda x, by=3: by * x),
        (scaled(2), scaled(3)),
        (functools.partial(pow, 2), functools.partial(pow, 3)),
        (lambda x: [2 * y for y in x], lambda x: [3 * y for y in x]),
        (NormalizeIntensityd("a"), NormalizeIntensityd("a", nonzero=True)),
        (Compose([Compose([SpatialPadd("a", 8)])]), Compose([Compose([SpatialPadd("a", 9)])])),
        (Lambdad("a", scaled(2)), Lambdad("a", scaled(3))),
        (LoadImaged("a", reader="NibabelReader"), LoadImaged("a", reader="PILReader")),
        (np.array([1.0, 2]), np.array([1.0, 3])),
        (torch.tensor([1.0, 2]), torch.tensor([1.0, 2], dtype=torch.float64)),
        ({"a": 1}, {"a": 2}),
        ([1, 2], (1, 2)),
    ],
)
def test_what_computes_something_else_is_another(one, other):
    assert fingerprint_of([one]) == fingerprint_of([one]) != fingerprint_of([other])


def of_config(factor, word="factor"):
    parser = ConfigParser({"factor": factor, "more": 5, "t": {"_target_": "Lambdad", "keys": "a"}, "other": object()})
    parser["t::func"] = f"$lambda x: x * @{word}"
    return fingerprint_of(parser.get_parsed_content("t"))


def test_a_lambda_of_a_configuration_stands_for_what_it_refers_to():
    assert of_config(2) == of_config(2) != of_config(3)
    assert of_config(2) != of_config(2, "more")


NET = """
import helper_of_it
from monai.data import ImageReader
from monai.transforms import MapTransform
class Twiced(MapTransform):
    def __call__(self, data):
        return {"a": helper_of_it.twice(data["a"])}
class Reader(ImageReader):
    def verify_suffix(self, filename):
        return True
    def read(self, data, **kwargs):
        return helper_of_it.twice(data)
    def get_data(self, img):
        return img, {}
def function(x):
    return helper_of_it.twice(x)
"""
HELPER = "import numpy as np\ndef twice(x):\n    return 2 * x\n"
MODULES = ("transforms_of_a_user", "helper_of_it")


@pytest.mark.parametrize("edited", [(MODULES[0], "# a comment"), (MODULES[1], "LIMIT = 3"), None])
def test_edited_code_makes_another_wherever_it_lies(tmp_path, monkeypatch, edited):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for round_number in range(3):
        for name, text in zip(MODULES, (NET, HELPER), strict=True):
            more = f"\n{edited[1]}\n" if edited and edited[0] == name and round_number == 1 else "\n"
            (tmp_path / f"{name}.py").write_text(text + more)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        own = importlib.import_module(MODULES[0])
        pipelines = [own.Twiced("a")], [Lambdad("a", own.function)], [LoadImaged("a", reader=own.Reader)]
        found.append([fingerprint_of(Compose(pipeline).flatten().transforms) for pipeline in pipelines])
    for name in MODULES:
        sys.modules.pop(name)
    assert found[0] == found[2]
    assert all((first != second) == bool(edited) for first, second in zip(found[0], found[1], strict=True))


def test_each_room_that_makes_items_counts(monkeypatch, tmp_path):
    from shared import source_code

    before = fingerprint_of([])
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "volume.py").write_text("edited")
    monkeypatch.setattr(source_code, "__file__", str(tmp_path / "source_code.py"))
    source_code._rooms.cache_clear()
    assert fingerprint_of([]) != before
    monkeypatch.undo()
    source_code._rooms.cache_clear()
    assert fingerprint_of([]) == before


def test_it_is_the_same_in_every_process_and_with_every_seed():
    words = (
        "from monai.bundle import ConfigParser; from shared.source_code import fingerprint_of; p = ConfigParser(); "
        "p.read_config('bundles/{}/configs/train.json'); "
        "print(fingerprint_of(p.get_parsed_content('{}')))"
    )
    for bundle, part in (("unet3d_brats", "validate::preprocessing"), ("unet_dsb", "train::preprocessing")):
        told = {
            subprocess.run(
                [sys.executable, "-c", words.format(bundle, part)],
                cwd=ROOT,
                env={"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.splitlines()[-1]
            for seed in ("1", "2")
        }
        assert len(told) == 1 and len(told.pop()) == 64
