"""Every kind of file, made on the fly at 3 x 5 pixels that no flip or transposition leaves as they are."""

from __future__ import annotations

import logging
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from monai.data import MetaTensor, PILReader
from monai.transforms import LoadImage, LoadImaged
from PIL import Image

from shared.datasets.picture import LabelReader, PictureReader, read_label, read_picture, to_channels
from shared.errors import UserError

H, W = 3, 5
GREY = (np.arange(H * W, dtype=np.uint8) * 16 + 3).reshape(H, W)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
ALPHA = np.full((H, W, 1), 7, np.uint8)  # nearly transparent: blended colours would be far off
RGBA = np.concatenate([RGB, ALPHA], axis=-1)
GREY16 = GREY.astype(np.uint16) * 257 + np.arange(W, dtype=np.uint16)  # both bytes tell
RGB16 = RGB.astype(np.uint16) * 257 + np.arange(W, dtype=np.uint16)[:, None]
RGBA16 = np.concatenate([RGB16, np.full((H, W, 1), 1234, np.uint16)], axis=-1)
INDEX = np.arange(H * W, dtype=np.uint8).reshape(H, W)
PALETTE = (np.arange(45, dtype=np.uint8) * 5).reshape(15, 3)
Writer = Callable[[Path], object]


def pillow(array: np.ndarray, **options: object) -> Writer:
    return lambda path: Image.fromarray(array).save(path, **options)


def tiff(array: np.ndarray, **options: object) -> Writer:
    return lambda path: tifffile.imwrite(path, array, **{"photometric": "minisblack"} | options)


def png(array: np.ndarray, colour_type: int, bits: int = 16) -> Writer:
    """A PNG to the letter of its specification, since no library at hand writes 16 bits in colour, or 2 and 4 bits."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def row(values: np.ndarray) -> bytes:
        digits = "".join(f"{value:0{bits}b}" for value in values.ravel())
        digits += "0" * (-len(digits) % 8)
        return b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")

    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], bits, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(row(values) for values in array))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return lambda path: path.write_bytes(content)


def pack(data: bytes) -> bytes:
    """LZW without any repetition found: codes of 9 bits, the table cleared before they need 10."""
    codes = [code for start in range(0, len(data), 200) for code in (256, *data[start : start + 200])] + [257]
    digits = "".join(f"{code:09b}" for code in codes)
    digits += "0" * (-len(digits) % 8)
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def lzw(array: np.ndarray, byteorder: str = "<", **options: object) -> Writer:
    """A TIFF packed by LZW, which tifffile alone cannot write: it believes that the bytes are packed by Deflate."""
    strips = np.array_split(array, 1) if options.get("planarconfig") != "separate" else list(array)
    packed = [pack(strip.astype(array.dtype.newbyteorder(byteorder)).tobytes()) for strip in strips]

    def write(path: Path) -> None:
        layout = {"shape": array.shape, "dtype": array.dtype, "byteorder": byteorder, "rowsperstrip": H}
        defaults = {"photometric": "minisblack", "metadata": None}
        tifffile.imwrite(path, iter(packed), compression="deflate", **layout | defaults | options)
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages[0].tags["Compression"].overwrite(5)

    return write


def fax(path: Path) -> None:
    """White is 0, as scanners have it; Pillow inverts the values when it writes."""
    Image.fromarray(INDEX % 2 == 1).save(path, compression="group4", tiffinfo={262: 0})


def with_palette(path: Path, **options: object) -> None:
    image = Image.fromarray(INDEX)
    image.putpalette(PALETTE.ravel().tolist())
    image.save(path, **options)


def pyramid(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(RGB16, photometric="rgb", metadata=None)
        file.write(RGB16[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)


def pyramid_in_sub_directories(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(GREY, photometric="minisblack", subifds=1)
        file.write(GREY[::2, ::2], photometric="minisblack", subfiletype=1)


CHW16 = np.moveaxis(RGB16, -1, 0)
COLOURS16 = np.pad(PALETTE.T.astype(np.uint16) * 257, ((0, 0), (0, 241)))
FLOAT = GREY.astype(np.float32) / 7
PICTURES: dict[str, tuple[Writer, np.ndarray]] = {
    "grey.png": (pillow(GREY), GREY),
    "colour.png": (pillow(RGB), RGB),
    "colour and alpha.png": (pillow(RGBA), RGB),
    "grey and alpha.png": (pillow(RGBA[..., 2:]), RGB[..., 2]),
    "transparent colour.png": (
        lambda path: Image.fromarray(RGB).save(path, transparency=tuple(RGB[0, 0].tolist())),
        RGB,
    ),
    "palette.png": (with_palette, PALETTE[INDEX]),
    "palette with alpha.png": (lambda path: with_palette(path, transparency=bytes(range(15))), PALETTE[INDEX]),
    "1 bit.png": (png(INDEX % 2, 0, bits=1), INDEX % 2 * 255),
    "2 bits.png": (png(INDEX % 4, 0, bits=2), INDEX % 4 * 85),
    "4 bits.png": (png(INDEX, 0, bits=4), INDEX * 17),
    "grey of 16 bits.png": (pillow(GREY16), GREY16),
    "12 of 16 bits.png": (pillow(GREY16 >> 4), GREY16 >> 4),
    "colour of 16 bits.png": (png(RGB16, 2), RGB16),
    "colour and alpha of 16 bits.png": (png(RGBA16, 6), RGB16),
    "grey and alpha of 16 bits.png": (png(RGBA16[..., 2:], 4), RGB16[..., 2]),
    "grey.bmp": (pillow(GREY), GREY),
    "colour.BMP": (pillow(RGB), RGB),
    "1 bit.bmp": (lambda path: Image.fromarray(INDEX % 2 == 1).save(path), INDEX % 2 * 255),
    "grey.tif": (tiff(GREY), GREY),
    "grey of 16 bits.tif": (tiff(GREY16), GREY16),
    "big-endian.tif": (tiff(GREY16, byteorder=">"), GREY16),
    "big.tiff": (tiff(GREY16, bigtiff=True), GREY16),
    "colour of 16 bits.tif": (tiff(RGB16, photometric="rgb"), RGB16),
    "colour and alpha.tif": (tiff(RGBA, photometric="rgb", extrasamples=["unassalpha"]), RGB),
    "colour and a fourth.tif": (tiff(RGBA, photometric="rgb", extrasamples=["unspecified"]), RGB),
    "grey and alpha.tif": (tiff(RGBA[..., 2:], planarconfig="contig", extrasamples=["unassalpha"]), RGB[..., 2]),
    "planes.tif": (tiff(CHW16, photometric="rgb", planarconfig="separate"), RGB16),
    "channels of ImageJ.tif": (tiff(CHW16, imagej=True, metadata={"axes": "CYX"}), RGB16),
    "channels of OME.ome.tif": (tiff(CHW16, ome=True, metadata={"axes": "CYX"}), RGB16),
    "one plane.tif": (tiff(GREY16[None]), GREY16),
    "tiles.tif": (tiff(RGB16, photometric="rgb", tile=(16, 16), compression="deflate", predictor=True), RGB16),
    "float.tif": (tiff(FLOAT), FLOAT),
    "float of 64 bits.tif": (tiff(FLOAT.astype(np.float64)), FLOAT),
    "int32.tif": (tiff(GREY16.astype(np.int32)), GREY16),
    "int16.tif": (tiff(GREY.astype(np.int16)), GREY.astype(np.uint16)),
    "palette.tif": (tiff(INDEX, photometric="palette", colormap=COLOURS16), PALETTE[INDEX]),
    "white is 0.tif": (tiff(GREY, photometric="miniswhite"), 255 - GREY),
    "1 bit.tif": (tiff(INDEX % 2 == 1), INDEX % 2 * 255),
    "fax.tif": (fax, INDEX % 2 * 255),
    "pyramid.tif": (pyramid, RGB16),
    "pyramid in sub-directories.tif": (pyramid_in_sub_directories, GREY),
    "grey by LZW.tif": (lzw(GREY16), GREY16),
    "colour by LZW.tif": (lzw(RGB, photometric="rgb"), RGB),
    "colour of 16 bits by LZW.tif": (lzw(RGB16, photometric="rgb"), RGB16),
    "colour of 16 bits by LZW, big-endian.tif": (lzw(RGB16, ">", photometric="rgb"), RGB16),
    "colour and alpha by LZW.tif": (lzw(RGBA, photometric="rgb", extrasamples=["assocalpha"]), RGB),
    "16 bits and alpha by LZW.tif": (lzw(RGBA16, photometric="rgb", extrasamples=["assocalpha"]), RGB16),
    "white is 0, by LZW.tif": (lzw(GREY, photometric="miniswhite"), 255 - GREY),
    "planes by LZW.tif": (lzw(np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"), RGB),
    "float by LZW.tif": (lzw(FLOAT), FLOAT),
    "a PNG called.jpg": (pillow(RGB, format="PNG"), RGB),
}


@pytest.mark.parametrize("name", PICTURES)
def test_read_picture(tmp_path: Path, name: str) -> None:
    write, expected = PICTURES[name]
    write(tmp_path / name)
    picture = read_picture(tmp_path / name)
    assert picture.dtype == expected.dtype
    np.testing.assert_array_equal(picture, expected.reshape(H, W, -1))
    assert picture.flags.c_contiguous and picture.flags.writeable and picture.dtype.isnative


def test_lossy_colours_are_near(tmp_path: Path) -> None:
    colour = np.array([200, 60, 30], np.uint8)
    flat = np.broadcast_to(colour, (16, 24, 3)).copy()
    Image.fromarray(flat).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(flat).save(tmp_path / "jpeg.tif", compression="jpeg")
    Image.fromarray(flat).convert("YCbCr").save(tmp_path / "ycbcr.tif")
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "cmyk.tif")
    for path in sorted(tmp_path.iterdir()):
        picture = read_picture(path)
        assert picture.shape == (16, 24, 3) and picture.dtype == np.uint8
        assert np.abs(picture.astype(int) - colour).max() <= 6, path.name
    Image.fromarray(flat[..., 0]).save(tmp_path / "grey.JPG", format="JPEG")
    assert np.unique(read_picture(tmp_path / "grey.JPG")).tolist() == [200]


# A picture of 2 x 3 that reads, upright: 1 2 3 / 4 5 6, as it is stored for each orientation.
STORED = {
    0: [[1, 2, 3], [4, 5, 6]],  # unknown to the standard
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}


@pytest.mark.parametrize("orientation", STORED)
def test_orientation(tmp_path: Path, orientation: int) -> None:
    stored = np.array(STORED[orientation], np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    tag = (274, "H", 1, orientation, True)
    tiff(stored, extratags=[tag])(tmp_path / "a.tif")
    lzw(stored, extratags=[tag], rowsperstrip=len(stored))(tmp_path / "lzw.tif")
    lzw(np.stack([stored * np.uint16(300)] * 3, -1), extratags=[tag], rowsperstrip=len(stored), photometric="rgb")(
        tmp_path / "lzw16.tif"
    )
    for name, factor in (("a.png", 1), ("a.tif", 1), ("lzw.tif", 1), ("lzw16.tif", 300)):
        assert read_picture(tmp_path / name)[..., 0].tolist() == [
            [factor, 2 * factor, 3 * factor],
            [4 * factor, 5 * factor, 6 * factor],
        ]
        assert read_label(tmp_path / name).shape == (2, 3)
    large = np.kron(stored, np.ones((16, 16), np.uint8)) * 40
    Image.fromarray(large).save(tmp_path / "a.jpg", exif=exif, quality=100)
    assert read_picture(tmp_path / "a.jpg")[8::16, 8::16, 0].tolist() == [[40, 80, 120], [160, 200, 240]]


BIG = INDEX.astype(np.int32) * 7_000_000
LABELS: dict[str, tuple[Writer, np.ndarray]] = {
    "indices of a palette.png": (with_palette, INDEX),
    "indices of a palette.tif": (tiff(INDEX, photometric="palette", colormap=COLOURS16), INDEX),
    "1 bit.png": (png(INDEX % 2, 0, bits=1), INDEX % 2),
    "1 bit.tif": (tiff(INDEX % 2 == 1), INDEX % 2),
    "fax.tif": (fax, 1 - INDEX % 2),
    "2 bits.png": (png(INDEX % 4, 0, bits=2), INDEX % 4),
    "4 bits.png": (png(INDEX, 0, bits=4), INDEX),
    "white is 0.tif": (tiff(INDEX, photometric="miniswhite"), INDEX),
    "white is 0, by LZW.tif": (lzw(INDEX, photometric="miniswhite"), INDEX),
    "grey of 16 bits.png": (pillow(GREY16), GREY16),
    "grey in colour.png": (pillow(np.stack([GREY] * 3, axis=-1)), GREY),
    "grey in colour, and alpha.png": (pillow(np.concatenate([np.stack([GREY] * 3, -1), ALPHA], -1)), GREY),
    "int16.tif": (tiff(INDEX.astype(np.int16)), INDEX.astype(np.uint16)),
    "int32.tif": (tiff(BIG), BIG),
    "int64.tif": (tiff(BIG.astype(np.int64), byteorder=">"), BIG),
    "float.tif": (tiff(INDEX.astype(np.float32)), INDEX.astype(np.int32)),
}


@pytest.mark.parametrize("name", LABELS)
def test_read_label(tmp_path: Path, name: str) -> None:
    write, expected = LABELS[name]
    write(tmp_path / name)
    label = read_label(tmp_path / name)
    assert label.dtype == expected.dtype
    np.testing.assert_array_equal(label, expected)


def animation(path: Path) -> None:
    Image.fromarray(RGB).save(path, save_all=True, append_images=[Image.fromarray(255 - RGB)])


def short_palette(path: Path) -> None:
    with_palette(path)
    content = path.read_bytes()
    start = content.index(b"PLTE") - 4
    colours = b"PLTE" + PALETTE[:4].tobytes()
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    path.write_bytes(
        content[:start] + struct.pack(">I", 12) + colours + struct.pack(">I", zlib.crc32(colours)) + content[end:]
    )


def two_sizes(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(GREY, photometric="minisblack")
        file.write(GREY[:2], photometric="minisblack")


NAN = np.where(INDEX == 4, np.nan, FLOAT).astype(np.float32)
FAULTS: dict[str, tuple[Callable[..., np.ndarray], Writer, str]] = {
    "empty.png": (read_picture, lambda path: path.write_bytes(b""), "an empty file -> copy it again"),
    "text.png": (
        read_picture,
        lambda path: path.write_text("no picture"),
        "not a PNG, TIFF, JPEG or BMP -> convert it",
    ),
    "animation.png": (read_picture, animation, "an animation of 2 pictures -> save the one"),
    "short palette.png": (read_picture, short_palette, "value 14 in a palette of 4 colours -> save it as RGB"),
    "pages.tif": (read_picture, tiff(np.stack([GREY, GREY])), "2 pages -> save the page that is meant"),
    "stack.tif": (read_picture, tiff(np.stack([GREY] * 3), metadata={"axes": "ZYX"}), "3 pages -> save the page"),
    "RGB stack.tif": (read_picture, tiff(CHW16, photometric="rgb", metadata={"axes": "ZYX"}), "3 pages -> save the"),
    "ImageJ stack.tif": (read_picture, tiff(np.stack([GREY] * 3), imagej=True, metadata={"axes": "ZYX"}), "3 pages ->"),
    "two sizes.tif": (read_picture, two_sizes, "2 pages -> save the page that is meant"),
    "channels.tif": (read_picture, tiff(RGBA[..., :2], planarconfig="contig"), "2 channels -> save it as grey"),
    "OME.ome.tif": (read_picture, tiff(np.stack([GREY] * 5), ome=True, metadata={"axes": "CYX"}), "5 channels -> save"),
    "Lab.tif": (read_picture, tiff(RGB, photometric="cielab"), "colours of the kind CIELAB -> save it as grey or RGB"),
    "NaN.tif": (read_picture, tiff(NAN), "holds NaN, infinity or values beyond float32 -> replace them"),
    "no data.tif": (read_picture, tiff(FLOAT * np.float32(1e20)), "which nothing measures -> replace values that mean"),
    "large float.tif": (read_picture, tiff(FLOAT.astype(np.float64) * 1e39), "beyond float32 -> replace them"),
    "signed.tif": (read_picture, tiff(GREY.astype(np.int16) - 100), "whole numbers from -97 to 127 -> shift or scale"),
    "large.tif": (read_picture, tiff(BIG), "whole numbers from 0 to 98000000 -> shift or scale"),
    "big-endian.tif": (read_picture, lzw(FLOAT, ">"), "LZW compression of big-endian float32 -> save it as grey"),
    "planes.tif": (
        read_picture,
        lzw(CHW16, photometric="rgb", planarconfig="separate"),
        "LZW compression of 16 bits in planes -> save it as grey or RGB",
    ),
    "planes and alpha.tif": (
        read_picture,
        lzw(np.moveaxis(RGBA, -1, 0), photometric="rgb", planarconfig="separate", extrasamples=["assocalpha"]),
        "LZW compression of 8 bits in planes, with alpha -> save it as grey or RGB",
    ),
    "missing.png": (read_picture, lambda path: None, "cannot be opened (No such file or directory) -> name a file"),
    "folder.png": (read_picture, Path.mkdir, "cannot be opened (Is a directory) -> name a file"),
    "colours.png": (read_label, pillow(RGB), "a label map in colours -> save the numbers of the classes or instances"),
    "broken.tif": (read_label, tiff(FLOAT), "a label map with broken numbers -> save whole numbers"),
    "negative.tif": (read_label, tiff(GREY.astype(np.int16) - 100), "numbers from -97 to 127 -> number the labels 0"),
    "too large.tif": (
        read_label,
        tiff(BIG.astype(np.uint32) * 30),
        "numbers from 0 to 2940000000 -> number the labels",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(tmp_path: Path, name: str) -> None:
    read, write, message = FAULTS[name]
    write(tmp_path / name)
    with pytest.raises(UserError) as caught:
        read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)


def test_size_is_checked_before_decoding(tmp_path: Path) -> None:
    huge = png(np.zeros((1, 1), np.uint8), 0, bits=8)
    huge(tmp_path / "huge.png")
    content = bytearray((tmp_path / "huge.png").read_bytes())
    content[16:24] = struct.pack(">II", 30_000, 20_000)  # width and height, with the checksum left wrong
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "huge.png").write_bytes(content)
    with pytest.raises(
        UserError, match=r"huge\.png: 20000 x 30000 pixels \(height x width\), more than the 268435456 that"
    ):
        read_picture(tmp_path / "huge.png")
    for name, write in (
        ("a.png", pillow(GREY)),
        ("a.tif", tiff(GREY)),
        ("a.bmp", pillow(GREY)),
        ("a.jpg", pillow(GREY)),
    ):
        write(tmp_path / name)
        assert read_picture(tmp_path / name, max_pixels=15).shape == (3, 5, 1)
        for read in (read_picture, read_label):
            with pytest.raises(UserError, match="3 x 5 pixels .* more than the 14 .* -> cut it into tiles"):
                read(tmp_path / name, max_pixels=14)


def test_limit_of_pillow_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    for name, write in (("a.png", pillow(GREY)), ("a.tif", tiff(GREY)), ("a.bmp", pillow(GREY))):
        write(tmp_path / name)
        np.testing.assert_array_equal(read_picture(tmp_path / name)[..., 0], GREY)


@pytest.mark.parametrize(
    "name", ["colour.png", "colour.BMP", "tiles.tif", "colour by LZW.tif", "colour of 16 bits.png"]
)
def test_truncated_files_are_refused_or_exact(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    write, expected = PICTURES[name]
    write(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    refused = 0
    for length in range(0, len(content), 7):
        (tmp_path / name).write_bytes(content[:length])
        try:
            with warnings.catch_warnings(action="ignore"):
                picture = read_picture(tmp_path / name)
        except UserError:
            refused += 1
        else:
            np.testing.assert_array_equal(picture, expected)
    assert refused >= 0.6 * len(range(0, len(content), 7))


def test_to_channels() -> None:
    np.testing.assert_array_equal(to_channels(GREY[..., None], 3), np.stack([GREY] * 3, axis=-1))
    assert to_channels(RGB, 3) is RGB
    primaries = np.eye(3, dtype=np.uint16)[None] * 65535
    assert to_channels(primaries, 1)[0, :, 0].tolist() == [19595, 38469, 7471]  # 0.299, 0.587, 0.114, rounded
    assert to_channels(primaries, 1).dtype == np.uint16
    np.testing.assert_array_equal(to_channels(to_channels(GREY16[..., None], 3), 1)[..., 0], GREY16)
    luma = to_channels(np.ones((1, 1, 3), np.float32), 1)
    assert luma.dtype == np.float32 and luma.item() == pytest.approx(1)
    tall = np.random.default_rng(0).integers(0, 65536, (600, 2, 3), dtype=np.uint16)  # three strips
    np.testing.assert_array_equal(to_channels(tall, 1)[..., 0], np.rint(tall @ [0.299, 0.587, 0.114]))
    with pytest.raises(ValueError, match="channels must be 1 or 3, got 4"):
        to_channels(RGB, 4)
    with pytest.raises(ValueError, match=r"array must be \(H, W, 1\) or \(H, W, 3\), got \(3, 5, 4\)"):
        to_channels(RGBA, 3)


@pytest.mark.parametrize(("name", "array", "channels"), [("grey.png", GREY, 1), ("colour.png", RGB, 3)])
def test_reader_agrees_with_monai(tmp_path: Path, name: str, array: np.ndarray, channels: int) -> None:
    pillow(array)(tmp_path / name)
    theirs = LoadImage(reader=PILReader(), ensure_channel_first=True)(tmp_path / name)
    for reader in (PictureReader(channels), PictureReader(None)):
        ours = LoadImage(reader=reader, ensure_channel_first=True)(tmp_path / name)
        assert isinstance(ours, MetaTensor) and ours.shape == (channels, W, H) and ours.dtype == torch.float32
        assert torch.equal(ours.as_tensor(), theirs.as_tensor())
        assert torch.equal(ours.affine, theirs.affine)
        for key in ("spatial_shape", "filename_or_obj", "original_channel_dim"):
            np.testing.assert_array_equal(ours.meta[key], -1 if key == "original_channel_dim" else theirs.meta[key])
        assert ours.meta["dtype"] == "uint8"


def test_readers_in_a_dictionary(tmp_path: Path) -> None:
    png(RGB16, 2)(tmp_path / "image.png")
    with_palette(tmp_path / "label.png")
    item = {"image": str(tmp_path / "image.png"), "label": tmp_path / "label.png"}
    item = LoadImaged("image", reader=PictureReader(), ensure_channel_first=True)(item)
    item = LoadImaged("label", reader=LabelReader(), ensure_channel_first=True, dtype=np.uint8)(item)
    np.testing.assert_array_equal(item["image"].numpy(), np.moveaxis(RGB16, 0, 1).transpose(2, 0, 1))
    np.testing.assert_array_equal(item["label"].numpy(), INDEX.T[None])
    assert item["image"].meta["dtype"] == "uint16"
    assert item["label"].dtype == torch.uint8
    grey = LoadImage(reader=PictureReader(1), ensure_channel_first=True)(tmp_path / "image.png")
    np.testing.assert_array_equal(grey.numpy()[0].T, to_channels(RGB16, 1)[..., 0])


def test_reader_passes_the_mistake_on(tmp_path: Path) -> None:
    tiff(np.stack([GREY, GREY]))(tmp_path / "pages.tif")
    for reader in (PictureReader(), LabelReader()):
        with pytest.raises(UserError, match="2 pages"):  # and not what another of MONAI's readers makes of it
            LoadImage(reader=reader, ensure_channel_first=True)(tmp_path / "pages.tif")
        assert reader.verify_suffix("a.TIFF") and not reader.verify_suffix(("a.nii",))
        with pytest.raises(ValueError, match="a picture is one file, got 2"):
            reader.read(["a.png", "b.png"])
    with pytest.raises(ValueError, match="channels must be 1, 3 or None, got 4"):
        PictureReader(4)


def test_sixteen_bits_as_eight(tmp_path: Path) -> None:
    reader = PictureReader(None, eight_bit=True)
    for name, array in (("8.tif", GREY), ("16.tif", GREY.astype(np.uint16) * 257)):
        tifffile.imwrite(tmp_path / name, array)
        found, _ = reader.get_data(tmp_path / name)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found[..., 0].T, GREY)
    tifffile.imwrite(tmp_path / "float.tif", GREY.astype(np.float32))
    with pytest.raises(UserError, match="float.tif: values of the type float32 -> save it with 8 or 16 bits"):
        reader.get_data(tmp_path / "float.tif")


def promising(path: Path, array: np.ndarray, sides: tuple[int, int], **options: object) -> None:
    """A TIFF whose header claims to have other sides, in one strip."""
    tifffile.imwrite(path, array, photometric="minisblack", rowsperstrip=len(array), **options)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name, side in zip(("ImageLength", "ImageWidth", "RowsPerStrip"), (*sides, sides[0]), strict=True):
            tiff.pages[0].tags[name].overwrite(side)


def test_a_tiff_is_unpacked_as_far_as_its_header_promises(tmp_path: Path) -> None:
    path, zeros = tmp_path / "a.tif", np.zeros((4096, 4096), np.uint8)
    promising(path, zeros, (4000, 4096), compression="zlib")
    assert read_picture(path).shape == (4000, 4096, 1)
    promising(path, zeros, (16, 16), compression="zlib")
    tracemalloc.start()
    with pytest.raises(UserError, match="a.tif: a part that is larger than its header says -> save it anew"):
        read_picture(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    promising(path, zeros[:16, :16], (16_000, 16_000), compression="zlib")
    with pytest.raises(UserError, match="a.tif: its header promises 256,000,000 bytes, the file holds [0-9,]+ at most"):
        read_picture(path)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.bmp"])
def test_a_picture_that_does_not_fit_into_memory_is_told(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / name)
    monkeypatch.setattr("shared.datasets.files.free_memory", lambda: 10_000)
    with pytest.raises(UserError, match=f"{name}: reading it takes about 0.0 GB of memory, 0.0 GB are free -> make it"):
        read_picture(tmp_path / name)


def two_tone(path: Path, colours: list[int], index: np.ndarray) -> Path:
    image = Image.fromarray(index.astype(np.uint8))
    image.putpalette(colours)
    image.save(path)
    return path


def test_what_is_seen_decides_where_a_palette_contradicts_the_numbers(tmp_path: Path) -> None:
    mask = np.eye(5, 7, dtype=np.uint8)
    quantized = tmp_path / "quantized.png"
    Image.fromarray(255 * mask).convert("RGB").quantize(2).save(quantized)
    np.testing.assert_array_equal(read_label(quantized) > 0, mask > 0)
    for suffix in ("png", "bmp", "tif"):
        path = two_tone(tmp_path / f"white_first.{suffix}", [255] * 3 + [0] * 3, 1 - mask)
        np.testing.assert_array_equal(read_label(path), 255 * mask)
    for name, colours in (("black first", [0] * 3 + [255] * 3), ("white and red", [255] * 3 + [255, 0, 0])):
        np.testing.assert_array_equal(read_label(two_tone(tmp_path / f"{name}.png", colours, mask)), mask)
    inverting = [value for value in range(255, -1, -1) for _ in range(3)]
    np.testing.assert_array_equal(read_label(two_tone(tmp_path / "imagej.png", inverting, 255 * mask)), 255 * mask)
    with pytest.raises(UserError, match=r"red.png: a palette in which the number 0, background, is bright and 1 is bl"):
        read_label(two_tone(tmp_path / "red.png", [255, 0, 0] + [0] * 3, 1 - mask))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_mask_in_the_transparency_alone_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mask.{suffix}"
    white = np.full((5, 7, 4), 255, np.uint8)
    white[..., 3] *= np.eye(5, 7, dtype=np.uint8)
    Image.fromarray(white).save(path)
    with pytest.raises(UserError, match="a label map of one colour, of which only the transparency varies -> save"):
        read_label(path)
    white[..., 3] = 9
    Image.fromarray(white).save(path)
    assert (read_label(path) == 255).all()
