"""IDX files: reading returns what was written, and each kind of damage has its own message."""

import contextlib
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import idx


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


GOOD = gzip.compress(idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4)))


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_parsing_gives_back_what_was_written(values: np.ndarray) -> None:
    parsed = idx.parse(idx_bytes(values))
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, values)


def test_the_array_is_writable(tmp_path: Path) -> None:
    path = tmp_path / "good.gz"
    path.write_bytes(GOOD)
    values = idx.read(path)
    values[0, 0, 0] = 9
    assert values.shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n <!DOCTYPE html><html>Log in</html>", "is a web page", id="html"),
        pytest.param(b"<HTML><body>404</body></HTML>", "is a web page", id="html in capitals"),
        pytest.param(b"PK\x03\x04 something else", "is not a gzip file", id="another format"),
        pytest.param(GOOD[:-12], "is cut short", id="truncated"),
        pytest.param(GOOD[:5], "is cut short", id="truncated in gzip's header"),
        pytest.param(GOOD[:-8] + bytes(8), "is damaged", id="checksum of gzip"),
        pytest.param(GOOD[:12] + b"\xff" * 8 + GOOD[20:], "is damaged", id="altered within"),
        pytest.param(gzip.compress(b"hello, world"), "is not an IDX file", id="other content"),
        pytest.param(gzip.compress(b"\0\0\x0d\x01" + bytes(8)), "type 0x0d", id="floats"),
        pytest.param(gzip.compress(b"\0\0\x08\x03" + bytes(5)), "within its header", id="header cut"),
        pytest.param(gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 3, 4) + bytes(11)), "3 x 4 = 12", id="too few"),
        pytest.param(gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 3, 4) + bytes(13)), "holds 13", id="too many"),
    ],
)
def test_a_bad_file_is_named_with_its_fault_on_one_line(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "bad.gz"
    path.write_bytes(raw)
    with pytest.raises(FittingRoomError) as caught:
        idx.read(path)
    message = str(caught.value)
    assert str(path) in message
    assert words in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match=r"absent\.gz is missing"):
        idx.read(tmp_path / "absent.gz")
    with pytest.raises(FittingRoomError, match="cannot be read"):
        idx.read(tmp_path)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_bad_content(raw: bytes) -> None:
    for read in (idx.unpack, idx.parse, lambda data: idx.unpack(b"\x1f\x8b\x08" + data)):
        with contextlib.suppress(idx.BadContent):
            read(raw)
