"""All faults in one error, sensibly cut."""

from __future__ import annotations

import pytest

from shared.datasets.faults import Fault, raise_faults, twins
from shared.errors import UserError


def test_no_fault_no_error() -> None:
    raise_faults("raw.zip", [])


@pytest.mark.parametrize(("number", "count", "end"), [(1, "1 fault", None), (103, "103 faults", "... and 3 more")])
def test_faults_are_listed_up_to_a_hundred(number: int, count: str, end: str | None) -> None:
    faults = [str(Fault(f"{i}.png", "empty file", "download it again")) for i in range(number)]
    with pytest.raises(UserError) as caught:
        raise_faults("raw.zip", faults)
    wanted = [f"raw.zip: {count}; nothing was written:", *faults[:100], *([end] if end else [])]
    assert str(caught.value) == "\n  ".join(wanted)


def test_twins_differ_by_letter_case_or_unicode_form() -> None:
    assert list(twins(["z\u00e4hler", "zahler", "Za\u0308hler"])) == [(2, 0)]
