"""The list of names that `predict -` reads, as shells and editors of any system write it."""

import codecs
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fittingroom.cli.predict import _paths


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a.png\nb c.png\n", ["a.png", "b c.png"]),
        (b"a.png\r\n\r\nb.png", ["a.png", "b.png"]),
        (b"a\nb.png\0c\r\0", ["a\nb.png", "c\r"]),
        (codecs.BOM_UTF8 + b"a.png\n", ["a.png"]),
        (codecs.BOM_UTF16_LE + "é.png\r\nb.png\r\n".encode("utf-16-le"), ["é.png", "b.png"]),
        ("a\u2028b.png\nc\x0cd.png\n\x85.png".encode(), ["a\u2028b.png", "c\x0cd.png", "\x85.png"]),
        (b"latin-\xe9.png\n", ["latin-\udce9.png"]),
        (b"\n\n", []),
    ],
    ids=["lines", "Windows", "NUL", "UTF-8 mark", "UTF-16", "other separators", "bytes", "nothing"],
)
def test_names_of_standard_input(content: bytes, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert list(_paths(["first.png", "-"])) == [Path("first.png"), *map(Path, names)]
