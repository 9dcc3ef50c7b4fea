"""Entry point of `python3 -m dev`. Must stay readable by any Python, 2.7 included: it refuses them.

So no annotations here, no f-strings, and no import of the package's modules before the check.
"""

import os
import sys

if __name__ == "__main__":
    if os.name == "nt":
        sys.exit("Windows: run this inside WSL2, or use Docker with the Astro CLI (see README.md).")
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(
            "This needs Python 3.11, 3.12 or 3.13, as Airflow 3.3 and its Great Expectations"
            " provider do.\nThis is Python {}.{}: {}\n"
            "Run it with another one, for example: python3.13 -m dev {}".format(
                sys.version_info[0], sys.version_info[1], sys.executable, " ".join(sys.argv[1:])
            )
        )
    from dev import cli

    sys.exit(cli.main())
