"""Ctrl-C and SIGTERM end a run in order: what is done is kept, and it is said how to go on."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["StopSignals"]


class StopSignals:
    """Makes SIGTERM end a run as Ctrl-C does, by an exception, which handlers see."""

    def __init__(self) -> None:
        self.before: dict[int, Any] = {}
        self.ending: BaseException | None = None

    def take(self) -> None:
        """Take the signals over; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return
        self.ending = None
        self.before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a run in the background ignores it
            self.before[signal.SIGINT] = signal.signal(signal.SIGINT, self._end)

    def raise_lost(self) -> None:
        """End the run if what a signal raised got lost, as it does in a callback of Python's own."""
        if self.ending is not None:
            raise self.ending

    def give_back(self) -> None:
        """Give the signals back to whom they belonged."""
        while self.before:
            signal.signal(*self.before.popitem())

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.ending = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        raise self.ending
