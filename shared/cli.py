"""The commands of `python -m shared`. Each function is one command; its docstring is the command's help."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import fire
from fire.decorators import SetParseFns
from fire.parser import DefaultParseValue

from .errors import UserError

__all__ = ["main"]

PROGRAM = "python -m shared"
FROM = re.compile("^--from(?=$|=)")  # a word of Python's own cannot name an argument


def prepare_dsb(
    source: str,
    output: str,
    groups: str | None = None,
    num_folds: int = 5,
    seed: int = 0,
    num_workers: int | None = None,
    split: str = "folds",
) -> str:
    """Turn the 2018 Data Science Bowl's nuclei into a data set to train on.

    Checks every file, merges the masks of each picture's nuclei into one label map and writes datalist.json with folds.
    Pictures are never re-encoded: a zip is extracted, a folder is referenced. All faults are reported at once.

    Options:
        --source       stage1_train.zip as downloaded, the competition zip that holds it, or the unpacked folder
        --output       folder of the data set; must be new or empty
        --groups       table id,group: pictures of one group stay in one fold (default: each picture is its own group)
        --num_folds    number of folds, 2 or more (default 5)
        --seed         seed of the folds (default 0)
        --num_workers  processes (default: one per core)
        --split        folds, or reference: the 80/20 split of pytorch-nested-unet, fold 0 its validation set (default
                       folds)

    Example:
        python -m shared prepare dsb --source stage1_train.zip --output data/dsb
    """
    from .datasets import dsb

    return dsb.format_summary(dsb.prepare(source, output, groups, num_folds, seed, num_workers, split))


def prepare_folder(
    images: str,
    masks: str,
    output: str,
    num_folds: int = 5,
    seed: int = 0,
    groups: str | None = None,
    missing: str = "error",
    threshold: float | None = None,
    kind: str = "auto",
    num_workers: int | None = None,
) -> str:
    """Turn a folder of pictures and a folder of masks into a data set to train on.

    PNG, TIFF, JPEG and BMP, 8 or 16 bit, grey or colour, any sizes. A mask has the name of its picture, with or without
    an ending such as _mask or _seg; sub-folders count. Pictures are referenced, not copied. All faults are reported at
    once.

    Options:
        --images       folder of the pictures
        --masks        folder of the masks; with one sub-folder per class, each holds binary masks of that class
        --output       folder of the data set; must be new or empty
        --num_folds    number of folds, 2 or more (default 5)
        --seed         seed of the folds (default 0)
        --groups       table id,group: pictures of one group stay in one fold (default: each picture is its own group)
        --missing      a picture without a mask is an error, or empty: nothing to find in it (default error)
        --threshold    grey-valued masks: what exceeds it is foreground
        --kind         binary, instances (each object its own number), classes (each class its number), or auto:
                       decided by all masks together (default auto)
        --num_workers  threads (default: one per core)

    Example:
        python -m shared prepare folder --images pictures --masks masks --output data/mine
    """
    from .datasets import folder

    return folder.format_summary(
        folder.prepare(images, masks, output, num_folds, seed, groups, missing, threshold, kind, num_workers)
    )


def synthesize_dsb(output: str, cases: int = 40, seed: int = 0, size: str | None = None) -> str:
    """Draw nuclei in the raw layout of the 2018 Data Science Bowl, to try everything without a download.

    Options:
        --output  folder to write; must be new or empty
        --cases   number of pictures (default 40)
        --seed    seed; one seed gives the same pictures anywhere (default 0)
        --size    HEIGHTxWIDTH of every picture, such as 256x320 (default: a mixture of sizes)

    Example:
        python -m shared synthesize dsb --output data/dsb_raw --cases 40 --seed 0
    """
    from .synthetic import dsb

    ids = dsb.synthesize(output, cases, seed, size)
    return f"{len(ids)} pictures in {output}; next: {PROGRAM} prepare dsb --source {output} --output DIR"


def bench(
    bundle: str,
    mode: str = "infer",
    batch_size: int = 16,
    size: str = "96x96",
    amp: str = "auto",
    device: str | None = None,
    warmup: int = 3,
    steps: int = 20,
    dataset_dir: str | None = None,
    checkpoint: str | None = None,
    seed: int = 0,
    output: str | None = None,
) -> str:
    """Measure how fast a bundle trains, infers or loads data, beside plain float32 in one run.

    Prints pictures per second, latency (mean and percentiles) and peak memory, and writes them as JSON.

    Options:
        --bundle       folder of the bundle, or its name; may stand first without --bundle
        --mode         train (whole steps), infer (calls of the network) or data (the loader alone) (default infer)
        --batch_size   pictures per step (default 16)
        --size         HEIGHTxWIDTH of the generated pictures (default 96x96)
        --amp          precision to compare with float32: auto, True or False (default auto)
        --device       cpu, cuda, ... (default: a GPU if there is one)
        --warmup       steps that are not counted (default 3)
        --steps        steps that are (default 20)
        --dataset_dir  prepared data set, for the mode data
        --checkpoint   weights (default: drawn at random)
        --seed         seed of weights and pictures (default 0)
        --output       JSON file (default results/bench/BUNDLE_MODE.json)

    Example:
        python -m shared bench unet_dsb --mode train
    """
    from .bench import bench as run_bench
    from .bench import format_bench

    folder = Path(bundle) if Path(bundle).is_dir() else Path("bundles") / bundle
    sides = size.split("x")
    if not all(side.isdecimal() for side in sides):
        raise UsageError(f"--size takes HEIGHTxWIDTH, got {size!r}")
    if amp not in ("auto", "True", "False"):
        raise UsageError(f"--amp takes auto, True or False, got {amp!r}")
    target = output or f"results/bench/{folder.name}_{mode}.json"
    result = run_bench(
        folder,
        mode,
        batch_size=batch_size,
        size=tuple(int(side) for side in sides),
        amp=amp if amp == "auto" else amp == "True",
        device=device,
        warmup=warmup,
        steps=steps,
        dataset_dir=dataset_dir,
        checkpoint=checkpoint,
        seed=seed,
        output=target,
    )
    return f"{format_bench(result)}\n{target}"


def release(source: str, output: str, from_: str) -> str:
    """Turn weights of another program into weights of a bundle.

    Options:
        --from    whose weights: nested_unet for a model.pth of pytorch-nested-unet (UNet or NestedUNet)
        --source  the file with the weights
        --output  file to write; must be new

    Example:
        python -m shared release --from nested_unet --source model.pth --output model.pt
    """
    from .deploy import release_nested_unet

    if from_ != "nested_unet":
        raise UsageError(f"--from takes nested_unet, got {from_!r}")
    return release_nested_unet(source, output)


COMMANDS: dict[str, dict[str, Callable[..., str]] | Callable[..., str]] = {
    "bench": bench,
    "release": release,
    "prepare": {"dsb": prepare_dsb, "folder": prepare_folder},
    "synthesize": {"dsb": synthesize_dsb},
}
SUMMARIES = {
    "release": "turn weights of another program into weights of a bundle",
    "bench": "measure how fast a bundle trains, infers or loads data",
    "prepare": "turn a data set as downloaded, or your own, into one to train on",
    "synthesize": "draw a learnable stand-in for a data set, in its raw layout",
}


class UsageError(Exception):
    """The command line itself is wrong; ends with exit code 2."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 a mistake in data or environment, 2 a wrong command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left", file=sys.stderr)
        return 130


def _run(words: list[str]) -> int:
    wants_help = not words or any(word in ("-h", "--help", "help") for word in words)
    names = [word for word in words if word not in ("-h", "--help", "help")]
    if not names:
        print(_overview())
        return 0
    verb = _choose(names[0], COMMANDS, "command")
    known, rest = COMMANDS[verb], [FROM.sub("--from_", word) for word in names[1:]]
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
    hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
    raise UsageError(f"no {what} {word!r}{hint} See {PROGRAM} --help")


def _check(command: Callable[..., str], rest: list[str], see: str) -> None:
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
            raise UsageError(f"no option --{name}; did you mean --{near}? See {see}")
        if not equals:
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
            if kind.startswith("int") and (isinstance(value, bool) or not isinstance(value, int)):
                raise UsageError(f"--{name} takes a whole number, got {given[name]!r}; see {see}")
            if kind.startswith("float") and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise UsageError(f"--{name} takes a number, got {given[name]!r}; see {see}")


def _with_types(command: Callable[..., str]) -> Callable[..., str]:
    """Keep texts texts: Fire would read a folder called 2018 as a number."""
    texts = {n: str for n, p in inspect.signature(command).parameters.items() if "str" in str(p.annotation)}
    return SetParseFns(**texts)(command)


def _options(command: Callable[..., str]) -> dict[str, inspect.Parameter]:
    """Parameters by the names that a person types."""
    return {name.rstrip("_"): parameter for name, parameter in inspect.signature(command).parameters.items()}


def _overview() -> str:
    lines = [f"usage: {PROGRAM} COMMAND [DATA_SET] --option value ...", "", "commands:"]
    for verb, known in COMMANDS.items():
        sets = "" if callable(known) else f" ({', '.join(known)})"
        lines.append(f"  {verb:12} {SUMMARIES[verb]}{sets}")
    lines += [
        "",
        f"{PROGRAM} COMMAND --help tells more about one.",
        "Training, evaluation and inference: python -m monai.bundle run; see README.md.",
    ]
    return "\n".join(lines)


def _verb_help(verb: str, sets: dict[str, Callable[..., str]]) -> str:
    lines = [f"usage: {PROGRAM} {verb} DATA_SET --option value ...", "", "data sets:"]
    for name, command in sets.items():
        lines.append(f"  {name:12} {(inspect.getdoc(command) or '').splitlines()[0]}")
    return "\n".join([*lines, "", f"{PROGRAM} {verb} DATA_SET --help lists the options."])


def _command_help(title: str, command: Callable[..., str]) -> str:
    words = [
        f"--{option} {option.upper()}" if parameter.default is parameter.empty else f"[--{option} {option.upper()}]"
        for option, parameter in _options(command).items()
    ]
    return f"usage: {PROGRAM} {title} {' '.join(words)}\n\n{inspect.getdoc(command)}"
