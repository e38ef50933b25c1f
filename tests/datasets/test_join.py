import json

import pytest

from shared.datasets import join, select_cases
from shared.errors import UserError


def prepared(folder, types, num_folds=2, labels=("background", "foreground"), **more):
    training = []
    for number, type_ in enumerate(types):
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{number}.png").touch()
        files = {"image": f"images/{number}.png", "label": f"labels/{number}.png"}
        training.append({"id": str(number), **files, "fold": number % num_folds, "group": "roll", "type": type_})
    about = {"labels": {str(n): name for n, name in enumerate(labels)}, "kind": "binary", "num_folds": num_folds}
    (folder / "datalist.json").write_text(json.dumps({**about, "training": training, **more}))
    return folder


def test_cases_keep_folds_files_and_what_they_hold_and_their_groups_stay_apart(tmp_path):
    one = prepared(tmp_path / "one", ["defective", "defect-free", "defective"])
    extra = {"id": "9", "image": "images/0.png", "label": "labels/0.png", "type": "grey-64px-empty"}
    two = prepared(tmp_path / "two", ["grey-64px-empty", "grey-64px-foreground"], labels=("b", "scratch"), test=[extra])
    told = join.join([one, two], tmp_path / "deep" / "both")
    assert told["folds"] == [3, 2] and told["sizes"] == {"one": 3, "two": 2}
    cases = {fold: select_cases(tmp_path / "deep" / "both", "fold", fold) for fold in (0, 1)}
    assert [case["id"] for case in cases[0]] == ["one/0", "one/2", "two/0"]
    assert [case["content"] for case in cases[1]] == ["empty", "foreground"]
    assert {case["group"] for case in cases[0]} == {"one/roll", "two/roll"}
    assert cases[0][2]["image"] == str(tmp_path / "deep/both/../../two/images/0.png")
    assert not (tmp_path / "deep" / "both" / "images").exists()
    assert [case["content"] for case in select_cases(tmp_path / "deep" / "both", "test")] == ["empty"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_folds": 3}, r"num_folds of .*two is 3, of .*one 2; prepare both with the same options"),
        ({"labels": ("background", "a", "b")}, "labels of .*two is .*only alike ones can be joined"),
    ],
)
def test_what_is_not_alike_is_refused(tmp_path, options, message):
    types = ["defective", "defect-free", "defective"]
    with pytest.raises(UserError, match=message):
        join.join([prepared(tmp_path / "one", types), prepared(tmp_path / "two", types, **options)], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_one_data_set_or_two_of_one_name_are_refused(tmp_path):
    sets = [prepared(tmp_path / place / "set", ["defective", "defect-free"]) for place in "ab"]
    with pytest.raises(UserError, match="two data sets or more, got 1"):
        join.join(sets[:1], tmp_path / "both")
    with pytest.raises(UserError, match="two data sets are called set"):
        join.join(sets, tmp_path / "both")
