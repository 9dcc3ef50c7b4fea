"""Runs one function in a process of its own: `python -m dev.benchmarks.child MODULE FUNCTION FILE`.

It imports next to nothing, so that functions which measure imports find an empty process.
"""

from __future__ import annotations

import importlib
import json
import sys

MARK = "RESULT "


def main() -> None:
    """Call the function with the members of the file's JSON object; print its result as JSON."""
    module, function, path = sys.argv[1:]
    with open(path) as file:  # noqa: PTH123 - pathlib may be what is measured
        arguments = json.load(file)
    result = getattr(importlib.import_module(module), function)(**arguments)
    print(f"\n{MARK}{json.dumps(result)}", flush=True)


if __name__ == "__main__":
    main()
