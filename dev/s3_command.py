"""`python3 -m dev s3`: the S3 server alone, as `.env` and `airflow_settings.yaml` describe it."""

from __future__ import annotations

import time

from dev import processes, project, settings_file
from dev.s3_server import S3Server, S3ServerError


def run() -> int:
    """Serve until a signal ends it."""
    settings = settings_file.read()
    key_id, secret = settings.keys
    with (
        project.exclusive("s3", "S3 server (python3 -m dev s3)"),
        S3Server.start(
            project.STATE / "s3",
            bucket=settings.location.bucket,
            port=settings.s3_port,
            access_key_id=key_id,
            secret_access_key=secret,
        ) as server,
    ):
        print(
            f"S3 server:  {server.endpoint_url}\n"
            f"Bucket:     {server.bucket}\n"
            f"Keys:       {key_id} / {secret} (they open nothing else)\n"
            f"Data:       {project.STATE / 's3'}\n\n"
            "Start Airflow in another terminal, for example: astro dev start --standalone\n"
            "Ctrl-C stops this server; its data stays.",
            flush=True,
        )
        while server.process.poll() is None:
            time.sleep(0.2)
        raise S3ServerError(f"the S3 server has ended\n{processes.tail(server.log)}")
