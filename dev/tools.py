"""`python3 -m dev tools …`: the operator's tool, with the settings of what runs here."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from dev import airflow_environment, kept, project, settings_file
from dev.errors import DevError
from dev.project import ROOT, STATE

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "python3 -m dev tools"
_CODE = (
    "import sys; from include.xcom_tools.cli import main; sys.exit(main(program=sys.argv.pop(1)))"
)


def only_help(arguments: Sequence[str]) -> bool:
    """Whether nothing has to run, nor be installed, to answer."""
    return not arguments or not {"-h", "--help"}.isdisjoint(arguments)


def show_help(arguments: Sequence[str]) -> int:
    """Print the tool's help, or its complaint that no command is named."""
    from include.xcom_tools import cli

    return cli.main(arguments, program=_NAME)


def run(arguments: Sequence[str]) -> int:
    """Become the tool; DevError if nothing runs that it could look at."""
    settings = kept.running_settings() or _of_s3_alone()
    env = {**airflow_environment.inherited(), "PYTHONPATH": str(ROOT), **settings}
    os.execve(sys.executable, [sys.executable, "-c", _CODE, _NAME, *arguments], env)  # noqa: S606


def _of_s3_alone() -> dict[str, str]:
    """The settings of `.env` for the server of `dev s3`; an Airflow is where it is by default."""
    if project.holder("s3") is None:
        starting = " `up` is not ready yet: wait for its address." if project.holder("demo") else ""
        raise DevError(
            "Nothing runs here that has values to look at. Start `python3 -m dev up` (or only the"
            f" S3 server: `python3 -m dev s3`) in another terminal.{starting}"
        )
    settings = settings_file.read()
    connections = {
        f"AIRFLOW_CONN_{connection['connection_id'].upper()}": _as_json(connection)
        for connection in settings.connections
    }
    return {**settings.env, **connections, "AIRFLOW_HOME": str(STATE / "tools")}


def _as_json(connection: settings_file.Json) -> str:
    return json.dumps({name: connection[name] for name in connection if name != "connection_id"})
