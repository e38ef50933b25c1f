import pytest

from shared.errors import UserError
from shared.runs import check_pictures

PICTURE = {"id": "a", "image": "a.png", "kind": "classes"}


def test_volumes_are_no_pictures():
    check_pictures([PICTURE, PICTURE])
    with pytest.raises(UserError, match="dataset_dir: the case b is made of 4 files, .*; .* name a data set of them"):
        check_pictures([PICTURE, {"id": "b", "image": ["t1.nii.gz"] * 4}])


def test_classes_that_become_one_are_told_of(caplog):
    check_pictures([PICTURE])
    check_pictures([PICTURE | {"kind": "binary"}, PICTURE | {"kind": "instances"}], one_class=True)
    assert not caplog.text
    check_pictures([PICTURE], one_class=True)
    assert "its labels tell classes apart, this bundle takes all of them as one; unet_dsb" in caplog.text
