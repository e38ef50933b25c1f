"""Run as a script: a Python that has imported what takes seconds, and forks into each command that it is asked for.

The child is an interpreter like any other: what it does with an exception, a signal or its end is Python's own doing.
``starting.py`` starts it and asks.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import types
from pathlib import Path

# What commands import of other packages; not this project's own code, and not what some runs must be without.
MODULES = """
    monai.bundle monai.engines monai.handlers ignite.distributed ignite.handlers.tensorboard_logger nibabel psutil tqdm
    tifffile fire PIL.Image PIL.ImageDraw PIL.PngImagePlugin matplotlib.backends.backend_agg matplotlib.figure
    scipy.ndimage scipy.special scipy.sparse.csgraph scipy.stats
    skimage.color skimage.io skimage.measure skimage.morphology skimage.segmentation skimage.transform
    torch._dynamo torch.utils.tensorboard
""".split()


def next_command():
    """Answer requests for ever; in each child, return the words of its command."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ends with its control, not with a Ctrl-C that is meant for another
    guardians = set()
    while True:
        request, files, *_ = socket.recv_fds(control, 2**20, 3)
        guardians -= {pid for pid in guardians if os.waitpid(pid, os.WNOHANG)[0]}
        if not request:
            os._exit(0)
        if not (pid := os.fork()):
            break
        guardians.add(pid)
        for file in files:
            os.close(file)
    control.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report, *outputs = files
    if pid := os.fork():
        guard(report, pid)
    os.close(report)
    for number, file in enumerate(outputs, start=1):
        os.dup2(file, number)
        os.close(file)
    return json.loads(request)


def guard(report, pid):
    """Tell the number of the command's process, and how it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(report, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(words, folder, environment):
    """Run ``-m module ...`` or ``-c program ...`` as a Python that has just been started."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.modules["numpy"].random.seed()  # else the same numbers in every child
    kind, what, *arguments = words
    sys.path[0] = str(Path.cwd()) if kind == "-m" else ""
    sys.argv = [kind, *arguments]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), main.__dict__)


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()
    become(**next_command())
