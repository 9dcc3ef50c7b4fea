"""Entry point of `python -m include.s3_xcom_tools`."""

from __future__ import annotations

import sys

from include.s3_xcom_tools import cli

if __name__ == "__main__":
    sys.exit(cli.main())
