"""README and docs hold: links, commands, settings and examples are those of the project.

A code block under a comment `<!-- tested: name -->` is run here. Skipped inside the image, which has
neither these pages nor `dev/`.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from email.headerregistry import Address
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dateutil import tz

from tests import airflow_process, uv
from tests.xcom_store import conftest as fixtures
from tests.xcom_store.identical import assert_identical

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = (*(ROOT / name for name in TOP), *sorted(DOCS.glob("*.md")))
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES if page.exists()}

pytestmark = pytest.mark.skipif(
    not README.exists() or not DOCS.exists(),
    reason="README.md or docs/ is not here: the image leaves them out",
)
pages = pytest.mark.parametrize("page", TEXT, ids=lambda page: page.name)

airflow = airflow_process.airflow
# Fixtures of tests/xcom_store: the backend on a real S3 server.
configure, service, s3, supervisor, xcom = (
    fixtures.configure,
    fixtures.service,
    fixtures.s3,
    fixtures.supervisor,
    fixtures.xcom,
)


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", TEXT[page], re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def example(name: str) -> str:
    """The Python block that is marked with this name."""
    pattern = rf"<!-- tested: {name} -->\n```python\n(.*?)^```$"
    (text,) = [
        text
        for page in TEXT.values()
        for text in re.findall(pattern, page, re.MULTILINE | re.DOTALL)
    ]
    return text


def prose(page: Path) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", TEXT[page], flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The headings as GitHub names them in links."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_readme_is_short():
    assert len(TEXT[README].split()) <= 1_300


# ------------------------------------------------------------------------ commands


def commands() -> dict[str, set[str]]:
    """Each `python3 -m dev` command that a page names, with the options it is given there."""
    found: dict[str, set[str]] = {}
    for command, rest in re.findall(
        r"python3 -m dev ((?:tools )?[a-z][a-z0-9]*)((?: [^\s`#|]+)*)", "\n".join(TEXT.values())
    ):
        found.setdefault(command, set()).update(re.findall(r"--[a-z][a-z0-9-]*", rest))
    return found


@pytest.mark.skipif(not (ROOT / "dev").exists(), reason="dev/ was deleted")
@pytest.mark.parametrize("command", commands())
def test_commands_are_those_of_dev(command):
    done = subprocess.run(
        [sys.executable, "-m", "dev", *command.split(), "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for option in commands()[command]:
        assert option in done.stdout, f"{command} {option}"


@pages
def test_the_latest_run_is_one_of_a_dag(page):
    """As the tool has it, which no `--help` shows."""
    for line in re.findall(
        r"^.*(?:dev|include\.xcom_)[ ]?tools .*--latest.*$", TEXT[page], re.MULTILINE
    ):
        assert "--dag-id" in line


def test_the_commands_are_found():
    assert {"demo", "up", "test", "s3", "setup", "lock"} <= commands().keys()


# ------------------------------------------------------------------------ settings


def settings() -> dict[str, str]:
    """The variables of the table in docs/production.md, with the default given there."""
    rows = re.findall(
        r"^\| `AIRFLOW__XCOM_STORE__(\w+)` \| (.*?) \|", TEXT[DOCS / "production.md"], re.MULTILINE
    )
    return {name.lower(): default.strip("`") for name, default in rows}


def test_every_setting_is_documented_with_its_default():
    from include.xcom_store.settings import Settings

    defaults = {
        name: "none"
        if value in (None, "")
        else f"{value:g}"
        if type(value) is float
        else str(value)
        for name, value in Settings()._asdict().items()
    }
    assert settings() == defaults


@pages
def test_no_setting_is_invented(page):
    named = set(re.findall(r"AIRFLOW__XCOM_STORE__([A-Z_]+)", TEXT[page]))
    assert {name.lower() for name in named} <= settings().keys()


# ------------------------------------------------------------------------ examples


@pages
def test_json_can_be_read(page):
    for text in blocks(page, "json"):
        json.loads(text)


def test_the_reference_is_one():
    from include.xcom_store.record import MARK_KEY, Reference

    (record,) = [r for page in TEXT for r in map(json.loads, blocks(page, "json")) if MARK_KEY in r]
    assert record.keys() == Reference.from_record(record).to_record().keys()


def test_a_row_for_a_single_value(monkeypatch, xcom):
    from include.xcom_store.documents import reader, tags, writer

    names: dict = {}
    exec(example("tag"), names)
    table = reader.TAGS | {names["ROW"].name: names["ROW"]}
    monkeypatch.setattr(reader, "TAGS", table)
    monkeypatch.setattr(writer, "_find", tags.finder(table.values()))
    for value in (Address("Zoë", "a", "b.org"), [Address(str(n), "a", "b.c") for n in range(500)]):
        xcom.push(value)
        assert_identical(value, xcom.pull())


REFUSED = {
    "align=True": lambda: np.zeros(1, np.dtype([("a", "i1"), ("b", "i8")], align=True)),
    "metadata": lambda: np.zeros(1, np.dtype("i4", metadata={"a": 1})),
    "tzstr": lambda: tz.tzstr("EST5EDT"),
    "254 deep": lambda: functools.reduce(lambda inner, _: (inner,), range(255), 1),
    "masked": lambda: np.ma.array([1], mask=[True]),
    "record": lambda: np.rec.array([(1,)], dtype=[("a", int)]),
    "Sparse": lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}),
    "complex": lambda: pd.DataFrame({"a": [1j]}),
    "object": lambda: np.zeros(1, [("a", "O")]),
    "overlap": lambda: np.zeros(1, {"names": "ab", "formats": ["i4", "i4"], "offsets": [0, 2]}),
    "functions": lambda: len,
    "exceptions": lambda: ValueError("x"),
    "xcom_store/": lambda: {"__id__": "xcom_store/1"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_said_to_be_refused_is(xcom, name):
    from include.xcom_store.errors import ValueNotStorable

    _, _, section = TEXT[DOCS / "types.md"].partition("## What is refused")
    assert name in section.partition("\n## ")[0]
    for value in (REFUSED[name](), [REFUSED[name]()]):
        with pytest.raises(ValueNotStorable):
            xcom.push(value)
    assert xcom.s3.keys() == []


def test_a_codec(monkeypatch, tmp_path, xcom):
    from include.xcom_store import codecs

    file = tmp_path / "bytes_io.py"
    file.write_text(example("codec"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("bytes_io", file)
    codec = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(codec)
    monkeypatch.setitem(codecs.CODECS, codec.NAME, codec)

    for data, position in ((b"abc", 2), (b"", 0), (b"x" * 50_000, 50_000)):
        value = BytesIO(data)
        value.seek(position)
        record = xcom.push(value)
        assert (record["codec"], record["type"]) == ("python-bytes_io", "_io.BytesIO")
        for back in (xcom.pull(), (xcom.push({"nested": [value]}), xcom.pull())[1]["nested"][0]):
            assert (type(back), back.getvalue(), back.tell()) == (BytesIO, data, position)


def test_what_make_it_yours_names_is_there():
    _, _, section = TEXT[DOCS / "development.md"].partition("## Make the project yours")
    section, _, _ = section.partition("\n## ")
    for name in re.findall(r"`([\w./*-]+)`", section):
        if "/" in name or name.endswith((".txt", ".yml", ".md")):
            assert list(ROOT.glob(name.rstrip("/"))), name


def test_the_backend_needs_only_what_is_to_be_kept(tmp_path, s3):
    kept = ["include/__init__.py", "include/xcom_store/"]
    kept += ["include/s3_xcom_backend.py", "include/xcom_backend.py"]
    for name in kept:
        assert f"`{name}`" in TEXT[DOCS / "development.md"]
        copy = shutil.copytree if name.endswith("/") else shutil.copy
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy(ROOT / name, tmp_path / name)
    code = """
import json, types
import pandas as pd
from airflow.sdk.execution_time.xcom import XCom
where = dict(key="k", dag_id="d", run_id="r", task_id="t", map_index=-1)
record = json.loads(json.dumps(XCom.serialize_value(pd.DataFrame({"a": [1]}), **where)))
print(record["codec"], XCom.deserialize_value(types.SimpleNamespace(value=record)).a.tolist())
"""
    backend = {"AIRFLOW__CORE__XCOM_BACKEND": "include.s3_xcom_backend.S3XComBackend"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | backend | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "pandas-parquet [1]" in done.stdout, done.stdout + done.stderr


def test_the_own_dag_and_its_test(tmp_path):
    """As docs/development.md has them: where they are to be put, run by pytest."""
    for name, place in (("own dag", "dags/my_fares.py"), ("own test", "tests/dags/test_it.py")):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        file.write_text(example(name), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/dags"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.long
def test_dbt_is_installed_for_standalone_mode(tmp_path):
    commands = re.findall(r"^uv .*dbt_venv.*$", TEXT[README], re.MULTILINE)
    assert len(commands) == 2
    shutil.copy(ROOT / "dbt-requirements.lock", tmp_path)
    env = uv.environment()
    env["PATH"] = f"{uv.PROGRAM.parent}:{env['PATH']}"
    for command in commands:
        subprocess.run(command, shell=True, cwd=tmp_path, env=env, check=True)
    subprocess.run([tmp_path / "dbt_venv/bin/dbt", "--version"], check=True)


@pytest.mark.long
def test_what_the_own_dag_stores(tmp_path, airflow):
    (tmp_path / "my_fares.py").write_text(example("own dag"), encoding="utf-8")
    log = airflow.run("dags", "test", "my_fares", AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path))
    assert airflow.run_of("my_fares")[1] == "success", log
    assert airflow.references("my_fares").keys() >= {"load", "total"}
    assert airflow.xcom("my_fares", "total")["summary"].startswith("2 rows × 2 columns")


@pytest.mark.long
def test_the_dag(tmp_path, airflow):
    """In a real Airflow: the frame is in S3, Airflow's database has the reference."""
    (tmp_path / "trips.py").write_text(example("dag"), encoding="utf-8")
    log = airflow.run("dags", "test", "trips", AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path))
    assert airflow.run_of("trips")[1] == "success", log
    stored = airflow.xcom("trips", "load")
    assert (stored["type"], stored["codec"]) == ("pandas.DataFrame", "pandas-parquet")
    assert "31.5" not in str(stored)
    assert "43.5" in log  # the sum that `report` prints
