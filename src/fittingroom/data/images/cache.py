"""Decode the pictures of a listing once, in parallel, into files that training maps into memory.

    images/DIGEST/pixels.bin    uint8 [num, channels, height, width], no header
                  prints.npy    a 16-byte fingerprint of each image
                  set.json      shape, rule, listing, pictures that cannot be read
    images/KEY.json             KEY: names, sizes, times and options of a listing; holds the DIGEST, and what cannot be read

DIGEST is that of the files' content and of the options, so it is the same on every machine. A folder gets its name when it is
complete: a process that is killed leaves nothing that another would read.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock

from fittingroom.core.archives import DAMAGE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.core.machine import num_cores
from fittingroom.core.rundir import cache_folder, make_folder, read_json, write_json
from fittingroom.data.images.decode import decode as decode_picture
from fittingroom.data.images.decode import shown_size
from fittingroom.data.images.listing import Listing, Picture, listed, printable
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.resize import choose_rule, choose_size, to_pixels
from fittingroom.data.images.stored import PixelFile
from fittingroom.data.spec import Resize, digests

FORMAT = 1
"""Increase it when the same picture and options give other pixels."""
SAMPLE = 500
"""Pictures whose sizes decide the size of all."""
BLOCK = 512
"""Pictures that are decoded before they are written."""


@dataclass(frozen=True, kw_only=True)
class DecodedPictures:
    """The content of set.json."""

    digest: str
    num: int
    channels: int
    height: int
    width: int
    resize: Resize
    title: str
    source: str
    pictures: tuple[Picture, ...]
    """The readable pictures, in the order of the pixels."""
    bad: tuple[tuple[str, str], ...] = ()
    """The unreadable pictures: name and fault."""
    choices: tuple[str, ...] = ()
    """What was chosen, for the user."""
    white: tuple[tuple[str, int], ...] = ()
    """Mode -> the value that is white in all pictures of that mode with more than 8 bits."""

    @property
    def folder(self) -> Path:
        """Where the pixels are."""
        return _root() / self.digest

    def pixels(self) -> PixelFile:
        """The images."""
        return PixelFile(self.folder / "pixels.bin", (self.num, self.channels, self.height, self.width))

    def prints(self) -> np.ndarray:
        """The fingerprints."""
        return np.load(self.folder / "prints.npy")


@dataclass(frozen=True, kw_only=True)
class _Form:
    """What every picture becomes."""

    size: tuple[int, int]
    channels: int
    rule: Resize
    white: tuple[tuple[str, int], ...] = ()
    """Mode -> the value that is white in all pictures of that mode with more than 8 bits."""


class _One(NamedTuple):
    """One decoded picture."""

    pixels: np.ndarray | None = None
    content: str = ""
    grey: bool = False
    fault: str = ""
    white: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Pass:
    """The results of decoding every picture."""

    good: list[Picture] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    whites: dict[str, set[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    all_grey: bool = True

    @property
    def white(self) -> tuple[tuple[str, int], ...]:
        """Mode -> the value that suits all pictures of that mode."""
        return tuple(sorted((mode, max(values)) for mode, values in self.whites.items()))


def decode(listing: Listing, options: PictureOptions) -> DecodedPictures:
    """The decoded pictures of a listing, from the cache if they are there. Pictures that cannot be read are in `bad`.

    Raises FittingRoomError if no picture can be read or the cache cannot be written.
    """
    key = _key(listing, options)
    found = _known(key)
    if found is not None:
        return _as_listed(found, listing)
    root = make_folder(_root())
    with _turns(root / f".{key}.lock"):
        found = _known(key)  # another process may have decoded them meanwhile
        if found is None:
            for old in root.glob(f".{key}.*.tmp"):
                shutil.rmtree(old, ignore_errors=True)
            found = _decode(listing, options, key)
    return _as_listed(found, listing)


def _as_listed(found: DecodedPictures, listing: Listing) -> DecodedPictures:
    """With the places of this listing: the same pictures may have been decoded from elsewhere."""
    bad = {name for name, _ in found.bad}
    pictures = tuple(each for each in listing.pictures if each.name not in bad)
    source = os.path.abspath(listing.source)
    known = pictures if len(pictures) == found.num else found.pictures
    return replace(found, title=listing.title, source=source, pictures=known)


def find(digest: str) -> DecodedPictures | None:
    """The decoded data set with this digest, if it is in the cache."""
    place = _root() / digest / "set.json"
    if not digest or not place.is_file():
        return None
    try:
        found = _from_json(read_json(place))
        return found if found is not None and _is_whole(found) else None
    except (FittingRoomError, *DAMAGE, AttributeError):  # what is damaged is made again
        return None


def _from_json(values: dict[str, Any]) -> DecodedPictures | None:
    if values.pop("format", None) != FORMAT:
        return None
    return DecodedPictures(
        pictures=tuple(Picture(*each) for each in values.pop("pictures")),
        bad=_pairs(values.pop("bad")),
        choices=tuple(values.pop("choices")),
        white=_pairs(values.pop("white", ())),
        **values,
    )


def _pairs(values: Any) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in values)


def _is_whole(found: DecodedPictures) -> bool:
    whole = found.num * found.channels * found.height * found.width
    prints = np.load(found.folder / "prints.npy", mmap_mode="r")
    return (found.folder / "pixels.bin").stat().st_size == whole and prints.shape == (found.num, 16)


def _root() -> Path:
    return cache_folder("images")


def _known(key: str) -> DecodedPictures | None:
    place = _root() / f"{key}.json"
    if not place.is_file():
        return None
    try:
        values = read_json(place)
        found = find(values["digest"])
        # Another listing with the same good pictures may have other bad ones.
        own = {"bad": _pairs(values["bad"]), "choices": tuple(values["choices"]), "white": _pairs(values["white"])}
    except (FittingRoomError, KeyError, TypeError, ValueError):  # damaged, or from before `white` was kept
        return None
    return None if found is None else replace(found, **own)


def _key(listing: Listing, options: PictureOptions) -> str:
    """What tells, without reading a picture, whether this listing was decoded before."""
    content = hashlib.sha256()
    values = {"format": FORMAT, "size": options.image_size, "resize": options.resize, "channels": options.channels}
    content.update(json.dumps(values).encode())
    for each in listing.pictures:
        try:
            found = os.stat(each.path)
            state = f"{found.st_size} {found.st_mtime_ns}"
        except (OSError, ValueError):
            state = "absent"
        content.update("\0".join((os.path.abspath(each.path), *each[1:], state, "")).encode("utf-8", "surrogateescape"))
    return content.hexdigest()[:24]


def _decode(listing: Listing, options: PictureOptions, key: str) -> DecodedPictures:
    sizes = sample_sizes(listing.pictures)
    size = options.image_size or choose_size(sizes)
    rule = options.resize or choose_rule(sizes, size)
    form = _Form(size=size, channels=1 if options.channels == "1" else 3, rule=rule)
    work = Path(tempfile.mkdtemp(dir=_root(), prefix=f".{key}.", suffix=".tmp"))
    try:
        with _disk(work):
            done, form = _write_all(listing, work, form)
            channels = form.channels
            if options.channels == "auto" and done.all_grey:
                _keep_one_channel(work / "pixels.bin", (len(done.good), channels, *size))
                channels = 1
            found = DecodedPictures(
                digest=_digest(done, replace(form, channels=channels)),
                num=len(done.good),
                channels=channels,
                height=size[0],
                width=size[1],
                resize=rule,
                title=listing.title,
                source=os.path.abspath(listing.source),
                pictures=tuple(done.good),
                bad=tuple(done.bad),
                choices=(*_choices(sizes, size, rule, channels, options), *_told(done.notes)),
                white=done.white,
            )
            np.save(work / "prints.npy", np.frombuffer(b"".join(_prints(work, found)), np.uint8).reshape(-1, 16))
            write_json(work / "set.json", asdict(found) | {"pictures": found.pictures, "format": FORMAT})
            _put(work, found.folder)
            own = {"digest": found.digest, "bad": found.bad, "choices": found.choices, "white": found.white}
            write_json(_root() / f"{key}.json", own)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found


def _write_all(listing: Listing, work: Path, form: _Form) -> tuple[_Pass, _Form]:
    """Decode every picture, a second time if they disagree about the value that is white."""
    done = _write_pixels(listing, work, form)
    if any(len(values) > 1 for values in done.whites.values()):
        form = replace(form, white=done.white)
        done = _write_pixels(listing, work, form)
    if not done.good:
        name, fault = done.bad[0]
        raise FittingRoomError(
            f"{printable(str(listing.source))}: none of {len(listing.pictures):,} pictures can be read: {name} ({fault})"
        )
    return done, form


def _write_pixels(listing: Listing, work: Path, form: _Form) -> _Pass:
    """Write pixels.bin."""
    done, pictures = _Pass(), listing.pictures
    with (
        (work / "pixels.bin").open("wb") as file,
        ThreadPoolExecutor(num_threads()) as pool,
        progress(f"decoding {listing.title}", len(pictures)) as advance,
    ):
        for start in range(0, len(pictures), BLOCK):
            block = pictures[start : start + BLOCK]
            for picture, one in zip(block, pool.map(lambda each: _one(each, form), block), strict=True):
                if one.pixels is None:
                    done.bad.append((picture.name, one.fault))
                    continue
                done.good.append(picture)
                done.contents.append(one.content)
                done.all_grey = done.all_grey and one.grey
                done.notes += [f"{picture.name} {note}" for note in one.notes]
                for mode, value in one.white:
                    done.whites.setdefault(mode, set()).add(value)
                file.write(one.pixels.tobytes())
            advance(len(block))
        file.flush()
        os.fsync(file.fileno())
    return done


def _one(picture: Picture, form: _Form) -> _One:
    try:
        check_file(picture.path, "give a picture in a file")
        with open(picture.path, "rb") as file:  # first, so that the system's reason is told if it cannot be opened
            opened = decode_picture(Path(picture.path), picture.name, white=dict(form.white))
            # Not read as a whole: it may be a film of many gigabytes.
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except FittingRoomError as error:
        return _One(fault=str(error).removeprefix(picture.name).strip())
    except (OSError, ValueError) as error:
        return _One(fault=getattr(error, "strerror", None) or str(error))
    pixels = to_pixels(opened.picture, form.size, form.channels, form.rule)
    grey = len(pixels) == 1 or bool((pixels[0] == pixels[1]).all() and (pixels[0] == pixels[2]).all())
    return _One(
        pixels=pixels,
        content=content,
        grey=grey,
        white=tuple(opened.white.items()),
        notes=opened.notes,
    )


def _prints(work: Path, found: DecodedPictures) -> Iterator[bytes]:
    """The fingerprint of each image in pixels.bin."""
    file = PixelFile(work / "pixels.bin", (found.num, found.channels, found.height, found.width))
    for rows in np.array_split(np.arange(found.num), -(-found.num // BLOCK)):
        yield from digests(file.read(rows))


def _told(notes: Sequence[str]) -> tuple[str, ...]:
    """What the decoder noted: the first, and how many more."""
    if not notes:
        return ()
    more = f" (and {len(notes) - 1:,} notes on other pictures)" if len(notes) > 1 else ""
    return (f"{notes[0]}{more}",)


def sample_sizes(pictures: Sequence[Picture]) -> list[tuple[int, int]]:
    """(width, height) of up to `SAMPLE` pictures, evenly spread over the listing."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, SAMPLE).round().astype(int)).tolist()
    with ThreadPoolExecutor(num_threads()) as pool:
        sizes = [size for size in pool.map(lambda place: shown_size(Path(pictures[place].path)), chosen) if size]
    return sizes or [(64, 64)]  # none can be read: decoding says so


def _keep_one_channel(path: Path, shape: tuple[int, ...]) -> None:
    """Rewrite the file with the first channel only."""
    pixels = np.memmap(path, np.uint8, mode="r", shape=shape)
    grey = path.with_name("grey.bin")
    with grey.open("wb") as file:
        for start in range(0, len(pixels), BLOCK):
            file.write(np.ascontiguousarray(pixels[start : start + BLOCK, :1]).tobytes())
        file.flush()
        os.fsync(file.fileno())
    del pixels
    os.replace(grey, path)


def _digest(done: _Pass, form: _Form) -> str:
    content = hashlib.sha256(json.dumps([FORMAT, asdict(form)]).encode())
    for picture, digest in zip(done.good, done.contents, strict=True):
        content.update("\0".join((*picture[1:], digest, "")).encode())
    return content.hexdigest()[:12]


def _put(work: Path, folder: Path) -> None:
    """Give the finished folder its name. Another process may have been faster; its content is the same."""
    try:
        os.rename(work, folder)
    except OSError:
        if find(folder.name) is not None:
            return
        shutil.rmtree(folder, ignore_errors=True)  # of another format, or damaged
        os.rename(work, folder)


def _choices(
    sizes: Sequence[tuple[int, int]], size: tuple[int, int], rule: Resize, channels: int, options: PictureOptions
) -> tuple[str, ...]:
    """What was chosen, and why, in one line."""
    widths, heights = zip(*sizes, strict=True)
    same = len(set(sizes)) == 1
    found = f"{heights[0]}x{widths[0]}" if same else f"{min(heights)}x{min(widths)} to {max(heights)}x{max(widths)}"
    kind = "grey" if channels == 1 else "RGB"
    how = "" if same and sizes[0] == size[::-1] else f", {rule}"
    automatic = [
        name for name, value in (("--image-size", options.image_size), ("--resize", options.resize if how else rule))
        if value is None
    ] + (["--channels"] if options.channels == "auto" else [])  # fmt: skip
    hint = f" (change with {', '.join(automatic)})" if automatic else ""
    return (f"pictures of {found} pixels become {size[0]}x{size[1]} {kind}{how}{hint}",)


def num_threads() -> int:
    """Threads that decode pictures: one a core, at most 16."""
    return min(num_cores(), 16)


@contextmanager
def _disk(work: Path) -> Iterator[None]:
    """Convert a full disk and the like to a FittingRoomError."""
    try:
        yield
    except OSError as error:
        raise FittingRoomError(
            f"cannot write the decoded pictures into {work.parent}: {error.strerror}: free some space, or set XDG_CACHE_HOME to "
            "another folder"
        ) from error


@contextmanager
def _turns(path: Path) -> Iterator[None]:
    """Let only one process decode a listing. The system releases the lock even if the process is killed."""
    lock = FileLock(path)
    try:
        lock.acquire()
    except (OSError, NotImplementedError):  # some network file systems have no locks: both decode, one result is kept
        yield
        return
    try:
        yield
    finally:
        lock.release()


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, if that is a terminal. Yields a function that advances it."""
    import sys

    from rich import progress as rich
    from rich.console import Console
    from rich.markup import escape

    columns = (
        rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn(), rich.TimeRemainingColumn()
    )  # fmt: skip
    with rich.Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(escape(name), total=total)
        yield lambda number: progress.advance(task, number)


def refuse_bad(found: DecodedPictures, where: str) -> None:
    """Raise FittingRoomError that names the pictures that cannot be read, if there are any."""
    if found.bad:
        names = listed([f"{name} ({fault.split(':')[0]})" for name, fault in found.bad], 3)
        raise FittingRoomError(
            f"{where}: {len(found.bad):,} of {len(found.bad) + found.num:,} pictures cannot be read: {names}: replace them, or "
            "leave them out with --skip-bad"
        )
