"""Commands in processes of their own, without the seconds in which each would import MONAI."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

LIMIT = 600  # seconds; no command takes as long, on a machine of any load
WARM = sys.platform == "linux" and "FRESH_STARTS" not in os.environ


class Command:
    """A Python that has been started, as ``subprocess.Popen`` shows it; what it prints goes to files, so never blocks.

    Args:
        words: after Python's own name: ``-m module ...`` or ``-c program ...``.
        folder: in which it runs.
        env: its environment; by default this one.
        fresh: begin with the interpreter, and not with a fork of one that has imported MONAI.
    """

    def __init__(self, *words, folder=".", env=None, fresh=not WARM):
        words, env = [*map(str, words)], dict(os.environ if env is None else env)
        self._out, self._err = (tempfile.TemporaryFile("a+b") for _ in range(2))
        start = _Fresh if fresh else _Forked
        self.process = start(words, cwd=str(Path(folder).resolve()), env=env, stdout=self._out, stderr=self._err)
        self.poll, self.kill, self.send_signal = self.process.poll, self.process.kill, self.process.send_signal

    @property
    def returncode(self):
        return self.process.returncode

    def printed(self):
        """What it has printed until now: output and errors."""
        return tuple(os.pread(file.fileno(), 2**24, 0).decode() for file in (self._out, self._err))

    def communicate(self):
        """Wait for its end; what it has printed."""
        with self._out, self._err, self.process:
            try:
                self.process.wait(LIMIT)
            finally:
                self.kill()
            return self.printed()


class _Fresh(subprocess.Popen):
    def __init__(self, words, **options):
        super().__init__([sys.executable, *words], **options)


class _Forked:
    """The same of a child of ``warm_python.py``, whose guardian tells about it."""

    def __init__(self, words, cwd, env, stdout, stderr):
        self.returncode, self._told = None, b""
        self._report, theirs = socket.socketpair()
        with theirs:
            request = json.dumps({"words": words, "folder": cwd, "environment": env}).encode()
            socket.send_fds(_warm_python(), [request], [file.fileno() for file in (theirs, stdout, stderr)])
        self.pid = int(self._line(timeout=None))

    def _line(self, timeout):
        while b"\n" not in self._told:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("python", timeout)
            told = self._report.recv(64)
            assert told, "the preloaded Python has ended"
            self._told += told
        line, _, self._told = self._told.partition(b"\n")
        return line

    def wait(self, timeout=None):
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
        return self.returncode

    def poll(self):
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wait()
        self._report.close()


@cache
def _warm_python():
    """The preloaded Python of this process, which ends with it; requests go in here."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, str(Path(__file__).with_name("warm_python.py")), str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    @atexit.register
    def end():
        with process, ours:
            ours.shutdown(socket.SHUT_RDWR)

    return ours
