"""The figures of an evaluation in a bundle's model card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import UserError

__all__ = ["Card", "read_card"]

BEGIN = re.compile(r"<!-- figures(?: ([^:>]+))?: written by python -m shared release -->")
END = "<!-- end of figures -->"


class Card(NamedTuple):
    """A model card around its table of figures.

    The line before the table may name the figures that count, in their order::

        <!-- figures dice, image_auroc: written by python -m shared release -->

    Without names all count, and the table has a column for each that pictures have.

    Args:
        begin: what stands before the table, that line included.
        names: those in the line, empty if there are none.
        end: what stands after the table, from the line that ends it.
    """

    begin: str
    names: tuple[str, ...]
    end: str

    def figures(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Those figures of all pictures together that the release reports, less what is undefined.

        Args:
            summary: ``summary.json`` of the evaluation.

        Raises:
            UserError: the card names a figure that the evaluation has not.
        """
        numbers = {name: value for name, value in summary.items() if isinstance(value, float)}
        known = numbers.keys() | {name for name, value in summary.items() if value is None}
        if unknown := [name for name in self.names if name not in known]:
            raise UserError(
                f"docs/README.md: the evaluation has no figure {', '.join(unknown)} but {', '.join(sorted(known))}; "
                "name some of these in the line that begins the figures"
            )
        return {name: numbers[name] for name in self.names or numbers if name in numbers}

    def filled(self, summary: Mapping[str, Any]) -> str:
        """The card's text with a table of the figures of all pictures and of each type."""
        groups: dict[str, Mapping[str, Any]] = {"all": summary}
        for by, found in summary.items():
            if by.startswith("by_"):
                groups |= found
        names = self.names or [name for name in summary["undefined"] if not re.fullmatch(r".*_\d+", name)]
        lines = [f"| cases | number | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
        for group, values in groups.items():
            cells = [_cell(values.get(name)) for name in names]
            lines.append(f"| {group} | {values['cases']} | {' | '.join(cells)} |")
        return "\n".join([self.begin, "", *lines, "", self.end])


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def read_card(text: str, name: str) -> Card:
    """Take a model card apart at the marks around its figures.

    Args:
        text: the card.
        name: of its file, for the message.

    Raises:
        UserError: it lacks one of the two marks.
    """
    begin = BEGIN.search(text)
    end = text.find(END, begin.end()) if begin else -1
    if not begin or end < 0:
        marks = "'<!-- figures: written by python -m shared release -->' and '" + END + "'"
        raise UserError(f"{name} lacks the lines {marks}; put them where figures belong")
    names = tuple(re.findall(r"[^\s,]+", begin[1] or ""))
    return Card(text[: begin.end()], names, text[end:])
