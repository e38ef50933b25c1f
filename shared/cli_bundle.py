"""The commands of `python -m shared` for bundles and their runs; each docstring is the command's help."""

from __future__ import annotations

import reprlib
from pathlib import Path

from .command_line import UsageError

__all__ = ["bench", "calibrate", "export", "folds", "pack", "release"]


def bench(
    bundle: str,
    mode: str = "infer",
    batch_size: int | None = None,
    size: str | None = None,
    amp: str = "auto",
    engine: str = "eager",
    device: str | None = None,
    warmup: int = 3,
    steps: int = 20,
    dataset_dir: str | None = None,
    checkpoint: str | None = None,
    seed: int = 0,
    output: str | None = None,
    overlay: str | None = None,
) -> str:
    """Measure how fast a bundle trains, infers, loads data or does whole cases, beside plain float32 in one run.

    Prints pictures (or cases) per second, latency (mean and percentiles) and peak memory; with --output
    writes them as JSON as well.

    Options:
        --bundle       folder of the bundle, or its name; may stand first without --bundle
        --mode         train (whole steps), infer (calls of the network), data (the loader alone) or case (whole cases,
                       from reading the file to the mask in its geometry; no result is written) (default infer)
        --batch_size   pictures per step (default 16); not for the mode case
        --size         HEIGHTxWIDTH of the generated pictures (default 96x96), WIDTHxHEIGHTxDEPTH of volumes; likewise
        --amp          precision to compare with float32: auto, True or False (default auto)
        --engine       what computes the network, for the modes infer and case: eager, auto, openvino or compile
                       (default eager)
        --device       cpu, cuda, ... (default: a GPU if there is one)
        --warmup       steps that are not counted (default 3)
        --steps        steps that are (default 20); in the mode case each is the next case
        --dataset_dir  prepared data set, for the mode data; folder of pictures or patients, or one, for the mode case
        --checkpoint   weights (default: drawn at random; in the mode case the bundle's)
        --seed         seed of weights and pictures (default 0)
        --output       JSON file to write as well
        --overlay      configurations laid over train.json, with commas between them: files, or names of the bundle's,
                       such as reference; in the mode case over inference.json, such as tta

    Example:
        python -m shared bench unet_dsb --mode train
    """
    from .bench import bench as run_bench
    from .bench import format_bench

    folder = _bundle_folder(bundle)
    sides = size.split("x") if size is not None else []
    if not all(side.isdecimal() and len(side) < 10 for side in sides):
        raise UsageError(f"--size takes HEIGHTxWIDTH or WIDTHxHEIGHTxDEPTH, got {reprlib.repr(size)}")
    if amp not in ("auto", "True", "False"):
        raise UsageError(f"--amp takes auto, True or False, got {amp!r}")
    result = run_bench(
        folder,
        mode,
        batch_size=batch_size,
        size=None if size is None else tuple(int(side) for side in sides),
        amp=amp if amp == "auto" else amp == "True",
        engine=engine,
        device=device,
        warmup=warmup,
        steps=steps,
        dataset_dir=dataset_dir,
        checkpoint=checkpoint,
        seed=seed,
        output=output,
        overlays=overlay.split(",") if overlay else (),
    )
    return format_bench(result)


def calibrate(
    source: str,
    missed: float = 20.0,
    false_alarm: float = 1.0,
    output: str | None = None,
    dataset_dir: str | None = None,
) -> str:
    """Find the threshold at which a network's mistakes cost least, for a bundle that decides OK or NG.

    Evaluates a run's network on its validation pictures, which take no part in the final score, or a bundle's on a data
    set that it has not learned from, and writes the cost over the threshold as a table and a picture. What matters is
    how many false alarms a missed defect outweighs.

    Options:
        --source       folder of the run, or of a bundle, or its name; may stand first without --source
        --missed       cost of a defective picture that passes (default 20, that of the DAGM competition)
        --false_alarm  cost of a sound picture that is rejected (default 1)
        --output       folder to write; must be new or empty (default RUN/calibration, where release finds it)
        --dataset_dir  prepared data set, for a bundle

    Example:
        python -m shared calibrate runs/surfaces --missed 50
    """
    from .deploy import calibrate_run

    named = _bundle_folder(source)
    return calibrate_run(named if named.is_dir() else source, missed, false_alarm, output, dataset_dir)


def folds(runs: str, output: str | None = None) -> str:
    """Bring the scores of a cross-validation together: of each fold, their mean and standard deviation.

    Reads summary.json of trainings or evaluations that have each scored the fold that they held out.

    Options:
        --runs    pattern of their folders, in quotes; may stand first without --runs
        --output  CSV file to write as well (default: none)

    Example:
        python -m shared folds "runs/nuclei_*"
    """
    from .deploy import summarise_folds

    return summarise_folds(runs, output)


def release(
    source: str, output: str | None = None, from_: str = "run", version: str | None = None, max_mb: float = 25.0
) -> str:
    """Turn a training run, or weights of another program, into weights of a bundle.

    A run's weights go to its bundle's models/model.pt in half precision; exactly these are evaluated on the fold that
    the run held out, and their figures written to results/, metadata.json and the bundle's README. If the run has been
    calibrated, its threshold becomes the bundle's.

    Options:
        --source   folder of the run, or the other program's file; may stand first without --source
        --output   other programs: file to write; must be new
        --from     run, or nested_unet for a model.pth of pytorch-nested-unet (UNet or NestedUNet) (default run)
        --version  a run's: of the bundle (default: the second number raised by one)
        --max_mb   a run's: megabytes that its weights may take in half precision (default 25)

    Example:
        python -m shared release runs/nuclei
    """
    from .deploy import release_nested_unet, release_run

    if from_ == "run":
        if output is not None:
            raise UsageError("--output goes with --from nested_unet; a run's weights go to its bundle")
        return release_run(source, version=version, max_mb=max_mb)
    if from_ != "nested_unet":
        raise UsageError(f"--from takes run or nested_unet, got {from_!r}")
    if output is None:
        raise UsageError("--output is needed with --from nested_unet")
    if version is not None:
        raise UsageError("--version goes with --from run; another program's weights have none")
    return release_nested_unet(source, output)


def pack(bundle: str, output: str = "dist", overwrite: bool = False) -> str:
    """Put a bundle and the code that it needs into one archive that runs alone.

    OUTPUT/BUNDLE.zip holds licence, configurations, documents, weights and a copy of this package under a name of its
    own. The same files give the same archive, byte for byte.

    Options:
        --bundle     folder of the bundle, or its name; may stand first without --bundle
        --output     folder to write to (default dist)
        --overwrite  replace an archive of another content (default False)

    Example:
        python -m shared pack bundles/unet_dsb
    """
    from .deploy import pack_bundle

    return pack_bundle(_bundle_folder(bundle), output, overwrite)


def export(
    bundle: str,
    output: str,
    check: bool = False,
    pictures: str | None = None,
    checkpoint: str | None = None,
    channels: int | None = None,
    num_classes: int | None = None,
    overlay: str | None = None,
) -> str:
    """Write a bundle's network as ONNX, for any batch and size, and compare it with PyTorch.

    Input is a prepared picture, output the network's logits; reading, tiling and what follows are not in it. With
    --check the file is written only if ONNX Runtime agrees with PyTorch. (TorchScript: python -m monai.bundle
    ckpt_export.)

    Options:
        --bundle       folder of the bundle, or its name; may stand first without --bundle
        --output       file to write; must be new
        --check        compare on generated pictures of several sizes and batches (default False)
        --pictures     folder of pictures, or one, to compare on instead
        --checkpoint   weights (default: the bundle's)
        --channels     as in the training of the weights (default: the bundle's)
        --num_classes  likewise
        --overlay      configurations laid over inference.json, with commas between them: files, or names of the
                       bundle's, such as reference_inference

    Example:
        python -m shared export unet_dsb --output nuclei.onnx --check
    """
    from .deploy import export_onnx

    if pictures is not None and not check:
        raise UsageError("--pictures goes with --check")
    knobs = {"channels": channels, "num_classes": num_classes}
    given = {name: value for name, value in knobs.items() if value is not None}
    overlays = overlay.split(",") if overlay else ()
    return export_onnx(_bundle_folder(bundle), output, check, pictures, checkpoint, given, overlays)


def _bundle_folder(bundle: str) -> Path:
    """The folder of a bundle that is named by it, or by its name alone."""
    return Path(bundle) if Path(bundle).is_dir() else Path("bundles") / bundle
