"""What every handler does that writes the findings of an inference: files beside a table of rows."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Events
from monai.engines import Workflow
from PIL import Image

from ..atomic import atomic_path, atomic_write_table
from ..errors import UserError, message_behind
from ..stop_signals import StopSignals
from ..tables import read_table

__all__ = ["FindingsHandler", "PictureFindings", "read_findings", "refuse_failures", "to_16_bits"]

SECONDS_BETWEEN_TABLES = 10
SHARE_OF_TABLES = 0.05  # of the time at most; long tables take seconds to write


class FindingsHandler:
    """Writes ``findings.csv`` while cases pass; what is in it and beside it, its children say in ``find``.

    A case that could not be read arrives as an item with an ``error``; it gets a row that says so, as does one
    for which ``find`` raises a ``UserError`` or whose results would have too long a name, and the others are done. The
    table is renewed every few seconds, so that little is lost when the power goes: what is in it is done. When the run
    is stopped, by Ctrl-C, by SIGTERM or by an error, it is renewed once more, and the last line says how to go on.

    Args:
        output_dir: folder to write to; sub-folders of the input are mirrored.
        save_probability: also write the probability.
        save_overlay: also write a picture with the outlines of what was found.
        skip_existing: keep the rows of an earlier run for the cases that are not segmented again.

    Raises:
        UserError: in a run, the table of the earlier run has columns that are unknown here.
    """

    columns: tuple[str, ...]  # of the table; the first names the case, one is ``error``

    def __init__(
        self,
        output_dir: str | Path,
        save_probability: bool = False,
        save_overlay: bool = False,
        skip_existing: bool = False,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.save_probability, self.save_overlay = save_probability, save_overlay
        self.skip_existing = skip_existing
        self.table = self.output_dir / "findings.csv"
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.due = 0.0
        self.signals = StopSignals()
        self.is_started = False
        self.error: BaseException | None = None
        self.logger = logging.getLogger(type(self).__module__)

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.save)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.stop)
        if engine.state.epoch_length == 0:  # all is done: MONAI then runs nothing, and no event comes
            self.start(engine)
            self.finish(engine)

    def find(self, item: dict[str, Any], output: dict[str, Any], target: Path) -> list[dict[str, Any]]:
        """Write the files of a case and return its rows, without the column that names it.

        That of the longest name comes first, so that a case whose name is too long leaves nothing behind, and that by
        which it counts as done last.

        Args:
            item: of the batch.
            output: what was found in it.
            target: path of the results, to which ``_write`` adds what they are.
        """
        raise NotImplementedError

    def name(self, item: dict[str, Any]) -> str:
        """How the table names a case."""
        raise NotImplementedError

    def is_current(self, name: str) -> bool:
        """Whether a row of an earlier run still stands for something."""
        raise NotImplementedError

    def start(self, engine: Workflow) -> None:
        """Take up the rows of an earlier run."""
        self.signals.take()
        if self.skip_existing and self.table.is_file():
            for row in read_findings(self.table, self.columns):
                name = row[self.columns[0]]
                if not row["error"] and self.is_current(name):
                    self.rows.setdefault(name, []).append(dict(row))
        self.is_started = True

    def save(self, engine: Workflow) -> None:
        """Write the files of the cases just segmented."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            name = self.name(item)
            try:
                if item["error"]:
                    raise UserError(item["error"])
                rows = self._find(item, output)
            except UserError as error:
                self.logger.error("%s", error)
                rows = [{"error": str(error)}]
            self.rows[name] = [{self.columns[0]: name} | row for row in rows]
        self.signals.raise_lost()
        if time.monotonic() > self.due:
            self.write_table()

    def finish(self, engine: Workflow) -> None:
        """Write all rows."""
        self.write_table()
        self.signals.give_back()

    def stop(self, engine: Workflow, error: BaseException) -> None:
        """Write the rows known so far, say how to go on, and let the error go on its way."""
        if not self.is_started or error is self.error:  # else nothing was done; Ignite tells of an error twice
            self.signals.give_back()
            raise error
        self.error = error
        try:
            self.write_table()
        except OSError as second:  # the first error is the one to tell
            self.logger.error("the last rows could not be written: %s", message_behind(second) or second)
        finally:
            self.signals.give_back()
        done = sum(not rows[0].get("error") for rows in self.rows.values())
        self.logger.info(
            "stopped with %d done, see %s; to go on repeat the command with --output_dir %s --skip_existing True",
            *(done, self.table, self.output_dir),
        )
        raise error

    def write_table(self) -> None:
        """Write the rows known so far."""
        begun = time.monotonic()
        rows = [row for _, rows in sorted(self.rows.items()) for row in rows]
        atomic_write_table(self.table, self.columns, rows)
        ended = time.monotonic()
        self.due = ended + max(SECONDS_BETWEEN_TABLES, (ended - begun) / SHARE_OF_TABLES)

    def _find(self, item: dict[str, Any], output: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return self.find(item, output, self.output_dir / item["id"])
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise UserError(f"{item['file']}: the name of a result would be too long; give it a shorter one") from error

    def _write(self, target: Path, kind: str, pixels: np.ndarray) -> None:
        with atomic_path(target.with_name(f"{target.name}_{kind}.png")) as temporary:
            Image.fromarray(pixels).save(temporary)


class PictureFindings(FindingsHandler):
    """The findings of pictures, which the table names by their files.

    Args:
        input_dir: folder that was read, or one picture; names in the table are relative to it.
        output_dir: folder to write to; sub-folders of the input are mirrored.
        save_probability: also write the probability, 16 bit, 65535 is 1.
        save_overlay: also write the picture with the outlines of what was found.
        skip_existing: keep the rows of an earlier run for the pictures that are not segmented again.
    """

    def __init__(
        self,
        input_dir: str | Path,
        output_dir: str | Path,
        save_probability: bool = False,
        save_overlay: bool = False,
        skip_existing: bool = False,
    ) -> None:
        super().__init__(output_dir, save_probability, save_overlay, skip_existing)
        self.input_dir = Path(input_dir)
        if self.input_dir.is_file():
            self.input_dir = self.input_dir.parent

    def name(self, item: dict[str, Any]) -> str:
        return Path(item["file"]).relative_to(self.input_dir).as_posix()

    def is_current(self, name: str) -> bool:
        return (self.input_dir / name).is_file()


def refuse_nan(item: dict[str, Any], probability: np.ndarray) -> None:
    """NaN is above no threshold: without an error it would pass for nothing found."""
    if np.isnan(probability).any():
        raise UserError(f"{item['file']}: the network gave NaN; try --amp False, or check its weights")


def read_findings(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of ``findings.csv``.

    Args:
        table: the file.
        columns: that it may have.

    Raises:
        UserError: it has others.
    """
    found, rows = read_table(table)
    if unknown := sorted(set(found) - set(columns)):
        raise UserError(
            f"output_dir: {table} is of another bundle or of an older version, with the columns "
            f"{', '.join(unknown)}; give another --output_dir"
        )
    return [row for _, row in rows]


def refuse_failures(cases: list[dict[str, str]], table: Path, what: str = "pictures") -> None:
    """End an inference with an error if it left cases out.

    Args:
        cases: one row of each.
        table: where the rows are from.
        what: they are.

    Raises:
        UserError: some cases could not be segmented.
    """
    if failed := [row for row in cases if row["error"]]:
        raise UserError(
            f"{len(failed)} of {len(cases)} {what} could not be segmented, the others are done; see {table}, "
            "mend them, and repeat the command with --skip_existing True"
        )


def to_16_bits(probability: np.ndarray) -> np.ndarray:
    """Probabilities as uint16, 65535 is 1.

    Example:
        >>> to_16_bits(np.array([0, 0.5, 1])).tolist()
        [0, 32768, 65535]
    """
    scaled = 65535 * probability
    return np.rint(scaled, out=scaled).astype(np.uint16)
