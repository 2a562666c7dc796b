"""Damage a file's contents as disks, editors, scripts and attackers do. All draws come from a `random.Random`."""

import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

Operator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
"""(draw, contents, contents of other files of the same group) -> damaged contents."""

NUMBERS = (
    b"0", b"-1", b"1", b"2", b"255", b"65536", b"2147483648", b"-2147483649", b"18446744073709551616", b"1" + b"0" * 400,
    b"1e308", b"-1e309", b"1e-320", b"nan", b"NaN", b"Infinity", b"-inf", b"0x10", b"1_000", b"1,5", "٣".encode(), b"9" * 5000,
    b"-0", b"0.5",
)  # fmt: skip
TEXTS = (
    b"", b"\0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n\r\n", b"\t", b'"', b"'", b",", b";",
    b"\\", b"../../../etc/passwd", b"/dev/null", b"/", b"~", b"{}", b"[]", b"null", b"\x1b[31m", "\u2028".encode(),
    "\u202e".encode(), "\U0001f600".encode(), b"%s%n", b"<script>", b"a" * 300, b"x" * 100_000, b" ", b"none", b"train",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 7, 65537, 2**31, 2**63, -(2**63), 10**20, 10**400, 0.5, -0.5, 1e-320, 1e308, -1e308,
    float("nan"), float("inf"), -float("inf"), "", " ", "0", "nan", "\0", "a\nb", "\ud800", "../../..",
    "/dev/null", "/dev/zero", "/", "~", ".",
    "vit", "cnn", "hybrid", "transformer", "recurrent", "classification", "seq2seq", "running", "finished", "x" * 300,
    "x" * 100_000,
    "<b>", "\x1b[2J", "fashion-mnist", "cmudict", [], {}, [None], [[]], [0], [1e308, -1], ["a", "b"], {"a": 1}, {"": {}},
    {"a": {"b": []}},
)  # fmt: skip
"""What may stand at any place of a JSON file."""


def damage_bytes(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """One to three kinds of damage that need no knowledge of the format."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice(BYTES)(draw, content, others)
    return content


def _place(draw: random.Random, content: bytes) -> int:
    """A place, more often near the start, where headers are."""
    end = len(content) if draw.random() < 0.5 else min(len(content), 128)
    return draw.randrange(end + 1)


def _flip(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    found = bytearray(content)
    for _ in range(draw.choice((1, 2, 8, 64)) if found else 0):
        found[min(_place(draw, content), len(found) - 1)] ^= 1 << draw.randrange(8)
    return bytes(found)


def _cut(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    return content[: _place(draw, content)]


def _remove(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    place = _place(draw, content)
    return content[:place] + content[place + draw.choice((1, 2, 4, 100, 1000)) :]


def _double(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    start, place = _place(draw, content), _place(draw, content)
    part = content[start : start + draw.choice((1, 4, 100, 10_000))]
    return content[:place] + part * draw.choice((1, 2, 50)) + content[place:]


def _splice(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = draw.choice(others) if others else content
    return content[: _place(draw, content)] + other[_place(draw, other) :]


def _overwrite(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    place, number = _place(draw, content), draw.choice((1, 2, 4, 4, 8, 64))
    value = draw.choice((b"\0", b"\xff", b"\x7f", b"\x80", draw.randbytes(1))) * number
    return content[:place] + value + content[place + number :]


def _set_number(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    place, form = _place(draw, content), draw.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    value = draw.choice((0, 1, 3, 255, 9_999, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1))
    return content[:place] + struct.pack(form, value % 2 ** (8 * size)) + content[place + size :]


def _insert(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    place = _place(draw, content)
    return content[:place] + draw.choice((*TEXTS, draw.randbytes(20))) + content[place:]


BYTES = (_flip, _flip, _cut, _remove, _double, _splice, _overwrite, _set_number, _set_number, _insert)


def damage_picture(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """As `damage_bytes`; half of the PNGs get correct checksums again, so that decoders read on."""
    found = damage_bytes(draw, content, others)
    return _with_checksums(found) if found.startswith(b"\x89PNG\r\n\x1a\n") and draw.random() < 0.5 else found


def _with_checksums(content: bytes) -> bytes:
    found, place = bytearray(content), 8
    while place + 12 <= len(found):
        end = place + 8 + int.from_bytes(found[place : place + 4], "big")
        if end + 4 > len(found):
            break
        found[end : end + 4] = zlib.crc32(found[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(found)


def damage_lines(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Damage a text of lines and fields: the fields, their separators, the order and the ends of lines."""
    if draw.random() < 0.25:
        return damage_bytes(draw, content, others)
    lines = content.split(b"\n")
    for _ in range(draw.choice((1, 1, 2, 5))):
        place = draw.choice((0, draw.randrange(len(lines))))
        lines[place] = _damaged_line(draw, lines[place])
    kind = draw.randrange(12)
    if kind == 0:
        draw.shuffle(lines)
    elif kind == 1:
        lines = [line for line in lines for _ in range(draw.choice((1, 2)))]
    elif kind == 2:
        lines = lines[: draw.randrange(len(lines) + 1)]
    elif kind == 3:
        lines += draw.choice(others).split(b"\n") if others else lines
    elif kind == 4:
        return (
            b"\n".join(lines).decode(errors="replace").encode(draw.choice(("utf-16", "utf-32", "utf-16-le", "utf-7")))
        )
    return draw.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\0\n")).join(lines)


def _damaged_line(draw: random.Random, line: bytes) -> bytes:
    separator = draw.choice([each for each in (b"\t", b",", b" ", b":") if each in line] or [b"\t"])
    fields = line.split(separator)
    place, kind = draw.randrange(len(fields)), draw.randrange(8)
    if kind < 3:
        fields[place] = draw.choice(NUMBERS if kind == 0 else TEXTS)
    elif kind == 3:
        fields[place] += draw.choice(TEXTS)
    elif kind == 4:
        fields.insert(place, draw.choice(fields))
    elif kind == 5:
        del fields[place]
    elif kind == 6:
        draw.shuffle(fields)
    else:
        return damage_bytes(draw, line, [line])
    return separator.join(fields)


def damage_json(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Damage the values of a JSON file, sometimes its text."""
    kind = draw.random()
    if kind < 0.15:
        return damage_bytes(draw, content, others)
    if kind < 0.2:
        return _deep(draw, content)
    value = json.loads(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        value = _damaged_value(draw, value, [json.loads(each) for each in others])
    if draw.random() < 0.02:
        return json.dumps(value).encode(draw.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))
    return json.dumps(value, ensure_ascii=draw.random() < 0.8).encode("utf-8", "surrogatepass")


def _deep(draw: random.Random, content: bytes) -> bytes:
    """The file with one value replaced by brackets within brackets."""
    number = draw.choice((50, 900, 5_000, 200_000))
    opening, closing = draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = opening * number + b"0" + closing * number
    places = [place for place, each in enumerate(content) if each == ord(":")]
    place = draw.choice(places) if places and draw.random() < 0.9 else -1
    rest = content[place + 1 :].split(b"\n", 1)
    return content[: place + 1] + deep + (b",\n" + rest[1] if place >= 0 and len(rest) > 1 else b"")


def _damaged_value(draw: random.Random, value: Any, others: Sequence[Any]) -> Any:
    """The value with one place changed. Places of all depths have the same chance."""
    places = list(_places(value))
    if not places or draw.random() < 0.01:
        return draw.choice(VALUES)
    holder, key = draw.choice(places)
    kind = draw.randrange(10)
    if kind < 5:
        holder[key] = draw.choice(VALUES)
    elif kind == 5:
        del holder[key]
    elif kind == 6:
        other, other_key = draw.choice(places)
        holder[key] = json.loads(json.dumps(other[other_key]))
    elif kind == 7 and isinstance(holder, dict):
        holder[draw.choice(("a", "", "schema", "task", "x" * 5000, "\0", f"{key} ", str(key).upper()))] = holder.pop(
            key
        )
    elif kind == 8 and isinstance(holder, list):
        holder.extend(json.loads(json.dumps([holder[key]] * draw.choice((1, 3, 1000)))))
    elif isinstance(holder[key], bool | str):
        holder[key] = draw.choice(
            (f"{holder[key]}x", [holder[key]], {str(holder[key]): holder[key]}, len(str(holder[key])))
        )
    elif isinstance(holder[key], int | float):
        third = (
            holder[key] // 3 if abs(holder[key]) > 1e300 else holder[key] / 3
        )  # no float holds a whole number so large
        holder[key] = draw.choice((-holder[key], holder[key] * 10, holder[key] + 1, str(holder[key]), third))
    else:
        found = list(_places(draw.choice(others))) if others else places
        holder[key] = found[draw.randrange(len(found))][0] if found else None
    return value


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
