"""Pictures in every format that Pillow can write and the program reads, and a network that answers for them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from fittingroom.api.predict import predict_files
from fittingroom.api.runs import load_run
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.decode import FORMATS
from tests.image_fixture import write_image_run, write_npz

RUN = "run"
ENDINGS = {
    "PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif", "AVIF": "avif", "DIB": "dib",
    "ICNS": "icns", "ICO": "ico", "JPEG2000": "jp2", "PCX": "pcx", "PPM": "ppm", "QOI": "qoi", "SGI": "sgi", "TGA": "tga",
}  # fmt: skip


def build(folder: Path) -> list[str]:
    """Write the pictures and the run; return the pictures' names."""
    write_image_run(folder / RUN, write_npz(folder))
    draw = np.random.default_rng(0)
    colour = Image.fromarray(draw.integers(0, 256, (24, 20, 3), dtype=np.uint8)).resize((40, 48))
    Image.init()
    for format_ in sorted(set(FORMATS) & set(ENDINGS) & set(Image.SAVE)):
        colour.save(folder / f"colour.{ENDINGS[format_]}", format_)
    _more(folder, colour)
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".npz")


def _more(folder: Path, colour: Image.Image) -> None:
    grey, clear = colour.convert("L"), colour.convert("RGBA")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8769] = 6, "a fig", {0x9003: "2026:01:01 00:00:00"}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey.save(folder / "grey.png")
    grey.convert("1").save(folder / "two.png")
    wide.save(folder / "wide.png")
    clear.save(folder / "clear.png", exif=exif, icc_profile=profile)
    colour.quantize(16).save(folder / "palette.png", transparency=3)
    colour.save(folder / "frames.png", save_all=True, append_images=[colour.rotate(90)])
    colour.save(folder / "turned.jpg", exif=exif, icc_profile=profile)
    colour.save(folder / "progressive.jpg", progressive=True)
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    clear.save(folder / "clear.webp", lossless=True, exif=exif)
    colour.save(folder / "frames.webp", save_all=True, append_images=[colour.rotate(90)])
    colour.save(folder / "frames.gif", save_all=True, append_images=[colour.rotate(90), grey], loop=0)
    grey.save(folder / "grey.bmp")
    colour.quantize(200).save(folder / "palette.bmp")
    for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        colour.save(folder / f"{name}.tif", compression=name, tiffinfo={0x0112: 6})
    wide.save(folder / "wide.tif")
    grey.convert("F").save(folder / "floats.tif")
    grey.convert("I").save(folder / "whole.tif")
    colour.convert("LAB").save(folder / "lab.tif")
    grey.save(folder / "frames.tif", save_all=True, append_images=[grey, colour])
    wide.save(folder / "wide.ppm")
    grey.convert("F").save(folder / "floats.pfm")
    (folder / "plain.ppm").write_bytes(b"P3 3 2 255\n" + b" ".join(b"%d" % each for each in range(18)) + b"\n")
    wide.save(folder / "wide.jp2")
    clear.save(folder / "clear.tga", rle=True)
    (folder / "drawing.psd").write_bytes(_psd(grey))


def _psd(grey: Image.Image) -> bytes:
    """A grey Photoshop file with no layers; Pillow cannot write one."""
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 1, grey.height, grey.width, 8, 1)
    return head + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + grey.tobytes()


def read(root: Path, name: str, run: Any) -> None:
    """What `fittingroom predict` says about the picture."""
    (found,) = predict_files(run, [root / name])
    if found.error:
        raise FittingRoomError(found.error)
    assert found.label in run.spec.class_names
    assert np.isfinite([prob for _, prob in found.classes]).all()
    assert all(note.isprintable() for note in found.notes)


def run_of(root: Path) -> Any:
    """The network that answers, loaded once."""
    run = load_run(root / RUN)
    _ = run.model
    return run
