"""Where the voxels of a NIfTI file lie: read from its header, and written into another file."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from .faults import Fault
from .files import open_file
from .volume import GZIP

__all__ = ["nifti_on_grid", "read_header"]

GRID = ("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
        "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")  # fmt: skip


def read_header(path: str | Path) -> nib.Nifti1Header | None:
    """Read the header of a NIfTI file and no voxel, whatever its suffix says.

    Returns:
        ``None`` if the file is no NIfTI or cannot be read; of what is wrong with it, ``read_volume`` tells.
    """
    path = Path(path)
    try:
        with open_file(path) as file:
            is_packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            start = (gzip.GzipFile(fileobj=file) if is_packed else file).read(nib.Nifti2Header.sizeof_hdr)
        for kind in (nib.Nifti1Header, nib.Nifti2Header):
            if kind.may_contain_header(start):
                return kind(start[: kind.sizeof_hdr])
    except (Fault, OSError, EOFError, zlib.error, HeaderDataError):
        return None
    return None


def nifti_on_grid(
    values: np.ndarray, header: nib.Nifti1Header | None, affine: np.ndarray, slope: float | None = None
) -> nib.Nifti1Image:
    """Put an array on the grid of a file.

    Args:
        values: as they shall be stored.
        header: of the file; spacing, qform, sform, their codes and the units are copied bit for bit. ``None`` if it
            is no NIfTI.
        affine: from voxels to millimetres (RAS), for a file that is no NIfTI; becomes qform and sform of the code 1.
        slope: what a reader multiplies the values by.

    Shape:
        ``values`` (W, H, D) or (W, H, D, C).
    """
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    grid = kind.header_class()
    grid.set_data_dtype(values.dtype)
    grid.set_data_shape(values.shape)
    if header is None:
        grid.set_xyzt_units("mm")
        grid.set_qform(affine, "scanner")
        grid.set_sform(affine, "scanner")
    else:
        for name in GRID:
            grid[name] = header[name]
    image = kind(values, grid.get_best_affine(), grid)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)  # which the image does not take over
    return image
