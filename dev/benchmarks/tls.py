"""Over TLS, what is written is hashed for its signature, too, which `unsigned_payload` spares.

The endpoint is a proxy on loopback that speaks TLS. The backend's own SHA-256 is a third hash, and
stays. CPU is that of the process which pushes.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from typing import TYPE_CHECKING, Any

from dev.benchmarks import latency
from dev.benchmarks.harness import Bench, Result, median, number, spread
from dev.ports import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "A push over TLS, its payload signed and not"
PEERS = ("ours",)
ROWS, QUICK_ROWS = 1_000_000, 100_000
ROUNDS, QUICK_ROUNDS = 5, 1
TIMES = 3
WORTH = 5
"""Percent of a push, from which on it would be the default."""


def run(bench: Bench) -> Result:
    found: dict[str, dict[str, list[float]]] = {}
    rows = QUICK_ROWS if bench.quick else ROWS
    pem = make_certificate(bench.folder / "tls.pem")
    with bench.s3() as near, latency.counted(near, bench, 0, pem=pem) as (env, _requests):
        connection = json.loads(env["AIRFLOW_CONN_AWS_DEFAULT"])
        connection["extra"]["verify"] = str(pem)
        env["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
        for round_number in range(QUICK_ROUNDS if bench.quick else ROUNDS):
            bench.say(f"round {round_number + 1}")
            for name in ("signed", "unsigned"):
                setting = {"AIRFLOW__XCOM_STORE__UNSIGNED_PAYLOAD": str(name == "unsigned")}
                one = bench.call("ours", env | setting, "tls:push", rows=rows)
                both = found.setdefault(name, {"seconds": [], "cpu": []})
                for measure, values in both.items():
                    values.append(one[measure])
    saved = {
        measure: 100 * (1 - median(found["unsigned"][measure]) / median(found["signed"][measure]))
        for measure in ("seconds", "cpu")
    }
    verdict = "worth being the default" if saved["seconds"] > WORTH else "off by default"
    told = " and ".join(f"{number(percent)}% of the {of}" for of, percent in saved.items())
    return Result(
        ["payload", "push, s", "CPU, s"],
        [[name, spread(both["seconds"]), spread(both["cpu"])] for name, both in found.items()],
        [],
        found,
        [f"Unsigned saves {told}; more than {WORTH}% of the seconds would count: {verdict}."],
    )


def push(rows: int) -> dict[str, float]:
    """In the child: seconds and CPU of a push, the medians of some."""
    from dev.benchmarks import meters
    from dev.benchmarks.data import make_frame
    from dev.benchmarks.peers import ours

    frame = make_frame(rows)
    ours.pull(ours.push(frame[:100]))
    found: list[dict[str, Any]] = [
        meters.measure(lambda: ours.push(frame))[1] for _ in range(TIMES)
    ]
    return {name: median([one[name] for one in found]) for name in ("seconds", "cpu")}


def make_certificate(file: Path) -> Path:
    """Write a key and a certificate that it has signed itself, for this machine and a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    now = dt.datetime.now(dt.UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(addresses, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
