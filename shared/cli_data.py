"""`python -m shared prepare` and `synthesize`: a command for each data set; its docstring is the command's help."""

from __future__ import annotations

from .command_line import PROGRAM

__all__ = [
    "prepare_brats",
    "prepare_dagm",
    "prepare_dsb",
    "prepare_folder",
    "prepare_join",
    "synthesize_brats",
    "synthesize_dagm",
    "synthesize_dsb",
    "synthesize_surfaces",
]


def prepare_dsb(
    source: str,
    output: str,
    groups: str | None = None,
    num_folds: int | None = None,
    seed: int | None = None,
    num_workers: int | None = None,
    split: str = "folds",
) -> str:
    """Turn the 2018 Data Science Bowl's nuclei into a data set to train on.

    Checks every file, merges the masks of each picture's nuclei into one label map and writes datalist.json with folds.
    Pictures are never re-encoded: a zip is extracted, a folder is referenced. All faults are reported at once.

    Options:
        --source       stage1_train.zip as downloaded, the competition zip that holds it, or the unpacked folder
        --output       folder of the data set; must be new or empty
        --groups       CSV file with the columns id,group: pictures of one group stay in one fold (default: the groups
                       of the public set, in which many pictures are tiles of a larger one; pictures that are not in it
                       are named); an id is the name of a picture without .png, e.g. the line 00ae65...,slide7
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


def prepare_brats(
    source: str,
    output: str,
    table: str | None = None,
    groups: str | None = None,
    allow_missing: bool = False,
    label_convention: str | None = None,
    num_folds: int = 5,
    seed: int = 0,
    num_workers: int | None = None,
) -> str:
    """Turn brain tumours in MRI into a data set to train on: BraTS 2012 to 2024, Decathlon Task01, or your own.

    Checks every file and writes datalist.json with folds by patient; the volumes stay where they are, on their own grid
    and with their own label numbers. NIfTI, and .mha and .nrrd. All faults are reported at once.

    Options:
        --source            folder that the release was unpacked to; with --table the one from which its paths count
        --output            folder of the data set; must be new or empty
        --table             CSV file with the columns case,t1,t1ce,t2,flair,seg and, if wanted, grade,group,mask; for
                            files of other names
        --groups            CSV file with the columns id,group: cases of one group (patient) stay in one fold; an id is
                            what stands before _t1, or the folder of T1, e.g. the line pat7_may,pat7 for
                            pat7_may_t1.nii.gz and for pat7_may/T1.nii.gz (default: the group of the table, else names
                            of BraTS such as BraTS19_X_1, BraTS-GLI-00003-001 and brats_2013_pat0001_1 without their
                            last number; any other case is a patient of its own)
        --allow_missing     a case may lack modalities, but not all of them
        --label_convention  2015 (1 necrosis, 2 oedema, 3 non-enhancing, 4 enhancing), 2019 (1 necrosis and
                            non-enhancing, 2 oedema, 4 enhancing), 2023 (as 2019, but 3 enhancing), 2024 (as 2023,
                            and 4 the resection cavity, which counts as background) or decathlon (1 oedema, 2
                            non-enhancing, 3 enhancing); a table needs it (default: that of the layout)
        --num_folds         number of folds, 2 or more (default 5)
        --seed              seed of the folds (default 0)
        --num_workers       processes (default: one per core)

    Example:
        python -m shared prepare brats --source MICCAI_BraTS_2019_Data_Training --output data/brats
    """
    from .datasets import brats

    return brats.format_summary(
        brats.prepare(source, output, table, groups, allow_missing, label_convention, num_folds, seed, num_workers)
    )


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
        --groups       CSV file with the columns id,group: pictures of one group stay in one fold (default: each picture
                       is its own group); an id is a picture's path below the folder without its suffix, e.g. the line
                       day1/a,slide7 for day1/a.png
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


def prepare_join(sources: str, output: str) -> str:
    """Turn several prepared data sets into one, for a network that is to know them all.

    Each case keeps its fold; files are referenced, not copied.

    Options:
        --sources  folders of prepared data sets, with commas between them; of one kind and number of folds
        --output   folder of the data set; must be new or empty

    Example:
        python -m shared prepare join --sources data/dagm1,data/dagm8 --output data/dagm
    """
    from .datasets import join

    return join.format_summary(join.join(sources.split(","), output))


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


def synthesize_brats(output: str, cases: int = 8, seed: int = 0, size: str = "240x240x155") -> str:
    """Draw heads with tumours in the raw layout of BraTS 2019, to try everything without a download.

    Options:
        --output  folder to write; must be new or empty
        --cases   number of heads, each fourth with a low-grade tumour (default 8)
        --seed    seed; one seed gives the same heads anywhere (default 0)
        --size    voxels of 1 mm to the left, to the back and upwards (default 240x240x155)

    Example:
        python -m shared synthesize brats --output data/brats_raw --cases 8 --size 64x64x48
    """
    from .synthetic import brats

    ids = brats.synthesize(output, cases, seed, size)
    return f"{len(ids)} heads in {output}; next: {PROGRAM} prepare brats --source {output} --output DIR"


def synthesize_surfaces(output: str, cases: int = 60, seed: int = 0) -> str:
    """Draw photographs of wood, metal and leather, every other one with a flaw, in folders of pictures and masks.

    A hard set of many sizes, for `prepare folder`; unlike that of DAGM in every respect.

    Options:
        --output  folder to write; must be new or empty
        --cases   number of pictures (default 60)
        --seed    seed; one seed gives the same pictures anywhere (default 0)

    Example:
        python -m shared synthesize surfaces --output data/surfaces_raw
    """
    from .synthetic import surfaces

    names = surfaces.synthesize(output, cases, seed)
    where = f"--images {output}/images --masks {output}/masks --missing empty --threshold 0 --output DIR"
    return f"{len(names)} pictures in {output}; next: {PROGRAM} prepare folder {where}"
