"""A fork of the preloaded Python behaves as a Python that has just been started."""

import signal

import pytest
from starting import Command


@pytest.fixture(params=[False, True], ids=["forked", "fresh"])
def ended(request, tmp_path):
    """Start a program; how it ended and what it printed."""

    def run(program, *words):
        command = Command("-c", program, *words, folder=tmp_path, env={"PATH": "", "ONLY": "this"}, fresh=request.param)
        printed = command.communicate()
        return command.returncode, *printed

    return run


def test_it_has_the_words_folder_environment_and_name_of_a_command(ended, tmp_path):
    program = (
        "import os, sys; print(sys.argv, os.getcwd(), os.environ['ONLY'], 'HOME' in os.environ, __name__, sys.path[0])"
    )
    assert ended(program, "a") == (0, f"['-c', 'a'] {tmp_path} this False __main__ \n", "")


def test_it_ends_as_python_ends(ended):
    code, out, err = ended("import atexit; atexit.register(print, 'bye'); 1/0")
    assert (code, out, err.splitlines()[-1]) == (1, "bye\n", "ZeroDivisionError: division by zero")
    assert ended("import sys; sys.exit('why')") == (1, "", "why\n")
    assert ended("import signal; signal.raise_signal(signal.SIGKILL)")[0] == -signal.SIGKILL
    code, _, err = ended("import signal; signal.raise_signal(signal.SIGINT)")
    assert (code, err.splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")
    hooked = "import sys; sys.excepthook = lambda *_: print('hooked'); 1/0"
    assert ended(hooked) == (1, "hooked\n", "")


def test_neither_this_project_nor_what_some_run_without_is_imported_before(ended):
    names = {"shared", "openvino", "onnx", "onnxruntime"}
    assert ended(f"import sys; print(set(sys.modules) & {names})")[1] == "set()\n"
