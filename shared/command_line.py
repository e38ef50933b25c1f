"""From the words of a command line to the function that is meant, with help and errors of one line."""

from __future__ import annotations

import difflib
import inspect
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import fire
from fire.decorators import SetParseFns
from fire.parser import DefaultParseValue

__all__ = ["PROGRAM", "UsageError", "options_of", "run_command"]

Command = Callable[..., str]
Commands = Mapping[str, Mapping[str, Command] | Command]

PROGRAM = "python -m shared"
HELP = ("-h", "--help")
LARGEST = 2**31 - 1
FROM = re.compile("^--from(?=$|=)")  # a word of Python's own cannot name an argument


class UsageError(Exception):
    """The command line itself is wrong; ends with exit code 2."""


def run_command(words: list[str], commands: Commands, summaries: Mapping[str, str]) -> int:
    """Run the command that ``words`` name, or print the help that they ask for.

    Args:
        words: such as ``["prepare", "dsb", "--source", "x.zip"]``; a first word ``help`` asks for help like ``--help``.
        commands: functions by name, or by name and data set; each returns what is printed.
        summaries: a line about each command.

    Returns:
        0.

    Raises:
        UsageError: no such command, data set or option, or a value of a wrong type.
    """
    wants_help = not words or words[0] == "help" or any(word in HELP for word in words)
    asked = words[1:] if words[:1] == ["help"] else words
    names = [word for word in asked if word not in HELP]
    if not names:
        print(_overview(commands, summaries))
        return 0
    verb = _choose(names[0], commands, "command")
    known, rest = commands[verb], [FROM.sub("--from_", word) for word in names[1:]]
    if callable(known):
        title, command = verb, known
        if rest and not rest[0].startswith("--"):  # its first option may stand without its name
            rest = [f"--{next(iter(inspect.signature(command).parameters))}", *rest]
    elif not rest or rest[0].startswith("-"):
        if wants_help:
            print(_verb_help(verb, known))
            return 0
        raise UsageError(f"{verb} what? One of: {', '.join(known)}; see {PROGRAM} {verb} --help")
    else:
        name = _choose(rest[0], known, "data set")
        title, command, rest = f"{verb} {name}", known[name], rest[1:]
    if wants_help:
        print(_command_help(title, command))
        return 0
    _check(command, rest, f"{PROGRAM} {title} --help")
    fire.Fire(_with_types(command), command=rest, name=f"{PROGRAM} {title}")
    return 0


def _choose(word: str, known: Iterable[str], what: str) -> str:
    if word in known:
        return word
    near = difflib.get_close_matches(word, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}."
    raise UsageError(f"no {what} {word!r}{hint} See {PROGRAM} --help")


def _check(command: Command, rest: list[str], see: str) -> None:
    """Refuse what Fire would answer with a page: unknown or missing options, values of a wrong type."""
    parameters = inspect.signature(command).parameters
    given: dict[str, str] = {}
    position = 0
    while position < len(rest):
        word = rest[position]
        if not word.startswith("--"):
            raise UsageError(f"{word!r} stands without an option in front of it; see {see}")
        name, equals, value = word[2:].partition("=")
        if name not in parameters:
            near = difflib.get_close_matches(name, list(parameters), n=1, cutoff=0.0)[0]
            raise UsageError(f"no option --{name}; did you mean --{near.rstrip('_')}? See {see}")
        if (
            not equals
            and _is_switch(parameters[name])
            and rest[position + 1 : position + 2] not in (["True"], ["False"])
        ):
            value = "True"
        elif not equals:
            position += 1
            if position == len(rest) or rest[position].startswith("--"):
                raise UsageError(f"--{name} needs a value; see {see}")
            value = rest[position]
        given[name] = value
        position += 1
    for name, parameter in parameters.items():
        if name not in given and parameter.default is parameter.empty:
            raise UsageError(f"--{name.rstrip('_')} is missing; see {see}")
        if name in given:
            value, kind = DefaultParseValue(given[name]), str(parameter.annotation)
            if kind.startswith("int") and not _is_whole(value):
                got = reprlib.repr(given[name])
                raise UsageError(f"--{name} takes a whole number up to {LARGEST}, got {got}; see {see}")
            if _is_switch(parameter) and not isinstance(value, bool):
                raise UsageError(f"--{name} takes True or False, or stands alone, got {given[name]!r}; see {see}")
            if kind.startswith("float") and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise UsageError(f"--{name} takes a number, got {given[name]!r}; see {see}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_switch(parameter: inspect.Parameter) -> bool:
    return str(parameter.annotation) == "bool"


def _with_types(command: Command) -> Command:
    """Keep texts texts: Fire would read a folder called 2018 as a number."""
    texts = {n: str for n, p in inspect.signature(command).parameters.items() if "str" in str(p.annotation)}
    return SetParseFns(**texts)(command)


def options_of(command: Command) -> dict[str, inspect.Parameter]:
    """Parameters by the names that a person types."""
    return {name.rstrip("_"): parameter for name, parameter in inspect.signature(command).parameters.items()}


def _overview(commands: Commands, summaries: Mapping[str, str]) -> str:
    lines = [f"usage: {PROGRAM} COMMAND [DATA_SET] --option value ...", "", "commands:"]
    for verb, known in commands.items():
        sets = "" if callable(known) else f" ({', '.join(known)})"
        lines.append(f"  {verb:12} {summaries[verb]}{sets}")
    lines += [
        "",
        f"{PROGRAM} COMMAND --help tells more about one.",
        "Training, evaluation and inference: python -m monai.bundle run; see README.md.",
    ]
    return "\n".join(lines)


def _verb_help(verb: str, sets: Mapping[str, Command]) -> str:
    lines = [f"usage: {PROGRAM} {verb} DATA_SET --option value ...", "", "data sets:"]
    for name, command in sets.items():
        lines.append(f"  {name:12} {(inspect.getdoc(command) or '').splitlines()[0]}")
    return "\n".join([*lines, "", f"{PROGRAM} {verb} DATA_SET --help lists the options."])


def _command_help(title: str, command: Command) -> str:
    words = [
        f"--{option} {option.upper()}" if parameter.default is parameter.empty else f"[--{option} {option.upper()}]"
        for option, parameter in options_of(command).items()
    ]
    return f"usage: {PROGRAM} {title} {' '.join(words)}\n\n{inspect.getdoc(command)}"
