"""What MONAI Label does with a bundle, step by step, so that it need not be installed."""

import json

import monai
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from running import DATA, FEATURES, ROOT, run_bundle, save_weights

SMALL = {
    "unet_dsb": {"network_def::features": FEATURES},
    "unet_industrial": {"network_def::features": FEATURES},
    "unet3d_brats": {"network_def::features": [4, 4, 8], "patch_size": [32, 32, 32]},
}
EXACT = {"engine": "eager", "amp": False}  # in bfloat16 a layout in memory changes digits that decide voxels


@pytest.fixture(params=SMALL)
def handed_over(request, tmp_path):
    """A bundle's name, weights of its small network, and images with labels that nothing else is known of."""
    name = request.param
    prepared = request.getfixturevalue(DATA[name])
    cases = json.loads((prepared / "datalist.json").read_text())["training"]
    if name == "unet3d_brats":
        pairs = [volumes_of(case, prepared, tmp_path) for case in cases]
    else:
        pairs = [{key: str(prepared / case[key]) for key in ("image", "label")} for case in cases]
    torch.manual_seed(0)
    weights = tmp_path / "model.pt"
    save_weights(name, small(name, "inference").get_parsed_content("network_def"), weights)
    return name, weights, pairs


def volumes_of(case, prepared, folder):
    """All modalities in one file, and a label numbered as in 2023."""
    files = [nib.load(prepared / file) for file in case["image"]]
    decathlon = [files[number] for number in (3, 0, 1, 2)]  # FLAIR first
    image = np.stack([np.asarray(file.dataobj, np.float32) for file in decathlon], axis=-1)
    label = np.asarray(nib.load(prepared / case["label"]).dataobj).astype(np.uint8)
    label[label == 4] = 3
    pair = {key: str(folder / f"{case['id']}_{key}.nii.gz") for key in ("image", "label")}
    for key, values in (("image", image), ("label", label)):
        nib.save(nib.Nifti1Image(values, files[0].affine), pair[key])
    return pair


def small(name, config):
    parser = ConfigParser()
    parser.read_config(str(ROOT / "bundles" / name / "configs" / f"{config}.json"))
    parser.update({"bundle_root": str(ROOT / "bundles" / name), "device": "cpu", **SMALL[name]})
    return parser


def test_it_trains_on_the_pairs_that_it_is_handed(handed_over, tmp_path, monkeypatch):
    name, weights, pairs = handed_over
    configs = ROOT / "bundles" / name / "configs"
    loader = {"_target_": "CheckpointLoader", "load_path": str(weights), "load_dict": {"model": "$@network"}}
    monkeypatch.chdir(tmp_path)
    monai.bundle.run(
        run_id="monai_label",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "train.json"),
        **{
            "bundle_root": str(configs.parent),
            "train#trainer#max_epochs": 1,
            "train#dataset#data": pairs[2:],
            "train#handlers": [loader, *small(name, "train").get("train#handlers")],
            "validate#dataset#data": pairs[:2],
            "device": torch.device("cpu"),
            **SMALL[name],
        },
    )
    (run,) = (tmp_path / "runs" / name).iterdir()
    trained, before = (torch.load(file, weights_only=True) for file in (run / "model.pt", weights))
    assert trained.keys() == before.keys()
    assert any(not torch.equal(trained[key], before[key]) for key in before)
    assert json.loads((run / "run.json").read_text())["data"]["cases"] == len(pairs) - 2


def test_it_segments_as_our_own_inference_does(handed_over, tmp_path):
    name, weights, pairs = handed_over
    parser = small(name, "inference")
    parser.update(EXACT)
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    data = {"image": pairs[0]["image"], "image_path": pairs[0]["image"], "model": name, "device": "cpu"}
    for transform in parser.get_parsed_content("preprocessing").transforms:
        data = transform(data)
    with torch.no_grad():
        data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
    for transform in parser.get_parsed_content("postprocessing").transforms:
        data = transform(data)

    options = {"dataset_dir": pairs[0]["image"], "output_dir": tmp_path / "out", "checkpoint": weights}
    run_bundle(name, ["inference"], device="cpu", **EXACT, **options, **SMALL[name])
    (file,) = (tmp_path / "out").glob("*_seg.*")
    own = nib.load(file).get_fdata() if file.suffix == ".gz" else np.asarray(Image.open(file)).T
    found = data["pred"].numpy()
    if name == "unet3d_brats":
        own[own == 4] = 3  # written as in 2019
        found = found[0]
    else:
        assert found.dtype in (np.uint8, np.uint16)  # of others its writer makes no PNG
    if name == "unet_industrial":
        found = 255 * found
    np.testing.assert_array_equal(found, own)
