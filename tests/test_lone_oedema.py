"""Where the bundle of tumours leaves out oedema apart from any core."""

import pytest
import torch
from monai.bundle import ConfigParser
from running import ROOT

from shared.transforms import DropLoneOedemad

CONFIGS = ROOT / "bundles" / "unet3d_brats" / "configs"


@pytest.mark.parametrize(
    ("configs", "key", "is_kept"),
    [
        (["train"], "validate::postprocessing", False),
        (["train", "evaluate", "evaluate_tta"], "validate::postprocessing", False),
        (["train", "class_loss"], "validate::postprocessing", False),
        (["train", "reference"], "validate::postprocessing", True),
        (["inference"], "postprocessing", False),
        (["inference", "ensemble", "tta"], "postprocessing", False),
        (["inference", "class_inference"], "postprocessing", False),
        (["inference", "reference_inference"], "postprocessing", True),
    ],
)
def test_where_it_is_left_out(configs, key, is_kept):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in configs])
    parser["device"], parser["networks"], parser["patch_size"] = "cpu", "$[@network_def]", [64, 64, 64]
    parser["spacing"] = [2.0, 2.0, 2.0]
    assert parser["lone_oedema"] is is_kept
    assert leaves_it_out(parser, key) is not is_kept
    if "reference" not in configs:
        parser["lone_oedema"] = not is_kept
        assert leaves_it_out(parser, key) is is_kept


def leaves_it_out(parser, key):
    last = parser.get_parsed_content(key).transforms[-1]
    labels = torch.tensor([2, 3, 0, 2])[None, :, None, None]
    return isinstance(last, DropLoneOedemad) and last({"pred": labels})["pred_left_out"] == 1
