"""The code behind classes, functions and whole pipelines, as short names that an edit changes."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import secrets
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

import monai
import numpy as np
import torch

__all__ = ["code_of", "fingerprint_of"]

PACKAGE, _, _ = __name__.rpartition(".")  # another name where it is packed
ROOMS = ("datasets", "transforms")  # of this package, whose code makes items
STANDARD = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
INSTALLED = {"site-packages", "dist-packages"}  # of this environment, of the system or of the user
PLAIN = (bool, int, float, complex, str, bytes, PurePath, slice, range, torch.dtype, torch.device, np.dtype, type(...))


@cache
def code_of(kind: type) -> str:
    """Name of a class and SHA-256 of the files that define it and its bases.

    One without a file, typed into an interpreter, equals no other, not even itself in another process.
    """
    digest = hashlib.sha256()
    for base in kind.__mro__[:-1]:
        try:
            digest.update(hashlib.sha256(Path(inspect.getfile(base)).read_bytes()).digest())
        except (TypeError, OSError):  # nothing tells two of one name apart
            if base.__module__ != "builtins":
                digest.update(secrets.token_bytes())
    return f"{kind.__module__}.{kind.__qualname__} {digest.hexdigest()}"


def fingerprint_of(value: Any) -> str:
    """SHA-256 of all that decides what a value, such as a list of transforms, computes.

    That is the state of all objects in it, nested ones as well, and the code behind them: the files of their classes
    and functions and the modules that these use, followed as far as libraries, of which the version counts; of lambdas
    and functions without a file what Python made of them, with the values that they refer to; and all of this
    package that makes items. What only a call imports, and the state of generators of random numbers, is not seen.

    Args:
        value: anything; it is not changed.

    Returns:
        64 hexadecimal digits, the same in every process as long as nothing was edited.

    Example:
        >>> double, triple, again = (lambda x: 2 * x), (lambda x: 3 * x), (lambda x: 2 * x)
        >>> fingerprint_of([double]) == fingerprint_of([again]), fingerprint_of([double]) == fingerprint_of([triple])
        (True, False)
    """
    words = chain([f"torch {torch.__version__} monai {monai.__version__}", _rooms()], _Walk().of(value))
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{len(word)} {word}".encode(errors="surrogatepass"))
    return digest.hexdigest()


@cache
def _rooms() -> str:
    """The sources of this package that make items."""
    here, digest = Path(__file__).parent, hashlib.sha256()
    for room in ROOMS:
        for file in sorted((here / room).rglob("*.py")):
            digest.update(str(file.relative_to(here)).encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _is_library(module: types.ModuleType) -> bool:
    if PACKAGE and module.__name__.startswith(f"{PACKAGE}."):
        return False  # also where it is installed among libraries
    file = getattr(module, "__file__", None)
    return not file or not INSTALLED.isdisjoint(Path(file).parts) or any(map(Path(file).is_relative_to, STANDARD))


class _Walk:
    """Describes values in words, each object and each module once."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[int, Any]] = {}  # with the object, so that its id stays its own
        self.modules: set[str] = set()

    def of(self, value: Any) -> Iterator[str]:
        if value is None or (isinstance(value, PLAIN) and not isinstance(value, enum.Enum)):
            yield f"{type(value).__name__} {value!r}"
            return
        if id(value) in self.seen:
            yield f"again {self.seen[id(value)][0]}"
            return
        if not isinstance(value, tuple):  # whether equal tuples are one is up to Python
            self.seen[id(value)] = len(self.seen), value
        if isinstance(value, enum.Enum):
            yield f"enum {type(value).__qualname__}.{value.name}"
        elif isinstance(value, types.ModuleType):
            yield from self.of_module(value)
        elif isinstance(value, type):
            yield from self.of_class(value)
        elif isinstance(value, types.FunctionType):
            yield from self.of_function(value)
        elif isinstance(value, types.MethodType):
            yield from chain(self.of(value.__func__), self.of(value.__self__))
        elif isinstance(value, types.BuiltinFunctionType):
            yield f"builtin {value.__module__} {value.__qualname__}"
        elif isinstance(value, functools.partial):
            yield "partial"
            yield from chain(self.of(value.func), self.of(value.args), self.of(value.keywords))
        else:
            yield from self.of_object(value)

    def of_module(self, module: types.ModuleType) -> Iterator[str]:
        """Its file and those that it uses, as far as libraries."""
        if module.__name__ in self.modules:
            return
        self.modules.add(module.__name__)
        if _is_library(module):
            library = module.__name__.partition(".")[0]
            if library not in self.modules or library == module.__name__:
                self.modules.add(library)
                yield f"library {library} {getattr(sys.modules.get(library), '__version__', '')}"
            return
        yield f"module {module.__name__} {_file(module.__file__)}"
        for used in list(vars(module).values()):
            if isinstance(used, types.ModuleType):
                yield from self.of_module(used)
            elif isinstance(used, type | types.FunctionType):
                yield from self.of_module_named(used.__module__)

    def of_module_named(self, name: str | None) -> Iterator[str]:
        module = sys.modules.get(name or "")
        if module is not None:
            yield from self.of_module(module)

    def of_class(self, kind: type) -> Iterator[str]:
        yield f"class {kind.__module__}.{kind.__qualname__}"
        for base in kind.__mro__[:-1]:
            try:
                yield _file(inspect.getfile(base))
            except (TypeError, OSError):  # compiled, or typed into an interpreter
                for name, member in sorted(vars(base).items()):
                    inner = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
                    if isinstance(inner, types.FunctionType):
                        yield name
                        yield from self.of(inner)
                    elif isinstance(inner, PLAIN) and not name.startswith("__"):
                        yield f"{name} {inner!r}"
            yield from self.of_module_named(base.__module__)

    def of_function(self, function: types.FunctionType) -> Iterator[str]:
        yield f"function {function.__module__}.{function.__qualname__}"
        yield from self.of_module_named(function.__module__)
        yield from self.of((function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            yield from self.of(cell.cell_contents)
        module = sys.modules.get(function.__module__)
        if module is not None and vars(module) is function.__globals__ and _is_library(module):
            return
        yield from self.of_code(function.__code__)
        names, texts = _names_in(function.__code__)
        for name in sorted(names & function.__globals__.keys()):
            yield name
            used = function.__globals__[name]
            if isinstance(used, dict):  # that of a bundle's configuration holds all that was parsed
                used = {key: used[key] for key in sorted(texts & used.keys())}
            yield from self.of(used)
        yield from self.of(vars(function).get("__wrapped__"))

    def of_code(self, code: types.CodeType) -> Iterator[str]:
        yield f"code {code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
        for constant in code.co_consts:
            yield from self.of_code(constant) if isinstance(constant, types.CodeType) else self.of(constant)

    def of_object(self, value: Any) -> Iterator[str]:
        yield from self.of(type(value))
        yield from self.of(getattr(value, "__dict__", {}).get("__wrapped__"))
        if isinstance(value, np.random.RandomState | np.random.Generator | torch.Generator):
            return
        if isinstance(value, torch.Tensor):
            pixels = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            yield f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(pixels.data).hexdigest()}"
        elif isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from chain(self.of(key), self.of(item))
        elif isinstance(value, set | frozenset):
            yield from sorted("".join(_Walk().of(item)) for item in value)
        elif isinstance(value, list | tuple):
            yield str(len(value))
            for item in value:
                yield from self.of(item)
        elif type(value).__reduce__ is object.__reduce__ and type(value).__reduce_ex__ is object.__reduce_ex__:
            yield from self.of_state(value)
        else:
            yield from self.of_parts(value)
        if isinstance(value, Mapping | list | tuple | set):
            yield from self.of_state(value)

    def of_state(self, value: Any) -> Iterator[str]:
        slots = [name for kind in type(value).__mro__ for name in np.atleast_1d(vars(kind).get("__slots__", ()))]
        state = dict(getattr(value, "__dict__", {})) | {s: getattr(value, s) for s in slots if hasattr(value, s)}
        for name, item in sorted(state.items()):
            yield name
            yield from self.of(item)

    def of_parts(self, value: Any) -> Iterator[str]:
        """What pickle would make it of; locks, open files and their like have nothing that it could be made of."""
        try:
            parts = value.__reduce_ex__(4)
        except Exception:  # each kind has its own way to refuse
            return
        for part in parts if isinstance(parts, tuple) else (parts,):
            yield from self.of(list(part) if isinstance(part, Iterator) else part)


def _names_in(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Global names and texts in a function and those inside it."""
    names, texts = set(code.co_names), {constant for constant in code.co_consts if isinstance(constant, str)}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            more, other = _names_in(constant)
            names, texts = names | more, texts | other
    return names, texts


def _file(path: str | None) -> str:
    try:
        return hashlib.sha256(Path(path or "").read_bytes()).hexdigest()
    except OSError:
        return ""
