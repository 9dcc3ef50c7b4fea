"""The other services that keep XComs, on loopback: what `--store gcs|azure|hdfs` starts.

    with start("azure", folder) as server:
        server.url("xcom"), server.connection()      # for [xcom_store] url, and Airflow

| name  | what runs | needs |
|---|---|---|
| gcs   | SeaweedFS without keys: its S3 is near enough to GCS's XML API | nothing |
| azure | Azurite, Microsoft's emulator | npm |
| hdfs  | Hadoop's mini cluster: a real name node and data node | Java 17, Maven |

They are emulators. SeaweedFS ignores GCS's create-only condition and asks for no credentials.
What npm and Maven install lies in `.dev/stores`, once.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dev import ports, processes, project
from dev.errors import DevError
from dev.s3_server import S3Server

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

DEFAULT = "s3"
_READ_BY_THEMSELVES = {
    "example_dbt_cosmos_dag": {DEFAULT},
    "example_by_reference_dag": {DEFAULT},
    "example_spark_dag": {DEFAULT, "hdfs"},
}
"""DAGs that read a store without this backend, and the services of which they can."""
FOLDER = project.STATE / "stores"
_GRACE_SECONDS = 5.0
_START_SECONDS = 180.0  # Hadoop takes six, on a busy machine sixty
_INSTALL_SECONDS = 300.0  # npm and Maven ask an index that they do not reach for longer
_BUCKET = "airflow-xcoms"
_AZURITE = "azurite@3.37.0"
_HADOOP = {
    "org.apache.hadoop:hadoop-client-minicluster": "3.5.0",
    "org.junit.jupiter:junit-jupiter-api": "5.13.4",  # its main class needs it
    "org.slf4j:slf4j-simple": "1.7.36",
}
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class Server(processes.Stoppable):
    """A running service; also a context manager that stops it.

    Attributes:
        port: of what a client asks first.
        package: what npm or Maven installs for it; empty if nothing.
    """

    name: ClassVar[str]
    package: ClassVar[str] = ""
    scheme: ClassVar[str]
    conn_id: ClassVar[str]
    bucket = _BUCKET

    def __init__(self, process: Any, port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    @classmethod
    def start(cls, folder: Path, port: int | None = None) -> Self:
        """Start it, its data and log in the folder, and wait until it answers."""
        raise NotImplementedError

    def url(self, prefix: str) -> str:
        """Return the `[xcom_store] url` of a prefix in it."""
        return f"{self.scheme}://{self.bucket}/{prefix}"

    @classmethod
    def check(cls) -> None:
        """Raise DevError for what is missing here to run it."""

    def environment(self, prefix: str) -> dict[str, str]:
        """Return the variables that lead an Airflow to it."""
        connection = f"AIRFLOW_CONN_{self.conn_id.upper()}"
        return {
            "AIRFLOW__XCOM_STORE__URL": self.url(prefix),
            connection: json.dumps(self.connection()),
        }

    def told(self, prefix: str) -> str:
        """Return what one needs to know to look at it from elsewhere."""
        variables = self.environment(prefix).items()
        return "".join(f"{self.name:15} {name}='{value}'\n" for name, value in variables)

    def client(self, prefix: str) -> Any:
        """Return a client with obstore's methods; keys are relative to the prefix."""
        raise NotImplementedError

    def objects_of_run(self, prefix: str, dag_id: str, run_id: str) -> dict[str, bytes]:
        """Return everything that it holds for a run: URI to content."""
        client = self.client(prefix)
        dag, run = (urllib.parse.quote(part, safe="") for part in (dag_id, run_id))
        pages = client.list(f"dag_id={dag}/run_id={run}")
        keys = [found["path"] for page in pages for found in page]
        return {f"{self.url(prefix)}/{key}": bytes(client.get(key).bytes()) for key in keys}

    def connection(self, port: int | None = None) -> dict[str, Any]:
        """Return Airflow's connection; a port is that of a proxy before it."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it."""
        self.process.stop()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self.process.kill()


class Gcs(Server):
    """SeaweedFS, which lets everyone in."""

    name, scheme, conn_id = "gcs", "gs", "google_cloud_default"

    @classmethod
    def start(cls, folder: Path, port: int | None = None) -> Self:
        server = S3Server.start(
            folder, bucket=_BUCKET, port=port, access_key_id="", secret_access_key=""
        )
        return cls(server, server.port, server.log)

    def connection(self, port: int | None = None) -> dict[str, Any]:
        key = {
            "gcs_base_url": f"http://{ports.LOOPBACK}:{port or self.port}",
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
        }
        extra = {"keyfile_dict": json.dumps(key)}
        return {"conn_type": "google_cloud_platform", "extra": extra}

    def client(self, prefix: str) -> Any:
        from obstore.store import GCSStore

        key = json.loads(self.connection()["extra"]["keyfile_dict"]) | {"private_key_id": ""}
        return GCSStore(
            self.bucket,
            prefix=prefix,
            service_account_key=json.dumps(key),
            client_options={"allow_http": True},
        )


class Azure(Server):
    """Azurite with its well-known account."""

    name, scheme, conn_id, package = "azure", "az", "wasb_default", "azurite"
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    @classmethod
    def start(cls, folder: Path, port: int | None = None) -> Self:
        program = _once(cls.package, cls._install) / "node_modules" / ".bin" / "azurite-blob"
        folder.mkdir(parents=True, exist_ok=True)
        port = port or ports.free_ports(1)[0]
        command = [str(program), "--blobHost", ports.LOOPBACK, "--blobPort", str(port)]
        command += ["--location", str(folder), "--silent", "--disableTelemetry"]
        command += ["--skipApiVersionCheck"]  # clients of the cloud are newer than it is
        log = folder / "azurite.log"
        with log.open("wb") as output:
            process = processes.start(command, output=output, grace=_GRACE_SECONDS)
        server = cls(process, port, log)
        _wait(server, server._make_container)
        return server

    @classmethod
    def check(cls) -> None:
        _need("npm", "Node.js with npm (on Debian: apt install npm)")

    @classmethod
    def _install(cls, folder: Path) -> None:
        _run(["npm", "install", "--no-fund", "--no-audit", "--prefix", str(folder), _AZURITE])

    def connection(self, port: int | None = None) -> dict[str, Any]:
        host = f"http://{ports.LOOPBACK}:{port or self.port}/{self.account}"
        return {"conn_type": "wasb", "host": host, "login": self.account, "password": self.key}

    def client(self, prefix: str) -> Any:
        from obstore.store import AzureStore

        return AzureStore(
            self.bucket,
            prefix=prefix,
            account_name=self.account,
            account_key=self.key,
            endpoint=self.connection()["host"],
            client_options={"allow_http": True},
        )

    def _make_container(self) -> bool:
        """Ask for it with the account's key (Shared Key); True once it is there."""
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
        said = "".join(f"{name}:{value}\n" for name, value in headers.items())
        resource = f"/{self.account}/{self.account}/{_BUCKET}\nrestype:container"
        text = f"PUT{12 * chr(10)}{said}{resource}"
        digest = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"
        path = f"/{self.account}/{_BUCKET}?restype=container"
        connection = http.client.HTTPConnection(ports.LOOPBACK, self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("PUT", path, headers=headers | {"Content-Length": "0"})
            return connection.getresponse().status in (201, 409)  # made, or there


class Hdfs(Server):
    """One name node and one data node, in one Java process."""

    name, scheme, conn_id, package = "hdfs", "hdfs", "webhdfs_default", "hadoop"
    rpc_port = 0

    @classmethod
    def start(cls, folder: Path, port: int | None = None) -> Self:
        jars = _once(cls.package, cls._install) / "jars"
        folder.mkdir(parents=True, exist_ok=True)
        rpc, free = ports.free_ports(2)
        port = port or free
        options = [
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dtest.build.data={folder / 'data'}",
        ]
        options += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*"]
        main = "org.apache.hadoop.test.MiniDFSClusterManager"
        command = ["java", *options, main, "-datanodes", "1", "-nnport", str(rpc)]
        command += ["-httpport", str(port), *([] if (folder / "data").exists() else ["-format"])]
        log = folder / "hdfs.log"
        with log.open("wb") as output:
            process = processes.start(command, output=output, grace=_GRACE_SECONDS)
        server = cls(process, port, log)
        server.rpc_port = rpc
        server.bucket = f"{ports.LOOPBACK}:{rpc}"
        _wait(server, server._has_data_node)
        return server

    @classmethod
    def check(cls) -> None:
        _need("java", "Java 17 (on Debian: apt install openjdk-17-jre-headless)")
        _need("mvn", "Maven (on Debian: apt install maven)")

    @classmethod
    def _install(cls, folder: Path) -> None:
        lines = [
            "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>"
            "</dependency>".format(*name.split(":"), version)
            for name, version in _HADOOP.items()
        ]
        (folder / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId>"
            "<artifactId>mini-hdfs</artifactId><version>1</version><dependencies>"
            f"{''.join(lines)}</dependencies></project>"
        )
        jars = f"-DoutputDirectory={folder / 'jars'}"
        _run(["mvn", "-B", "-q", "-f", str(folder / "pom.xml"), _COPY, jars])

    def connection(self, port: int | None = None) -> dict[str, Any]:
        user = os.environ.get("USER") or "root"
        host = {"host": ports.LOOPBACK, "port": port or self.port, "login": user}
        return {"conn_type": "webhdfs", **host}

    def client(self, prefix: str) -> Any:
        from include.xcom_store.settings import Settings
        from include.xcom_store.stores.webhdfs import WebHdfs

        node = f"http://{ports.LOOPBACK}:{self.port}"
        return WebHdfs([node], prefix, Settings(), user=self.connection()["login"])

    def _has_data_node(self) -> bool:
        """Whether the name node has one to write to."""
        name = "Hadoop:service=NameNode,name=FSNamesystemState"
        url = f"http://{ports.LOOPBACK}:{self.port}/jmx?qry={name}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(json.load(answer)["beans"][0]["NumLiveDataNodes"])


SERVERS: dict[str, type[Server]] = {each.name: each for each in (Gcs, Azure, Hdfs)}


def start(name: str, folder: Path, port: int | None = None) -> Server:
    """Start one of them; DevError says what to install, or why it did not come up."""
    SERVERS[name].check()
    return SERVERS[name].start(folder, port)


def left_out(name: str, dags: Collection[str]) -> list[str]:
    """Return those of the DAGs that cannot read this service."""
    return [dag for dag in dags if name not in _READ_BY_THEMSELVES.get(dag, {name})]


def _need(program: str, what: str) -> None:
    if shutil.which(program) is None:
        raise DevError(f"This store needs {what}: there is no program {program} on the PATH.")


def _once(name: str, install: Any) -> Path:
    """Return the folder of what is installed, after installing it if it is not there."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in several processes
        done = folder / "installed"
        if not done.exists():
            install(folder)
            done.touch()
    return folder


def _run(command: list[str]) -> None:
    try:
        status, said = processes.capture(command, dict(os.environ), seconds=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DevError(
            f"{' '.join(command)} has not ended after {_INSTALL_SECONDS:.0f} s. Is its package "
            "index reachable?"
        ) from error
    if status:
        raise DevError(f"{' '.join(command)} failed:\n{said[-2000:]}")


def _wait(server: Server, is_ready: Any) -> None:
    def ready() -> bool:
        try:
            return bool(is_ready())
        except (OSError, http.client.HTTPException, ValueError, LookupError):
            return False

    try:
        processes.wait_until(ready, server.process, server.name, server.log, _START_SECONDS)
    except BaseException:
        server.stop()
        raise
