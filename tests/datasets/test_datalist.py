import json

import pytest

from shared.datasets import select_cases
from shared.datasets.datalist import read_datalist
from shared.errors import UserError


def write(folder, cases, test=()):
    (folder / "labels").mkdir()
    for case in [*cases, *test]:
        for key in ("image", "label"):
            (folder / case[key]).touch()
    (folder / "datalist.json").write_text(json.dumps({"training": cases, "test": list(test)}))
    return folder


def case(number, fold, group):
    name = f"{number:02}"
    return {"id": name, "image": f"{name}.png", "label": f"labels/{name}.png", "fold": fold, "group": group}


@pytest.fixture
def data(tmp_path):
    cases = [case(n, n // 2 % 3, f"g{n // 2}") for n in range(48)]  # pairs form groups, three folds
    return write(tmp_path, cases, [case(99, 0, "t")])


def ids(cases):
    return {c["id"] for c in cases}


def test_the_parts_share_nothing_and_are_all_there_is(data):
    parts = {part: select_cases(data, part, fold=1) for part in ("training", "validation", "fold", "test")}
    assert ids(parts["fold"]) == {f"{n:02}" for n in range(48) if n // 2 % 3 == 1}
    assert ids(parts["test"]) == {"99"}
    assert len(parts["validation"]) == 4
    sizes = [len(parts[p]) for p in ("training", "validation", "fold")]
    assert sum(sizes) == len(ids(parts["training"]) | ids(parts["validation"]) | ids(parts["fold"])) == 48
    groups = [{c["group"] for c in parts[p]} for p in ("training", "validation", "fold")]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]


def test_a_group_as_large_as_all_others_is_learned_from(tmp_path):
    cases = [case(n, n % 3, "large" if n < 30 else f"g{n}") for n in range(60)]
    for one in cases:
        one["fold"] = 0 if one["group"] == "large" else 1 + one["fold"] % 2
    write(tmp_path, cases)
    assert len(select_cases(tmp_path, "validation", fold=2)) == 3
    assert "large" in {c["group"] for c in select_cases(tmp_path, "training", fold=2)}


def test_the_validation_share_has_all_types_even_if_it_is_large(tmp_path):
    """Three rolls of sound pieces, and defective ones by themselves."""
    cases = [case(n, 0, f"roll{n // 30}" if n < 90 else f"g{n}") for n in range(110)]
    for n, one in enumerate(cases):
        one["type"], one["fold"] = ("sound", 0) if n < 90 else ("defective", 1)
    write(tmp_path, cases)
    assert {c["type"] for c in select_cases(tmp_path, "validation", fold=-1)} == {"sound", "defective"}


def test_few_defective_pictures_lie_on_both_sides_or_it_is_said(tmp_path, caplog):
    cases = [case(n, n % 5, f"g{n}") for n in range(66)]
    for n, one in enumerate(cases):
        one["type"] = f"grey-{(256, 512, 1024)[n // 2 % 3]}px-{'foreground' if n < 6 else 'empty'}"
    write(tmp_path, cases)
    for fold in range(5):
        parts = {part: select_cases(tmp_path, part, fold) for part in ("training", "validation")}
        for chosen in parts.values():
            assert {one["content"] for one in chosen} == {"foreground", "empty"}
    assert not caplog.records
    for n, one in enumerate(cases):
        one["type"] = f"grey-256px-{'foreground' if n == 1 else 'empty'}"
    (tmp_path / "datalist.json").write_text(json.dumps({"training": cases}))
    assert "foreground" in {one["content"] for one in select_cases(tmp_path, "training", fold=0)}
    select_cases(tmp_path, "validation", fold=0)
    assert "none of the 7 validation pictures holds something to find" in caplog.text


def test_words_of_one_s_own_are_types_and_no_more(data):
    content = json.loads((data / "datalist.json").read_text())
    for n, one in enumerate(content["training"]):
        one["type"] = ("ok", "non-defective", "grey-256px-empty")[n % 3]
    content["training"][0]["content"] = "told"
    (data / "datalist.json").write_text(json.dumps(content))
    cases = select_cases(data, "others", fold=-1)
    assert {one["content"] for one in cases[1:]} == {"ok", "non-defective", "empty"}
    assert cases[0]["content"] == "told"


def test_a_recipe_that_learns_from_defective_cases_alone(data):
    content = json.loads((data / "datalist.json").read_text())
    content["training"][3]["type"] = "defective"
    (data / "datalist.json").write_text(json.dumps(content))
    cases = select_cases(data, "others", fold=-1)
    assert select_cases(data, "others", fold=-1, defective=True) == [cases[3]]
    with pytest.raises(UserError, match='of \'test\' no case of .* is known to be defective, .* "type": "defective"'):
        select_cases(data, "test", defective=True)


def test_no_fold_held_out(data):
    assert len(select_cases(data, "training", -1)) + len(select_cases(data, "validation", -1)) == 48
    with pytest.raises(UserError, match="nothing belongs to 'fold'"):
        select_cases(data, "fold", -1)


def test_paths_are_relative_to_the_file(data):
    assert select_cases(data, "test")[0]["label"] == str(data / "labels/99.png")


@pytest.mark.parametrize(
    ("part", "fold", "message"),
    [
        ("fold", 7, r"fold: 7 is not in .*datalist.json; take one of \[0, 1, 2\], or -1"),
        ("train", 0, "no part 'train'; take one of"),
    ],
)
def test_wrong_choices(data, part, fold, message):
    with pytest.raises(UserError, match=message):
        select_cases(data, part, fold)


def test_no_file_and_no_json(tmp_path):
    with pytest.raises(UserError, match=r"no datalist.json in .*; make one with `python -m shared prepare`"):
        read_datalist(tmp_path)
    (tmp_path / "datalist.json").write_text("{")
    with pytest.raises(UserError, match="no valid JSON"):
        read_datalist(tmp_path)
    (tmp_path / "datalist.json").write_text("[]")
    with pytest.raises(UserError, match='no list named "training"'):
        read_datalist(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": None}, "image is None, no text"),
        ({"image": []}, r"image is \[\], no text"),
        ({"id": 7}, "id is 7, no text"),
        ({"fold": "zero"}, "fold is 'zero', not a whole number"),
        ({"fold": -1}, "fold is -1, not a whole number of 0 or more"),  # as a choice, -1 holds none out
        ({"fold": True}, "fold is True, not a whole number"),
        ({"id": "a\ud800"}, r"it holds '\\ud800', which is half a letter and no text"),
        ({"group": ["\udfff"]}, r"it holds '\\udfff', which is half a letter and no text"),
    ],
)
def test_entries_of_another_form_are_named(data, change, message):
    content = json.loads((data / "datalist.json").read_text())
    content["training"][5] |= change
    (data / "datalist.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"training\[5\]: {message}"):
        read_datalist(data)


def test_a_file_of_brackets_is_no_datalist(data):
    (data / "datalist.json").write_text(100_000 * "[")
    with pytest.raises(UserError, match=r"datalist.json: no valid JSON \(maximum recursion .*; run `prepare` again"):
        read_datalist(data)


@pytest.mark.parametrize("fold", [10**400, "10**400", 1.0, True, None])
def test_a_fold_is_a_number_of_the_file(data, fold):
    with pytest.raises(UserError, match=r"^fold: .{1,50} is not in .*; take one of \[0, "):
        select_cases(data, "training", fold)


def test_a_byte_order_mark_is_no_fault(data):
    text = (data / "datalist.json").read_text()
    (data / "datalist.json").write_text(text, encoding="utf-8-sig")
    assert len(read_datalist(data)["training"]) == 48


def test_sections_of_another_form_are_named(data):
    content = json.loads((data / "datalist.json").read_text())
    for name, what in (("test", "a list"), ("labels", "an object")):
        (data / "datalist.json").write_text(json.dumps(content | {name: None}))
        with pytest.raises(UserError, match=f'"{name}" is not {what}'):
            read_datalist(data)


def test_all_faults_at_once(data):
    content = json.loads((data / "datalist.json").read_text())
    content["training"][0]["fold"] = "zero"
    content["training"][1]["id"] = "05"
    del content["training"][2]["label"]
    (data / "03.png").unlink()
    (data / "datalist.json").write_text(json.dumps(content))
    with pytest.raises(UserError) as raised:
        read_datalist(data)
    text = str(raised.value)
    assert "4 faults" in text
    for line in ("training[0]: fold is 'zero'", "training[5]: id 05 occurs twice", "training[2]: lacks label",
                 f"training[3]: {data / '03.png'} does not exist"):  # fmt: skip
        assert line in text


def test_the_kind_of_label_travels_and_the_number_of_classes_is_checked(data):
    assert select_cases(data, "test")[0]["kind"] == "instances"
    content = json.loads((data / "datalist.json").read_text())
    content |= {"kind": "classes", "labels": {"0": "background", "1": "a", "2": "b"}}
    (data / "datalist.json").write_text(json.dumps(content))
    assert select_cases(data, "test", num_classes=2)[0]["kind"] == "classes"
    with pytest.raises(UserError, match="num_classes: .* has 2, not 1; add --num_classes 2"):
        select_cases(data, "test", num_classes=1)
