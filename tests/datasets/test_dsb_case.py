"""One case: exact label maps, types and every fault of a file."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from shared.datasets.archive import Member
from shared.datasets.dsb_case import CaseReport, convert_case, picture_type
from shared.datasets.dsb_source import Case


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def mask(*rows: str) -> bytes:
    """Draw a mask: ``#`` is 255."""
    return png(np.array([[255 if letter == "#" else 0 for letter in row] for row in rows], np.uint8))


PICTURE = png(np.full((3, 5, 4), 9, np.uint8))
LEFT = mask("##...", "##...", ".....")


def convert(folder: Path, masks: list[bytes], picture: bytes = PICTURE) -> tuple[CaseReport, np.ndarray | None]:
    """Convert a case whose masks are called 1.png, 2.png, ...; return the report and the map if it was written."""
    files = {f"{number}.png": data for number, data in enumerate(masks, start=1)} | {"picture.png": picture}
    case = Case("a", [Member("picture.png", 0)], [Member(name, 0) for name in files if name != "picture.png"])
    label, image = folder / "label.png", folder / "image.png"
    report = convert_case(case, files.__getitem__, label, image)
    assert label.exists() == image.exists() == (not report.faults)
    if report.faults:
        return report, None
    assert image.read_bytes() == picture
    with Image.open(label) as file:
        instances = np.asarray(file)
    assert instances.dtype == np.uint16
    return report, instances


def test_nuclei_are_numbered_in_order(tmp_path: Path) -> None:
    masks = [mask(".....", ".....", "#...."), mask("##...", "##...", "....."), mask("...##", "...##", "...##")]
    report, instances = convert(tmp_path, masks)
    np.testing.assert_array_equal(instances, [[2, 2, 0, 3, 3], [2, 2, 0, 3, 3], [1, 0, 0, 3, 3]])
    assert report == CaseReport(
        "a", size=(3, 5), type="3x5-grey-dark", content=report.content, nuclei=3, foreground=report.foreground
    )


def test_a_contested_pixel_goes_to_the_smallest_nucleus(tmp_path: Path) -> None:
    masks = [
        mask("####.", "####.", "####."),  # would swallow the next
        mask(".....", ".#...", "....."),
        mask("...##", ".....", "....."),  # of one size with the next: the first wins
        mask("....#", "....#", "....."),
    ]
    report, instances = convert(tmp_path, masks)
    np.testing.assert_array_equal(instances, [[1, 1, 1, 3, 3], [1, 2, 1, 1, 4], [1, 1, 1, 1, 0]])
    assert (report.nuclei, report.overlap_pixels, report.vanished) == (4, 3, [])


def test_a_vanished_nucleus_is_named_and_leaves_no_gap(tmp_path: Path) -> None:
    report, instances = convert(tmp_path, [LEFT, LEFT, mask(".....", ".....", "....#")])
    np.testing.assert_array_equal(instances, [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 2]])
    assert (report.nuclei, report.overlap_pixels, report.vanished) == (2, 4, ["2.png"])


def test_a_mask_begins_above_127(tmp_path: Path) -> None:
    _, instances = convert(tmp_path, [png(np.array([[0, 1, 127, 128, 255]] * 3, np.uint8))])
    np.testing.assert_array_equal(instances, [[0, 0, 0, 1, 1]] * 3)


def test_one_bit_palette_and_colour_masks(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 0, 1, 0, 0]] * 3, np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    file = io.BytesIO()
    palette.save(file, "png", transparency=b"\x00\xff")
    one_bit = png(np.array([[1, 1, 0, 0, 0]] * 3, bool))
    colour = png(np.array([[[0, 0, 0, 255]] * 3 + [[255] * 4] * 2] * 3, np.uint8))
    report, instances = convert(tmp_path, [one_bit, colour, file.getvalue()], picture=file.getvalue())
    np.testing.assert_array_equal(instances, [[1, 1, 3, 2, 2]] * 3)
    assert report.type == "3x5-grey-dark"


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([[127, 127, 255]], "1x3-grey-dark"),  # the median counts, not the mean
        ([[128, 128, 0]], "1x3-grey-bright"),
        ([[[9, 9, 9]], [[9, 9, 8]]], "2x1-colour-dark"),
        ([[[9, 9, 9, 0]], [[9, 9, 9, 255]]], "2x1-grey-dark"),  # alpha is no colour
    ],
)
def test_picture_type(pixels: list, expected: str) -> None:
    assert picture_type(Image.fromarray(np.array(pixels, np.uint8))) == expected


def damaged(data: bytes) -> bytes:
    at = data.index(b"IDAT") + 8
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


HUGE = PICTURE[:16] + struct.pack(">II", 30_000, 20_000) + PICTURE[24:]


def turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    Image.new("L", (5, 3), 255).save(file, "PNG", exif=exif)
    return file.getvalue()


def animated() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("L", (5, 3), value) for value in (255, 0)]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "empty file -> download or unpack it again"),
        (b"GIF89a", "not a PNG -> convert it to PNG or delete it"),
        (LEFT[:-30], "truncated PNG -> download or unpack it again"),
        (LEFT[:-1], "truncated PNG -> download or unpack it again"),  # all pixels are there, Pillow would not mind
        (damaged(LEFT), "damaged PNG ("),
        (
            HUGE,
            f"claims to be 20000x30000 pixels, more than the {Image.MAX_IMAGE_PIXELS} that are safe to open -> do not",
        ),
        (turned(), "turned by its EXIF orientation -> save it upright"),
        (animated(), "an animation of 2 pictures -> save one of them alone"),
        (png(np.ones((3, 5), np.uint16)), "has values of 16 bits -> save it with 8 bits"),
        (PICTURE[:24] + b"\x10" + PICTURE[25:], "has values of 16 bits -> save it with 8 bits"),  # in colour
    ],
)
def test_unreadable_files(tmp_path: Path, data: bytes, fault: str) -> None:
    report, _ = convert(tmp_path, [LEFT, data], picture=data)
    first, second = report.faults
    assert first.startswith(f"picture.png: {fault}")
    assert second.startswith(f"2.png: {fault}")


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    report, _ = convert(tmp_path, [mask("##", "##"), png(np.ones((3, 5), np.uint8))])
    assert report.faults == [
        "1.png: mask is 2x2, its picture 3x5 (height x width) -> replace the mask or the picture",
        "2.png: empty mask, no pixel above 127 -> delete it, or store the nucleus as 255",
    ]


def test_more_nuclei_than_a_map_can_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.datasets.dsb_case.MAX_NUCLEI", 1)
    report, _ = convert(tmp_path, [LEFT, mask("....#", ".....", ".....")])
    assert report.faults == ["a: 2 nuclei, more than the 1 of a uint16 map -> cut the picture in pieces"]
