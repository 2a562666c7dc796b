"""What a file is that was taken for a picture, told from how it starts."""

START = 256
"""Bytes that tell what a file is."""
PREFIXES = {
    b"%!ps": "is PostScript",
    b"%pdf": "is a PDF",
    b"<svg": "is an SVG drawing",
    b"<?xml": "is XML, perhaps an SVG drawing",
    b"<!doc": "is a web page",
    b"<html": "is a web page",
    b"version https://git-lfs": "is a Git LFS pointer: the picture itself was not fetched",
    b"pk\x03\x04": "is a ZIP archive: unpack it first",
    b"\x1f\x8b": "is a gzip archive: unpack it first",
    b"7z\xbc\xaf": "is a 7z archive: unpack it first",
    b"rar!": "is a RAR archive: unpack it first",
    b"\xff\n": "is JPEG XL",
    b"\0\0\0\x0cjxl ": "is JPEG XL",
    b"\x93numpy": "is a NumPy array",
    b"\0\5\x16\7": "is what macOS writes beside a file, not the file itself",
}
"""How files start that are taken for pictures, in lower case."""


def what_it_is(start: bytes) -> str | None:
    """The end of a sentence that begins with "it", such as "is a web page". None if it is unknown."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start[4:8] == b"ftyp":
        return "is HEIC, HEIF or a video, which are not read here"
    if start[:4] in (b"II*\0", b"MM\0*"):
        return "is a damaged TIFF, or one with several channels of 16 or more bits"
    if start[128:132] == b"DICM":
        return "is DICOM"
    return next((words for prefix, words in PREFIXES.items() if text.startswith(prefix)), None)
