"""Runs one function in a process of its own: `python -m dev.benchmarks.child MODULE FUNCTION FILE`.

It imports next to nothing, so that functions which measure imports find an empty process.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

MARK = "RESULT "


def main() -> None:
    """Call the function with the members of the file's JSON object; print its result as JSON."""
    module, function, path = sys.argv[1:]
    with open(path) as file:  # noqa: PTH123 - pathlib may be what is measured
        arguments = json.load(file)
    called = getattr(importlib.import_module(module), function)
    folder = os.environ.get("BENCHMARK_PROFILES")
    result = _profiled(called, arguments, folder) if folder else called(**arguments)
    print(f"\n{MARK}{json.dumps(result)}", flush=True)
    # As a task's process ends in Airflow. At an ordinary end, a thread of pyarrow that still lets
    # go of a Python file may abort the process ("terminate called without an active exception").
    os._exit(0)


def _profiled(called: Any, arguments: dict[str, Any], folder: str) -> Any:
    """Call it, and write what its thread did as a file for https://www.speedscope.app."""
    from pyinstrument import Profiler
    from pyinstrument.renderers import SpeedscopeRenderer

    with Profiler(interval=0.0005) as profiler:
        result = called(**arguments)
    name = f"{called.__module__.rpartition('.')[2]}-{called.__name__}-{os.getpid()}"
    with open(f"{folder}/{name}.speedscope.json", "w") as file:  # noqa: PTH123 - as above
        file.write(profiler.output(SpeedscopeRenderer()))
    return result


if __name__ == "__main__":
    main()
