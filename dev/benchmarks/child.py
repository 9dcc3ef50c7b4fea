"""Runs one function in a process of its own: `python -m dev.benchmarks.child MODULE FUNCTION JSON`.

It imports next to nothing, so that functions which measure imports find an empty process.
"""

from __future__ import annotations

import importlib
import json
import sys

MARK = "RESULT "


def main() -> None:
    """Call the function with the JSON object's members, and print what it returns as JSON."""
    module, function, arguments = sys.argv[1:]
    result = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print(f"\n{MARK}{json.dumps(result)}", flush=True)


if __name__ == "__main__":
    main()
