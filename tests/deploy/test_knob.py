import json

import pytest
from running import ROOT

from shared.deploy.knob import set_knob


@pytest.mark.parametrize("path", sorted(ROOT.glob("bundles/*/configs/[ti]*n*.json")), ids=lambda path: path.parts[-3])
def test_one_line_of_a_shipped_configuration_changes(path):
    before = path.read_text()
    name = next(knob for knob in ("threshold", "channels", "overlap", "learning_rate") if knob in json.loads(before))
    lines = before.splitlines()
    changed = [
        line for line, now in zip(lines, set_knob(before, name, 0.0125).splitlines(), strict=True) if line != now
    ]
    assert [line.split(":")[0] for line in changed] == [f'  "{name}"']
    assert json.loads(set_knob(before, name, 0.0125)) == json.loads(before) | {name: 0.0125}
    assert set_knob(set_knob(before, name, 0.0125), name, json.loads(before)[name]) == before


def test_a_name_further_down_or_in_a_text_is_left_alone():
    text = '{"say": "\\"a\\": 1", "deep": {"a": 1, "b": ["a"]},\r\n\t"a" :  1 ,"c": 2}'
    assert set_knob(text, "a", "@c") == text.replace('"a" :  1', '"a" :  "@c"')
    with pytest.raises(ValueError, match="name must be a knob at the top of the configuration, got 'b'"):
        set_knob(text, "b", 0)
