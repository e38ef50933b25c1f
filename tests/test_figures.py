"""The numbers of the pages are those of the results; ``python tests/figures.py`` writes them."""

import re

import pytest
from figures import PAGES, ROOT, filled

# How many numbers with decimals of a page are held, at least: they get lost when a table or a name is no longer found.
HELD = {
    "README.md": 23,
    "docs/speed.md": 57,
    "docs/own_defects.md": 5,
    "bundles/unet_dsb/docs/README.md": 52,
    "bundles/unet_industrial/docs/README.md": 29,
    "bundles/unet3d_brats/docs/README.md": 75,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_has_the_numbers_of_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert filled(page).splitlines() == text.splitlines()


@pytest.mark.parametrize("name", HELD)
def test_a_wrong_number_is_put_right(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    wrong = re.sub(r"(?<![\w.])(\d+\.\d*?)(\d)(?!\w)", lambda found: f"{found[1]}{(int(found[2]) + 5) % 10}", text)
    words = zip(text.split(), wrong.split(), filled(ROOT / name, wrong).split(), strict=True)
    assert sum(right == now != was for right, was, now in words) >= HELD[name]
