"""What ends a command with one message instead of a traceback, and with which exit code.

OK            0  all is as it should be; warnings may have been printed
FOUND         1  something examined is wrong: an error of `check`, a damaged or missing object
USAGE         2  the command line, the settings or the connection cannot be used
UNREACHABLE   3  the store or Airflow does not answer, or refuses to
INTERRUPTED 130  Ctrl-C
"""

from __future__ import annotations

from include.xcom_store.errors import AccessDenied, ConfigurationError, StoreUnreachable

OK, FOUND, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


class ToolError(Exception):
    """A message for the operator: what was being done, what is wrong, what to do."""

    exit_code = USAGE


class Unreachable(ToolError):
    """Airflow's REST API does not answer, or refuses."""

    exit_code = UNREACHABLE


def exit_code(error: Exception) -> int:
    """Return the exit code that an error ends a command with."""
    if isinstance(error, ToolError):
        return error.exit_code
    if isinstance(error, (AccessDenied, StoreUnreachable)):
        return UNREACHABLE
    return USAGE if isinstance(error, ConfigurationError) else FOUND
