"""The commands of `python -m include.xcom_tools`, and what they have in common."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Protocol

from include.xcom_store.errors import XComStoreError
from include.xcom_tools import cat, check, du, errors, ls, output, place, sweep, uri, verify

if TYPE_CHECKING:
    from collections.abc import Sequence


class Command(Protocol):
    """A module: its docstring is the help, its first line that of the list of commands."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Add the options of its own."""

    def run(self, arguments: argparse.Namespace, /) -> int:
        """Do it; return the exit code."""


COMMANDS: dict[str, Command] = {
    "check": check,
    "ls": ls,
    "du": du,
    "cat": cat,
    "uri": uri,
    "verify": verify,
    "sweep": sweep,
}

_PROGRAM = "python -m include.xcom_tools"
_DESCRIPTION = """\
Looks after the XComs in the object store, with the settings and the connection of the Airflow
environment it runs in: where tasks run, where the scheduler runs, or on your machine with the
project's .env.
"""
_EPILOG = """\
exit codes:
  0    all is as it should be (there may be warnings)
  1    something that was looked at is wrong: an error in check, a damaged or missing object
  2    the command line, the settings or the connection cannot be used
  3    the store or Airflow does not answer, or refuses to
  130  interrupted

Results go to standard output, all else to standard error. --json prints one JSON object per
line, with sizes in bytes. Every command explains itself: python -m include.xcom_tools check --help
"""


def main(arguments: Sequence[str] | None = None, program: str = _PROGRAM) -> int:
    """Run one command; return the exit code. `program` is what help says to type."""
    options = parser(program).parse_args(arguments)
    try:
        with place.airflow_home():
            return _run(options)
    except (XComStoreError, errors.ToolError) as error:
        output.say(f"error: {error}")
        return errors.exit_code(error)
    except KeyboardInterrupt:
        output.say("interrupted")
        return errors.INTERRUPTED
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return errors.OK


def _run(options: argparse.Namespace) -> int:
    # Not at the top, for --help takes a second otherwise; and before anything that imports the
    # backend, which it imports itself.
    import airflow.sdk  # noqa: F401

    configure_log("INFO" if options.verbose else "WARNING")
    # As `airflow connections get` does: a connection may be in the metadata database only, and
    # outside of a task Airflow's SDK asks that in its servers alone.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    code = COMMANDS[options.command].run(options)
    sys.stdout.flush()
    return code


def configure_log(level: str) -> None:
    """Log to standard error, with secrets masked; by default Airflow logs to standard output.

    Not below INFO: at DEBUG botocore logs session tokens.
    """
    from airflow.sdk.log import configure_logging

    configure_logging(log_level=level, output=sys.stderr)


def parser(program: str) -> argparse.ArgumentParser:
    """Return what reads the command line; needs nothing installed."""
    whole = argparse.ArgumentParser(
        prog=program,
        description=_DESCRIPTION,
        epilog=_EPILOG.replace(_PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        first, _, rest = (command.__doc__ or "").partition("\n")
        rest, _, examples = rest.replace(_PROGRAM, program).partition("Examples:\n")
        added = commands.add_parser(
            name,
            help=first[:1].lower() + first[1:].rstrip("."),
            description=f"{first}\n{rest.rstrip()}",
            epilog=f"examples:\n{examples.rstrip()}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(added)
        added.add_argument("--json", action="store_true", help="one JSON object per line")
        added.add_argument("-v", "--verbose", action="store_true", help="log to standard error")
    return whole
