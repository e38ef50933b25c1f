import pytest

from shared.deploy.card import read_card
from shared.errors import UserError

SUMMARY = {
    "split": "fold",
    "fold": 0,
    "cases": 3,
    "dice": 0.5,
    "dice_1": 0.25,
    "auroc": None,
    "cost": 21.0,
    "undefined": {"dice": 0, "dice_1": 1},
    "by_type": {
        "dark": {"cases": 2, "dice": None, "dice_1": 0.125},
        "bright": {"cases": 1, "dice": 0.5, "dice_1": 1.0},
    },
}
TEXT = """# Card

<!-- figures{}: written by python -m shared release -->

old | table

<!-- end of figures -->
rest
"""


def test_without_names_all_figures_count_and_those_of_pictures_are_columns():
    card = read_card(TEXT.format(""), "README.md")
    assert card.figures(SUMMARY) == {"dice": 0.5, "dice_1": 0.25, "cost": 21.0}
    assert card.filled(SUMMARY) == TEXT.format("").replace(
        "old | table",
        "| cases | number | dice |\n|---|---|---|\n| all | 3 | 0.500 |\n| dark | 2 | - |\n| bright | 1 | 0.500 |",
    )


def test_names_choose_figures_and_columns_and_stay():
    text = TEXT.format(" cost, dice_1,auroc")
    card = read_card(text, "README.md")
    assert list(card.figures(SUMMARY).items()) == [("cost", 21.0), ("dice_1", 0.25)]
    filled = card.filled(SUMMARY)
    assert (
        "| cases | number | cost | dice_1 | auroc |\n|---|---|---|---|---|\n| all | 3 | 21.000 | 0.250 | - |" in filled
    )
    assert "| dark | 2 | - | 0.125 | - |" in filled
    assert read_card(filled, "README.md").filled(SUMMARY) == filled


def test_a_figure_that_is_not_there_and_a_mark_that_lacks_are_named():
    with pytest.raises(UserError, match="no figure pixel_ap but auroc, cost, dice, dice_1;"):
        read_card(TEXT.format(" pixel_ap"), "README.md").figures(SUMMARY)
    for text in (TEXT.replace("<!-- end of figures -->", ""), "nothing", TEXT.format(" a: b")):
        with pytest.raises(UserError, match="README.md lacks the lines"):
            read_card(text, "README.md")
