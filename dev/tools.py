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
_NOTHING = (
    "Nothing runs here that has values to look at. Start `python3 -m dev up` (or only the S3"
    " server: `python3 -m dev s3`) in another terminal."
)
_CODE = (
    "import sys; from include.xcom_tools.cli import main; sys.exit(main(program=sys.argv.pop(1)))"
)


def check(arguments: Sequence[str]) -> None:
    """Exit with the tool's help, or what is wrong with the arguments; DevError if nothing runs."""
    from include.xcom_tools import cli

    cli.parser(_NAME).parse_args(arguments or ["--help"])
    if not (project.holder("demo") or project.holder("s3")):
        raise DevError(_NOTHING)


def run(arguments: Sequence[str]) -> int:
    """Become the tool; DevError if nothing runs that it could look at."""
    settings = kept.running_settings() or _of_s3_alone()
    env = {**airflow_environment.inherited(), "PYTHONPATH": str(ROOT), **settings}
    local = ["--local"] if arguments[:1] == ["check"] else []
    command = [sys.executable, "-c", _CODE, _NAME, *arguments, *local]
    os.execve(sys.executable, command, env)  # noqa: S606


def _of_s3_alone() -> dict[str, str]:
    """The settings of `.env` for the server of `dev s3`; an Airflow is where it is by default."""
    if project.holder("s3") is None:
        raise DevError(
            "`up` is not ready yet: wait for its address." if project.holder("demo") else _NOTHING
        )
    settings = settings_file.read()
    connections = {
        f"AIRFLOW_CONN_{connection['connection_id'].upper()}": _as_json(connection)
        for connection in settings.connections
    }
    return {**settings.env, **connections, "AIRFLOW_HOME": str(STATE / "tools")}


def _as_json(connection: settings_file.Json) -> str:
    return json.dumps({name: connection[name] for name in connection if name != "connection_id"})
