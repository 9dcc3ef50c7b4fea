"""Entry point of `python -m include.xcom_tools`."""

from __future__ import annotations

import sys

from include.xcom_tools import cli

if __name__ == "__main__":
    sys.exit(cli.main())
