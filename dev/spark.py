"""Spark for example_spark_dag: `python3 -m dev spark` makes spark_venv, with the jars for `s3a://`.

It takes 0.6 GB, and Java, so nothing else makes it: where it is not there, that DAG is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from dev import environment, processes
from dev.errors import DevError
from dev.project import ROOT, SPARK_VENV

DAG = "example_spark_dag"
JARS = SPARK_VENV / "jars"
_FETCH = ROOT / "dags" / "spark" / "fetch_jars.py"
_LOCK = ROOT / "dags" / "spark" / "jars.lock"
_FETCHED = JARS / "jars.lock"  # a copy, written last
_OLDEST_JAVA = 17


def missing() -> str | None:
    """Return what Spark lacks here, and how to get it; None if it can run."""
    if reason := _java_missing():
        return reason
    if not environment.SPARK.is_current() or not _jars_are_current():
        return "Spark is not installed here: python3 -m dev spark"
    return None


def ensure() -> None:
    """Make spark_venv what its locks say. Nothing to do costs a second, for Java is asked.

    Raises:
        DevError: there is no Java, or something could not be fetched.
    """
    if reason := _java_missing():
        raise DevError(reason)
    environment.ensure_spark()
    if not _jars_are_current():
        shutil.rmtree(JARS, ignore_errors=True)
        print("Fetching the jars of dags/spark/jars.lock (13 MB)", file=sys.stderr, flush=True)
        command = [sys.executable, str(_FETCH), str(JARS)]
        status, said = processes.capture(command, environment.clean_environment())
        if status:
            raise DevError(
                f"The jars could not be fetched:\n{said[-1_500:]}\n"
                "They come from Maven Central, or from the mirror in ~/.m2/settings.xml. A proxy is"
                " HTTPS_PROXY, a company's own certificates are SSL_CERT_FILE. Then run this again."
            )
        shutil.copy(_LOCK, _FETCHED)


def _jars_are_current() -> bool:
    return _FETCHED.exists() and _FETCHED.read_text() == _LOCK.read_text()


def _java_missing() -> str | None:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    found = "there is none" + (f" in JAVA_HOME={home}" if home else "")
    if java:
        done = subprocess.run([java, "-version"], check=False, capture_output=True, text=True)
        version = re.search(r'version "(\d+)', done.stderr)
        if version and int(version[1]) >= _OLDEST_JAVA:
            return None
        found = f"{java} says\n{done.stderr.strip()}"
    return (
        f"Spark needs Java {_OLDEST_JAVA} or newer; {found}.\n"
        f"On Debian and Ubuntu: sudo apt install openjdk-{_OLDEST_JAVA}-jre-headless;"
        f" on macOS: brew install openjdk@{_OLDEST_JAVA}, and set JAVA_HOME as it says."
    )
