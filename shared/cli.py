"""The commands of `python -m shared`. Each function is one command; its docstring is the command's help."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .command_line import PROGRAM, UsageError, run_command
from .errors import UserError

__all__ = ["main"]


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


def prepare_dagm(
    source: str,
    output: str,
    class_id: int | None = None,
    num_folds: int = 5,
    seed: int = 0,
    num_workers: int | None = None,
) -> str:
    """Turn one class of DAGM 2007, defects of textured surfaces, into a data set to train on.

    Checks every file and Labels.txt against each other, writes a mask for each picture, empty where there is no defect,
    and datalist.json: Train in folds, Test apart; if only one of the two is there, in folds. Pictures are never
    re-encoded: a zip is extracted, a folder is referenced. All faults are reported at once.

    Options:
        --source       ClassN.zip as downloaded, a folder of such zips, or the unpacked folder
        --output       folder of the data set; must be new or empty
        --class_id     1 to 10, where the source holds several classes; each is a data set of its own
        --num_folds    number of folds, 2 or more (default 5)
        --seed         seed of the folds (default 0)
        --num_workers  threads (default: one per core)

    Example:
        python -m shared prepare dagm --source Class1.zip --output data/dagm1
    """
    from .datasets import dagm

    return dagm.format_summary(dagm.prepare(source, output, class_id, num_folds, seed, num_workers))


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


def synthesize_dagm(output: str, cases: int = 40, seed: int = 0, class_id: int = 1, size: str = "512x512") -> str:
    """Draw textured surfaces, some with a defect, in the raw layout of DAGM 2007, to try everything without a download.

    Options:
        --output    folder to write; must be new or empty
        --cases     number of pictures, half of them in Train, about a quarter defective (default 40)
        --seed      seed; one seed gives the same pictures anywhere (default 0)
        --class_id  1 to 10: which texture with which defect (default 1)
        --size      HEIGHTxWIDTH of every picture (default 512x512)

    Example:
        python -m shared synthesize dagm --output data/dagm_raw --cases 40 --class_id 1
    """
    from .synthetic import dagm

    names = dagm.synthesize(output, cases, seed, class_id, size)
    return f"{len(names)} pictures in {output}; next: {PROGRAM} prepare dagm --source {output} --output DIR"


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


def release(source: str, output: str | None = None, from_: str = "run", version: str | None = None) -> str:
    """Turn a training run, or weights of another program, into weights of a bundle.

    A run's weights go to its bundle's models/model.pt in half precision; exactly these are evaluated on the fold that
    the run held out, and their figures written to results/, metadata.json and the bundle's README.

    Options:
        --source   folder of the run, or the other program's file; may stand first without --source
        --output   other programs: file to write; must be new
        --from     run, or nested_unet for a model.pth of pytorch-nested-unet (UNet or NestedUNet) (default run)
        --version  of the bundle (default: the second number raised by one)

    Example:
        python -m shared release runs/nuclei
    """
    from .deploy import release_nested_unet, release_run

    if from_ == "run":
        if output is not None:
            raise UsageError("--output goes with --from nested_unet; a run's weights go to its bundle")
        return release_run(source, version=version)
    if from_ != "nested_unet":
        raise UsageError(f"--from takes run or nested_unet, got {from_!r}")
    if output is None:
        raise UsageError("--output is needed with --from nested_unet")
    return release_nested_unet(source, output)


COMMANDS: dict[str, dict[str, Callable[..., str]] | Callable[..., str]] = {
    "bench": bench,
    "release": release,
    "prepare": {"dagm": prepare_dagm, "dsb": prepare_dsb, "folder": prepare_folder},
    "synthesize": {"dagm": synthesize_dagm, "dsb": synthesize_dsb},
}
SUMMARIES = {
    "release": "turn a training run, or weights of another program, into weights of a bundle",
    "bench": "measure how fast a bundle trains, infers or loads data",
    "prepare": "turn a data set as downloaded, or your own, into one to train on",
    "synthesize": "draw a learnable stand-in for a data set, in its raw layout",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 a mistake in data or environment, 2 a wrong command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return run_command(words, COMMANDS, SUMMARIES)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is left", file=sys.stderr)
        return 130
