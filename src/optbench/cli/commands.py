"""How a command line is handed to a command: a file of this folder with a function `run`."""

import argparse
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from optbench.core.errors import UsageError
from optbench.params.messages import unknown

HELP = ("-h", "--help")


class Parser(argparse.ArgumentParser):
    """Parses the arguments of a command; a wrong one is a UsageError like all others."""

    def __init__(self, command: str, text: str, *, example: str) -> None:
        """`text`: what the command does; `example`: its arguments, in one that works."""
        super().__init__(
            prog=f"optbench {command}",
            description=text,
            epilog=f"example: optbench {command} {example}".rstrip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Refuses arguments.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.prog}: {message}: see `{self.prog} --help`")


def hand_over(
    arguments: Sequence[str],
    standing: Path,
    *,
    prog: str,
    text: str,
    commands: Mapping[str, str],
    prefix: str = "",
) -> int:
    """Runs the command that the first argument names; lists all commands where it names none.

    Args:
        arguments: of the command line.
        standing: the folder that paths among them are relative to.
        prog: what stands before them.
        text: what it is for.
        commands: by name, what they do.
        prefix: of the commands' files.

    Raises:
        UsageError: there is no such command, or it refuses its arguments.
    """
    if not arguments or arguments[0] in HELP:
        width = max(map(len, commands)) + 2
        lines = [f"  {name:{width}}{text}" for name, text in commands.items()]
        print("\n".join([text, f"{prog} COMMAND ..., with --help for more", *lines]))
        return 0
    name, *rest = arguments
    if name not in commands:
        raise UsageError(unknown(prog, "command", name, commands))
    # Imported when it is called: some import what takes seconds.
    code: int = importlib.import_module(f"optbench.cli.{prefix}{name}").run(rest, standing)
    return code
