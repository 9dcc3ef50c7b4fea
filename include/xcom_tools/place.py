"""Whether this is an Airflow's environment; if not, what it misses and how to get it.

Importing Airflow makes a folder `~/airflow` where `AIRFLOW_HOME` names none. A tool that only looks
must not, so this is settled before.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator

_URL = "AIRFLOW__XCOM_STORE__URL"
_WAYS = """
  python3 -m dev tools …   the Airflow that `python3 -m dev up` runs, or the server of `dev s3`
  astro dev bash           a shell in the containers of `astro dev start`
  elsewhere                Airflow's own Python, with the AIRFLOW… variables of its processes"""


@contextmanager
def airflow_home() -> Iterator[None]:
    """Let Airflow be imported; where its home is not known, with an empty one that is removed.

    Raises:
        ToolError: Airflow is not installed, or nothing says what it is configured for.
    """
    if importlib.util.find_spec("airflow") is None:
        raise ToolError(f"Airflow is not installed for {sys.executable}. Run this in{_WAYS}")
    if "AIRFLOW_HOME" in os.environ or Path("~/airflow").expanduser().exists():
        yield
        return
    if _URL not in os.environ:
        raise ToolError(
            f"this is no Airflow's environment: neither AIRFLOW_HOME nor {_URL} is set, and there "
            f"is no ~/airflow. Run this in{_WAYS}"
        )
    with tempfile.TemporaryDirectory(prefix="xcom-tools-") as folder:
        os.environ["AIRFLOW_HOME"] = folder
        yield
