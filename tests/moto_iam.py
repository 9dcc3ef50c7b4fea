"""moto's server: its administrator's clients, whether it checks permissions, all forgotten again.

While it checks, it knows who signed a request, and the actions and resources of the policies that
are attached. It leaves out conditions in them, and refuses DeleteObjects to everyone.
"""

from __future__ import annotations

import contextlib
import urllib.request

ROOT = {"aws_access_key_id": "root", "aws_secret_access_key": "root", "region_name": "us-east-1"}
"""Keys with which moto lets everything be done while it does not check."""


def client(endpoint, service, **more):
    """One with the administrator's keys."""
    import boto3

    return boto3.client(service, endpoint_url=endpoint, **ROOT | more)


@contextlib.contextmanager
def enforcing(endpoint):
    """Let moto check permissions."""
    switch_enforcement(endpoint, "0")
    try:
        yield
    finally:
        switch_enforcement(endpoint, "inf")


def switch_enforcement(endpoint, requests_without):
    """Let moto check permissions after this many requests."""
    plain = {"Content-Type": "text/plain"}
    data = requests_without.encode()
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", data, plain))


def forget_everything(endpoint):
    """Reset moto: buckets, users, stacks."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"))
