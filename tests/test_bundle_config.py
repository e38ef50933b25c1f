import json
import shutil

import pytest
from running import ROOT

from shared.bundle_config import read_bundle
from shared.errors import UserError


@pytest.fixture
def bundle(tmp_path):
    return shutil.copytree(ROOT / "bundles" / "unet_dsb" / "configs", tmp_path / "unet_dsb" / "configs").parent


def test_a_bundle_is_read_with_its_metadata_and_what_is_laid_over_it(bundle, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps({"epochs": 3}))
    parser = read_bundle(bundle, "train.json", [str(tmp_path / "mine.json")])
    assert (parser["epochs"], parser["_meta_::task"] != "", parser["bundle_root"]) == (3, True, str(bundle))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train.json", "{,}", r"configs/train.json: not read as a configuration \(.*\); mend it, in JSON"),
        ("metadata.json", "{,}", r"configs/metadata.json: not read as a configuration \(.*\); mend it, in JSON"),
        ("mine.json", "{,}", r"configs/mine.json: not read as a configuration \(.*\); mend it, in JSON"),
        ("mine.json", '{"none::such": 1}', "overlay: mine changes what train.json does not have; take overlays made"),
    ],
)
def test_a_file_that_will_not_do_is_named(bundle, file, text, message):
    (bundle / "configs" / "mine.json").write_text("{}")
    (bundle / "configs" / file).write_text(text)
    with pytest.raises(UserError, match=message):
        read_bundle(bundle, "train.json", ["mine"])
