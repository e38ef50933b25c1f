"""All faults in one error, sensibly cut."""

from __future__ import annotations

import pytest

from shared.datasets.faults import Fault, raise_faults
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
