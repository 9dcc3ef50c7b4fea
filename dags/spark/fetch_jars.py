"""Fetch the jars with which Spark reads and writes `s3a://`, as jars.lock has them.

    python dags/spark/fetch_jars.py spark_venv/jars    13 MB, each checked by its hash
    python dags/spark/fetch_jars.py lock               make a new jars.lock from pom.xml, with Maven

They come from Maven Central, or from the mirror of it that Maven's own settings name
(~/.m2/settings.xml). Needs nothing but Python, so that an image can run it, too.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent
LOCK = HERE / "jars.lock"
CENTRAL = "https://repo.maven.apache.org/maven2"
SETTINGS = Path.home() / ".m2" / "settings.xml"
IN_SPARK = "commons-codec,commons-logging,httpclient,httpcore,slf4j-api"
"""Those that Spark has itself, besides all of Netty."""
SECONDS = 60


def locked() -> dict[str, str]:
    """Return the path of each jar in a Maven repository, and its SHA-256."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    return {path: digest for digest, path in lines}


def repository() -> str:
    """Return Maven Central's address, or that of the mirror that Maven would take for it."""
    if SETTINGS.exists():
        for mirror in ET.parse(SETTINGS).findall(".//{*}mirror"):
            names = (mirror.findtext("{*}mirrorOf") or "").replace(" ", "").split(",")
            url = mirror.findtext("{*}url")
            if url and "!central" not in names and {"central", "*", "external:*"} & {*names}:
                return url.strip().rstrip("/")
    return CENTRAL


def fetch(folder: Path) -> None:
    """Fetch what the folder does not have yet.

    Raises:
        OSError: the repository cannot be reached, or does not have the jar.
        ValueError: what came is not what was locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path, digest in locked().items():
        jar = folder / path.rpartition("/")[2]
        if jar.exists():
            continue
        with urllib.request.urlopen(f"{repository()}/{path}", timeout=SECONDS) as answer:
            data = answer.read()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError(f"{path} is not the file that {LOCK} names")
        part = jar.with_suffix(".part")
        part.write_bytes(data)
        part.rename(jar)


def lock() -> None:
    """Make the lock of what Maven finds for pom.xml."""
    with tempfile.TemporaryDirectory() as folder:
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
        options = ["-Dmdep.useRepositoryLayout=true", f"-DoutputDirectory={folder}"]
        options += [f"-DexcludeArtifactIds={IN_SPARK}", "-DexcludeGroupIds=io.netty"]
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", goal, *options], check=True)
        jars = sorted(Path(folder).rglob("*.jar"))
        lines = [
            f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.relative_to(folder)}\n"
            for jar in jars
        ]
    LOCK.write_text(
        "".join(["# Made by fetch_jars.py of pom.xml; paths in Maven Central.\n", *lines])
    )


if __name__ == "__main__":
    lock() if sys.argv[1] == "lock" else fetch(Path(sys.argv[1]))
