"""Test-time flips and ensembles, as the overlays of each bundle make them."""

import csv
import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from running import ROOT, SMALL, run_bundle, save_weights

from shared.errors import user_error_behind

BUNDLES = {"unet_dsb": (3, "nuclei"), "unet_industrial": (1, "defects")}
DIVISOR = {"unet_dsb": 16, "unet_industrial": 64}  # of a window's sides


def parse(name, configs, **options):
    parser = ConfigParser()
    parser.read_config([str(ROOT / "bundles" / name / "configs" / f"{config}.json") for config in configs])
    for key, value in (SMALL | {"bundle_root": str(ROOT / "bundles" / name)} | options).items():
        parser[key] = value
    return parser


@pytest.fixture(scope="module", params=BUNDLES)
def bundle(request, tmp_path_factory):
    """Name of a bundle, two networks that disagree, and their files."""
    folder = tmp_path_factory.mktemp(request.param)
    networks, files = [], []
    for seed in range(2):
        torch.manual_seed(seed)
        networks.append(parse(request.param, ["inference"]).get_parsed_content("network_def").eval())
        last = [part for part in networks[-1].modules() if isinstance(part, torch.nn.Conv2d)][-1]
        last.weight.data *= 30  # as they are drawn, all probabilities are near 1/2
        files.append(str(folder / f"{seed}.pt"))
        save_weights(request.param, networks[-1], files[-1])
    return request.param, networks, files


def mean_by_hand(x, networks, flips):
    found = [
        torch.flip(torch.sigmoid(network(torch.flip(x, flip))), flip)
        for network in networks
        for flip in (([], [2], [3], [2, 3]) if flips else ([],))
    ]
    return torch.stack(found).mean(0)


CASES = [
    (["inference", "tta"], 1, True),
    (["inference", "ensemble"], 2, False),
    (["inference", "ensemble", "tta"], 2, True),
    (["inference", "tta", "ensemble"], 2, True),
    (["train", "evaluate", "evaluate_tta"], 1, True),
    (["train", "evaluate", "ensemble"], 2, False),
    (["train", "evaluate", "ensemble", "evaluate_tta"], 2, True),
]


@pytest.mark.parametrize(("configs", "number", "flips"), CASES)
def test_the_evaluator_s_probability_is_the_mean(bundle, configs, number, flips):
    name, networks, files = bundle
    options = {"checkpoints": files} if "ensemble" in configs else {"checkpoint": files[0]}
    parser = parse(name, configs, amp=False, engine="eager", **options)
    evaluator = "evaluator" if "inference" in configs else "evaluate::evaluator"
    parser.get_parsed_content("begin::1")  # loads the weights
    inferer = parser.get_parsed_content(f"{evaluator}::inferer")
    network = parser.get_parsed_content("network").eval()
    x = torch.rand(1, BUNDLES[name][0], 64, 128)
    with torch.inference_mode():
        found = torch.sigmoid(inferer(x, network))
        assert torch.allclose(found, mean_by_hand(x, networks[:number], flips), atol=1e-5)
        assert not torch.allclose(found, torch.sigmoid(networks[0](x)), atol=0.01)


def test_inference_with_both_writes_the_mean_of_any_size(bundle, tmp_path):
    name, networks, files = bundle
    engine = {"unet_dsb": "auto", "unet_industrial": "eager"}[name]
    sizes = {"a.png": (1, 1), "b.png": (37, 91)}
    (tmp_path / "in").mkdir()
    for file, size in sizes.items():
        grey = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
        Image.fromarray(grey).save(tmp_path / "in" / file)
    options = SMALL | {"dataset_dir": tmp_path / "in", "output_dir": tmp_path / "out", "save_probability": True}
    run_bundle(name, ["inference", "ensemble", "tta"], checkpoints=files, engine=engine, amp=False, **options)
    for file, size in sizes.items():
        (probability,) = (tmp_path / "out").glob(file.replace(".png", "_prob.png"))
        with Image.open(probability) as picture:
            written = np.asarray(picture)
            assert written.shape == size

    # The larger one once more, padded by hand as a window is.
    parser = parse(name, ["inference"], dataset_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "none"))
    image = parser.get_parsed_content("dataset")[1]["image"].as_tensor().float()
    if name == "unet_industrial":  # normalised window by window
        image = (image - image.mean()) / image.std(correction=0)
    image = image[None]
    padded = torch.nn.functional.pad(image, pads(image.shape[2:], DIVISOR[name]), mode="replicate")
    with torch.inference_mode():
        expected = mean_by_hand(padded, networks, flips=True)
    top, left = ((-side % DIVISOR[name]) // 2 for side in image.shape[2:])
    expected = expected[0, 0, top : top + image.shape[2], left : left + image.shape[3]].T.numpy()
    scale = np.iinfo(written.dtype).max
    assert np.abs(written / scale - expected).max() <= 1 / scale + 1e-4


def pads(sides, divisor):
    """As MONAI's sliding window pads to a multiple of ``divisor``, the last axis first."""
    missing = [-side % divisor for side in reversed(sides)]
    return [part for pad in missing for part in (pad // 2, pad - pad // 2)]


def test_evaluation_scores_the_ensemble_and_names_it(bundle, request, tmp_path):
    name, _, files = bundle
    data = request.getfixturevalue(BUNDLES[name][1])
    options = SMALL | {"dataset_dir": data, "output_dir": tmp_path, "checkpoints": files}
    run_bundle(name, ["train", "evaluate", "ensemble", "evaluate_tta"], **options)
    summary = json.loads((tmp_path / "fold_0" / "summary.json").read_text())
    assert summary["checkpoint"] == list(map(str, files))
    with (tmp_path / "fold_0" / "metrics.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == summary["cases"] > 0


@pytest.mark.parametrize(
    ("checkpoints", "message"),
    [
        ([], "checkpoints: [] will not do; take a list of files"),
        ("a.pt", "checkpoint: a.pt does not exist"),
        ([3], "checkpoints: [3] will not do; take a list of files"),
        (["none.pt"], "checkpoints: none.pt does not exist"),
        (["good", "none.pt"], "checkpoints: none.pt does not exist"),
        (["good", "other"], "other.pt belongs to another network"),
    ],
)
def test_a_list_that_will_not_do_ends_before_any_work(tmp_path, checkpoints, message):
    network = parse("unet_dsb", ["inference"]).get_parsed_content("network_def")
    save_weights("unet_dsb", network, tmp_path / "good.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    if isinstance(checkpoints, list):
        checkpoints = [str(tmp_path / f"{c}.pt") if c in ("good", "other") else c for c in checkpoints]
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "a.png")
    options = SMALL | {"dataset_dir": tmp_path / "a.png", "output_dir": tmp_path / "out"}
    options |= {"channels": 3, "num_classes": 1}
    with pytest.raises(Exception) as raised:
        run_bundle("unet_dsb", ["inference", "ensemble"], checkpoints=checkpoints, **options)
    assert message in str(user_error_behind(raised.value))
    assert not (tmp_path / "out").exists()
