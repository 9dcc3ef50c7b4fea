"""What starts Spark, fetches its jars, and says what is missing; Spark itself runs in long tests.

`tests/test_example_dags.py` runs the DAG, `tests/test_engines.py` reads every frame with Spark.
"""

from __future__ import annotations

import hashlib
import runpy
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from airflow.dag_processing.dagbag import DagBag

pytest.importorskip("include.spark", reason="the Spark example was deleted")
from include import spark
from tests import local_s3
from tests.xcom_store.conftest import configure, connect, s3, service

__all__ = ["configure", "connect", "s3", "service"]

ROOT = Path(__file__).resolve().parents[1]
FETCH = ROOT / "dags" / "spark" / "fetch_jars.py"
SUBMIT = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
env > "$0.environment"
exit ${STATUS:-0}
"""


@pytest.fixture
def spark_submit(tmp_path, monkeypatch, s3, connect):
    """A program in the place of spark-submit that keeps what it is given."""
    program = tmp_path / "bin" / "spark-submit"
    for folder in (program.parent, tmp_path / "jars"):
        folder.mkdir()
    for name in ("a.jar", "b.jar", "jars.lock"):
        (tmp_path / "jars" / name).touch()
    program.write_text(SUBMIT)
    program.chmod(0o755)
    monkeypatch.setattr(spark, "SPARK_VENV", tmp_path)
    connect("spark_default", "spark", host="local[2]")
    return program


def given(program: Path) -> tuple[list[str], dict[str, str]]:
    lines = Path(f"{program}.environment").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    return Path(f"{program}.arguments").read_text().splitlines(), environment


def test_spark_gets_uris_as_arguments_and_keys_by_its_environment(spark_submit, s3, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-another-account")
    spark.submit(Path("job.py"), "s3://b/in.parquet", "s3://b/out")
    arguments, environment = given(spark_submit)
    assert arguments[-3:] == ["job.py", "s3a://b/in.parquet", "s3a://b/out"]
    assert arguments[arguments.index("--master") + 1] == "local[2]"
    assert arguments[arguments.index("--jars") + 1].count(".jar") == 2
    assert f"spark.hadoop.fs.s3a.endpoint={s3.server.endpoint_url}" in arguments
    assert environment["AWS_SECRET_ACCESS_KEY"] == s3.server.secret_access_key
    assert environment["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert "AWS_SESSION_TOKEN" not in environment
    assert s3.server.secret_access_key not in " ".join(arguments)


@pytest.mark.parametrize(("style", "by_path"), [("auto", "true"), ("virtual", "false")])
def test_the_bucket_is_addressed_as_the_connection_says(spark_submit, s3, connect, style, by_path):
    config = {"s3": {"addressing_style": style}}
    connect(**local_s3.connection(s3.server, config_kwargs=config))
    spark.submit(Path("job.py"))
    assert f"spark.hadoop.fs.s3a.path.style.access={by_path}" in given(spark_submit)[0]


def test_the_connection_says_where_spark_computes(spark_submit, connect):
    connect("spark_default", "spark", host="spark://master", port=7077)
    spark.submit(Path("job.py"))
    arguments, environment = given(spark_submit)
    assert arguments[arguments.index("--master") + 1] == "spark://master:7077"
    assert "SPARK_LOCAL_IP" not in environment


def test_a_job_that_fails_fails_the_task(spark_submit, monkeypatch):
    monkeypatch.setenv("STATUS", "3")
    with pytest.raises(spark.subprocess.CalledProcessError, match="exit status 3"):
        spark.submit(Path("job.py"))


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_spark_ends_when_its_task_is_killed(sent):
    run = "from include.spark import _run; _run(['sh', '-c', 'echo $$; exec sleep 300'], {})"
    task = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", run],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with task:
        spark = psutil.Process(int(task.stdout.readline()))
        try:
            task.send_signal(sent)
            spark.wait(10)
        finally:
            with suppress(psutil.NoSuchProcess):
                spark.kill()


def test_the_list_of_dags_says_what_it_needs():
    (dag,) = DagBag(ROOT / "dags" / "example_spark_dag.py").dags.values()
    assert "needs: dev spark" in dag.tags
    assert "python3 -m dev spark" in dag.doc_md


def test_without_spark_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(spark, "SPARK_VENV", tmp_path)
    with pytest.raises(FileNotFoundError, match="python3 -m dev spark"):
        spark.submit(Path("job.py"))


@pytest.mark.parametrize(
    ("java", "found"),
    [(None, "there is none"), ("echo 'openjdk version \"11.0.2\"' >&2", "11.0.2")],
)
def test_without_java_17_it_is_told_what_to_install(tmp_path, monkeypatch, java, found):
    spark = pytest.importorskip("dev.spark", reason="only `python3 -m dev test` runs this")
    errors = pytest.importorskip("dev.errors")
    (tmp_path / "bin").mkdir()
    if java:
        (tmp_path / "bin" / "java").write_text(f"#!/bin/sh\n{java}\n")
        (tmp_path / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert found in str(spark.missing())
    with pytest.raises(errors.DevError, match=r"Java 17 or newer[\s\S]*openjdk-17-jre-headless"):
        spark.ensure()


def test_demo_all_leaves_the_dag_out_and_says_why(monkeypatch):
    demo = pytest.importorskip("dev.demo", reason="only `python3 -m dev test` runs this")
    listed = ["example_dataframe_dag", demo.spark.DAG]
    monkeypatch.setattr(demo.follow, "listed_dags", lambda *_: listed)
    monkeypatch.setattr(demo.spark, "missing", lambda: "There is no Java.")
    one, said = object.__new__(demo.Demo), []
    one.seconds, one.say, one._other = {}, said.append, None
    for asked, runs in ((None, listed[:1]), ((demo.spark.DAG,), listed)):
        one._options = SimpleNamespace(dags=asked, store="s3")
        assert one._dags(None) == runs
    assert said == ["\nLeaving out example_spark_dag. There is no Java."]


@pytest.fixture
def fetch_jars(tmp_path):
    """The module, with a repository of one jar in the place of Maven Central, and a lock of it."""
    path = "org/example/one/1/one-1.jar"
    jar = tmp_path / "central" / path
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"a jar")
    names = runpy.run_path(str(FETCH))
    change = names["fetch"].__globals__
    change["LOCK"] = tmp_path / "jars.lock"
    change["CENTRAL"] = (tmp_path / "central").as_uri()
    change["SETTINGS"] = tmp_path / "settings.xml"
    change["LOCK"].write_text(f"# a lock\n{hashlib.sha256(b'a jar').hexdigest()}  {path}\n")
    change["jar"] = jar
    return change


def test_jars_are_fetched_once_and_checked(fetch_jars, tmp_path):
    folder = tmp_path / "jars"
    fetch_jars["fetch"](folder)
    assert [jar.name for jar in folder.iterdir()] == ["one-1.jar"]
    fetch_jars["jar"].write_bytes(b"another")
    fetch_jars["fetch"](folder)
    (folder / "one-1.jar").unlink()
    with pytest.raises(ValueError, match="is not the file"):
        fetch_jars["fetch"](folder)
    assert not [*folder.iterdir()]


@pytest.mark.parametrize(
    ("mirror_of", "taken"),
    [
        ("central", True),
        ("*", True),
        ("external:*,!other", True),
        ("*,!central", False),
        ("x", False),
    ],
)
def test_the_mirror_of_mavens_settings_is_taken(fetch_jars, mirror_of, taken):
    fetch_jars["SETTINGS"].write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors><mirror>'
        f"<mirrorOf>{mirror_of}</mirrorOf><url>https://mirror.example.com/maven/</url>"
        "</mirror></mirrors></settings>"
    )
    mirror = "https://mirror.example.com/maven"
    assert fetch_jars["repository"]() == (mirror if taken else fetch_jars["CENTRAL"])


def test_the_lock_has_what_the_pom_asks_for():
    fetch_jars = runpy.run_path(str(FETCH))
    names = [path.rpartition("/")[2] for path in fetch_jars["locked"]()]
    pom = (FETCH.parent / "pom.xml").read_text()
    hadoop, sdk = (pom.partition(f"<{name}>")[2].partition("<")[0] for name in ("hadoop", "sdk"))
    assert {f"hadoop-aws-{hadoop}.jar", f"s3-{sdk}.jar", f"sts-{sdk}.jar"} <= {*names}
    assert not [name for name in names if name.startswith(("bundle-", "wildfly", "netty-buffer"))]


def test_the_settings_have_the_connection_for_this_machine():
    yaml = pytest.importorskip("yaml")
    if not (settings := ROOT / "airflow_settings.yaml").exists():
        pytest.skip("airflow_settings.yaml is not shipped")
    connections = yaml.safe_load(settings.read_text())["airflow"]["connections"]
    [found] = [entry for entry in connections if entry["conn_id"] == spark.CONN_ID]
    assert (found["conn_type"], found["conn_host"]) == ("spark", "local[2]")
