"""Before `astro deploy`: does the image, or the Deployment, name a store, and nothing local?

    python3 .ci/before_deploy.py                          the store's URL is in the Dockerfile
    python3 .ci/before_deploy.py --deployment-variable    it is a variable of the Deployment

Reads files only: whether the bucket exists, and whether the role may use it, is not checked.
"""
# ruff: noqa: INP001 - a script, not a module

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
URL = "AIRFLOW__XCOM_STORE__URL"
OPTION = "--deployment-variable"
LOOPBACK = r"//(localhost|127\.|\[::1\]|0\.0\.0\.0|host\.docker\.internal)"


def variables(file: Path, prefix: str = "") -> dict[str, str]:
    """The lines NAME=value of a file, behind a prefix; none if there is no such file."""
    text = file.read_text() if file.exists() else ""
    return dict(re.findall(rf"^{prefix}(\w+)=(\S+)", text, re.MULTILINE))


def bucket(url: str) -> str:
    """The bucket in `s3://[conn_id@]bucket[/prefix]`."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def problems(*, deployment_variable: bool) -> list[str]:
    """What would go wrong after a deploy, a sentence each."""
    image = variables(ROOT / "Dockerfile", "ENV +")
    url = image.get(URL)
    found = [
        f"{name}={value} in the Dockerfile is an address of your own machine."
        for name, value in image.items()
        if re.search(LOOPBACK, value)
    ]
    if url is None and not deployment_variable:
        found.append(
            "No store is set: the first task that pushes more than a short value would fail."
            f" Uncomment `ENV {URL}=…` in the Dockerfile and put your bucket's name there,"
            f" or make it a variable of the Deployment and say so with {OPTION}."
        )
    local = bucket(variables(ROOT / ".env").get(URL, ""))
    if url and bucket(url) in ("your-bucket", local):
        found.append(f"{URL}={url} in the Dockerfile names no bucket of yours on AWS.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(OPTION, action="store_true", help=f"the Deployment sets {URL}")
    found = problems(deployment_variable=parser.parse_args().deployment_variable)
    sys.exit("\n".join(f"error: {problem}" for problem in found) or 0)


if __name__ == "__main__":
    main()
