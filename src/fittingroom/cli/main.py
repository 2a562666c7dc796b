"""`fittingroom COMMAND ...`: the parser, and the only place that turns errors into a message and an exit code."""

import argparse
import errno
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from fittingroom import __version__
from fittingroom.cli import commands, options
from fittingroom.cli.process import check_current_folder, leave_streams, prepare
from fittingroom.core.errors import FittingRoomError, nearest
from fittingroom.core.files import user_path
from fittingroom.core.text import shown

EXIT_FAILED_RUNS, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


class Parser(argparse.ArgumentParser):
    """An argparse parser with one-line errors. The subcommand itself reports its unknown options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("type", Path, user_path)  # for every option of this type

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Like argparse's method, but unknown arguments raise a FittingRoomError that suggests the nearest option."""
        words: list[str] = list(args or [])
        for before, word in zip(["", *words], words, strict=False):
            if word == "" or re.fullmatch("--[a-z-]+=", word):
                name = next((each for each in (word, before) if each.startswith("--")), "an argument").rstrip("=")
                self.error(f"{name}: the value is empty: was a variable of your shell not set?")
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [name for action in self._actions for name in action.option_strings]
            near = nearest(unknown[0].split("=")[0], options, alike=0.85)
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + (f": did you mean '{near}'?" if near else ""))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise a FittingRoomError with the message and the help command."""
        raise FittingRoomError(f"{message} (see: {self.prog} --help)")


def build_parser() -> Parser:
    """The parser with all commands and their options."""
    parser = Parser(
        prog="fittingroom",
        description="Try architectures on your images and see which one fits.",
        epilog="Start with: fittingroom compare --preset quick",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fittingroom {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.COMMANDS.items():
        subparser = subparsers.add_parser(
            name,
            help=command.help,
            description=command.description,
            epilog=command.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for add in command.options:
            add(subparser)
        options.add_json(subparser)
        subparser.set_defaults(call=command.call)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 success, 1 some runs failed, 2 bad input, 130 interrupted."""
    try:
        prepare()
        try:
            return _call(argv)
        finally:
            sys.stdout.flush()  # here, where a broken pipe is understood
    except BrokenPipeError:
        leave_streams()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        leave_streams(sys.stdout)
        print(f"fittingroom: cannot write the output: {error.strerror}: free some space", file=sys.stderr)
        return EXIT_BAD_INPUT


def _call(argv: list[str] | None) -> int:
    left = ""
    try:
        args = build_parser().parse_args(argv)
        check_current_folder()
        left = commands.COMMANDS[args.command].interrupted
        return args.call(args)
    except FittingRoomError as error:
        print(f"fittingroom: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except PermissionError as error:  # a place that the system closes to us, whoever asked for it
        place = shown(str(error.filename or "a file"))
        print(
            f"fittingroom: {place} cannot be used ({error.strerror}): change its permissions, or choose another",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print(f"\nfittingroom: interrupted{'; ' * bool(left)}{left}", file=sys.stderr)
        return EXIT_INTERRUPTED
