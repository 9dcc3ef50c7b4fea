"""Injected faults, between backend and a real S3 server: right values or typed errors, in time.

Each fault is injected during one push or one pull. Asserted of each: what is pulled is what was
pushed, an error is a `XComStoreError`, the call returns before the deadline, no object is visible that
is not complete, and the next try succeeds. Run with `-s` to see the counts by kind.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import threading
import time
from collections import Counter, defaultdict

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
import numpy as np
import pandas as pd

from include.xcom_store.errors import (
    AccessDenied,
    ObjectCorrupt,
    ObjectMissing,
    StoreUnreachable,
    XComStoreError,
)
from include.xcom_store.stores.webhdfs import TEMPORARY
from tests import local_s3, services
from tests.xcom_store.conftest import DAG, RUN, TASK
from tests.xcom_store.fault_proxy import KINDS, Fault, FaultProxy, HdfsFaultProxy
from tests.xcom_store.identical import assert_identical

SECONDS = {"connect_timeout": 1, "request_timeout": 2, "retry_timeout": 1, "operation_timeout": 5}
DEADLINE = 20.0
"""Seconds; a push with leaves is several objects, each of several requests, each with a retry. Twice
that with HDFS, where an object is more requests."""
PATIENCE = {"az": 4, "hdfs": 6}
"""Node and Java take their time for a request, on a busy machine above all; the others get 2 s."""

# What happens to objects at rest, between push and pull.
AT_REST = {
    "object deleted": lambda _data, _at: None,
    "object cut": lambda data, at: data[: int(at * len(data))],
    "bit flipped in object": lambda data, at: flip(data, int(at * len(data))),
}
EXPECTED = {
    "object deleted": ObjectMissing,
    "object cut": ObjectCorrupt,
    "bit flipped in object": ObjectCorrupt,
    "shortened answer": ObjectCorrupt,
    "bit flipped in answer": ObjectCorrupt,
    "403 ExpiredToken": AccessDenied,
    "400 ExpiredToken": AccessDenied,
    "403 AccessDenied": AccessDenied,
}
"""What a pull ends with when all its requests are hit; of the other kinds, StoreUnreachable."""

IN_JSON = {"shortened answer", "bit flipped in answer"}
"""What may hit a name node's answer, too, in which a path or a size stands."""


def flip(data, position):
    return data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]


def small(number):
    return [number, "x" * 1_100]


def leaves(number):
    rows = np.arange(2_000) + number
    return {"n": number, "frame": pd.DataFrame({"a": rows, "b": rows.astype(str)}), "array": rows}


def large(number):
    return np.random.default_rng(number).bytes(17_000_000)


def within(deadline, call, *arguments):
    """Call it in a thread; return its result or its error, and fail if it has neither in time."""
    outcome = []

    def run():
        try:
            outcome.append((call(*arguments), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(deadline)
    if thread.is_alive():
        pytest.fail(f"hangs: no result and no error after {deadline} s")
    return outcome[0]


class Faults:
    """Injects one fault after the other, and counts what came of them."""

    def __init__(self, xcom, proxy):
        self.xcom, self.proxy = xcom, proxy
        self.is_hdfs = xcom.s3.scheme == "hdfs"
        self.patience = PATIENCE.get(xcom.s3.scheme, SECONDS["request_timeout"])
        self.random = random.Random(7)
        self.outcomes = defaultdict(Counter)
        self.complete = {}
        self.requests = 0
        self.longest = 0.0

    def run(self, kind, number):
        """Inject one fault; return whether it hit anything."""
        self.outcome, self.number = "", number
        value = (large if number % 11 == 0 else self.random.choice((small, leaves)))(number)
        if kind in AT_REST:
            hits, name, error = self.at_rest(kind, value)
        elif number % 2:
            hits, name, error = self.while_pushing(kind, value)
        else:
            hits, name, error = self.while_pulling(kind, value)
        if hits:
            assert error is None or isinstance(error, XComStoreError), f"{name}: {error!r}"
            self.outcomes[name][self.outcome or type(error).__name__] += 1
            self.requests += hits
        for key in self.objects():
            self.xcom.s3.remove(key)
        return bool(hits)

    def push(self, value):
        return self.xcom.push(value, map_index=self.number)

    def pull(self):
        return self.xcom.pull(map_index=self.number)

    def timed(self, call, *arguments):
        started = time.monotonic()
        result = within(DEADLINE * (2 if self.is_hdfs else 1), call, *arguments)
        self.longest = max(self.longest, time.monotonic() - started)
        return result

    def fault(self, kind):
        choose = self.random
        return Fault(
            kind,
            at=choose.random(),
            after=choose.choice((0, 0, 1, 2)),
            times=choose.choice((1, 2, None)),
            seconds=choose.choice((0.2, self.patience + 0.5)),
        )

    def while_pushing(self, kind, value):
        number = self.number
        self.proxy.inject(self.fault(kind))
        _, error = self.timed(self.push, value)
        hits = self.proxy.hits
        self.proxy.inject(None)
        left = self.objects()
        if error:
            row = (DAG, RUN, TASK, number, "return_value")
            assert row not in self.xcom.rows, "a row for a value that was not stored"
        else:
            pulled, pull_error = self.timed(self.pull)
            if isinstance(pull_error, ObjectCorrupt) and kind == "bit flipped in request":
                # AWS checks what arrives against the signed hash; SeaweedFS does not.
                self.outcome = "found by the pull: ObjectCorrupt"
            else:
                assert pull_error is None, repr(pull_error)
                assert_identical(value, pulled)
                self.outcome = "right value"
        self.push(value)
        assert_identical(value, self.pull())
        now = self.objects()
        # By size alone where the server may have stored a flipped bit.
        parts = slice(1) if kind == "bit flipped in request" else slice(2)
        self.complete[number] = ({now[key][parts] for key in now.keys() - left.keys()}, parts)
        self.check_complete(kind, left)
        return hits, f"push: {kind}", error

    def while_pulling(self, kind, value):
        self.push(value)
        fault = self.fault(kind)
        self.proxy.inject(fault)
        pulled, error = self.timed(self.pull)
        hits = self.proxy.hits
        self.proxy.inject(None)
        if error is None:
            assert_identical(value, pulled)
            self.outcome = "right value"
        elif self.is_hdfs and kind in IN_JSON:
            assert isinstance(error, XComStoreError), f"{kind}: {error!r}"
        elif kind in EXPECTED:
            assert isinstance(error, EXPECTED[kind]), f"{kind}: {error!r}"
        else:
            assert isinstance(error, (StoreUnreachable, ObjectCorrupt)), f"{kind}: {error!r}"
        assert_identical(value, self.pull())
        return hits, f"pull: {kind}", error

    def at_rest(self, kind, value):
        self.push(value)
        s3 = self.xcom.s3
        key = self.random.choice(sorted(self.objects()))
        data = AT_REST[kind](s3.read(key), self.random.random())
        s3.remove(key)
        if data is not None:
            s3.write(key, data)
        _, error = self.timed(self.pull)
        assert isinstance(error, EXPECTED[kind]), repr(error)
        return 1, f"between push and pull: {kind}", error

    def check_complete(self, kind, objects):
        """What is visible after a push was cut off is what a push in peace writes."""
        for key, found in objects.items():
            complete, parts = self.complete[int(re.search(r"map_index=(\d+)/", key)[1])]
            assert found[parts] in complete, f"{kind}: {key} is incomplete"

    def check_late_arrivals(self):
        """A request that was given up may reach the server when the next one is on its way."""
        time.sleep(3)
        late = self.objects(everything=True)
        self.check_complete("late", late)
        return len(late)

    def objects(self, everything=False):
        """Size and hash of what this fault's push has made visible, by key."""
        own = "" if everything else f"map_index={self.number}/"
        visible = self.xcom.s3.keys()
        keys = [key for key in visible if own in key]
        found = {key: self.xcom.s3.read(key) for key in keys if TEMPORARY not in key}
        return {key: (len(d), hashlib.sha256(d).hexdigest()) for key, d in found.items()}

    def report(self):
        print(f"\nInjected faults: {self.count()}, requests hit: {self.requests}, "
              f"longest call: {self.longest:.1f} s")  # fmt: skip
        for name, counts in sorted(self.outcomes.items()):
            print(f"  {name:<45} " + ", ".join(f"{k} {n}" for k, n in sorted(counts.items())))

    def count(self):
        return sum(sum(counts.values()) for counts in self.outcomes.values())


@pytest.fixture
def proxy(s3):
    with (HdfsFaultProxy if s3.scheme == "hdfs" else FaultProxy)(s3.server.port) as proxy:
        yield proxy


# Each kind once, into a push or into a pull; then each into both.
@pytest.mark.parametrize(
    "wanted",
    [17, pytest.param(34, marks=pytest.mark.long), pytest.param(520, marks=pytest.mark.weekly)],
)
def test_right_values_or_typed_errors(xcom, proxy, configure, wanted):
    right_values_or_typed_errors(xcom, proxy, configure, wanted)


def right_values_or_typed_errors(xcom, proxy, configure, wanted):
    faults = Faults(xcom, proxy)
    limits = {"request_timeout": faults.patience, "operation_timeout": 2.5 * faults.patience}
    configure(**SECONDS | limits)
    xcom.s3.through(services.port_of(proxy.url))
    # Azure and HDFS have no such answer.
    without = ("call", *(["400 ExpiredToken"] if xcom.s3.scheme in ("az", "hdfs") else []))
    kinds = [kind for kind in KINDS if not kind.startswith(without)] + list(AT_REST)
    try:
        for number, kind in enumerate(itertools.cycle(kinds)):
            # Odd numbers are pushes: with an even count of kinds, each round begins with the other.
            faults.run(kind, number + (number // len(kinds)) * (1 - len(kinds) % 2))
            if faults.count() == wanted:
                print(f"\nRequests given up that arrived later: {faults.check_late_arrivals()}")
                break
            assert number < 3 * wanted, "too many faults that hit nothing"
    finally:
        faults.report()


@pytest.mark.parametrize("code", ["403 ExpiredToken", "400 ExpiredToken"])
def test_revoked_credentials_are_named(xcom, proxy, configure, code):
    configure(**SECONDS)
    xcom.s3.through(services.port_of(proxy.url))
    xcom.push(small(1))
    proxy.inject(Fault(code))
    for call in (xcom.pull, lambda: xcom.push(small(2))):
        with pytest.raises(AccessDenied, match="session token has expired"):
            call()


# The number of the request during which the server is killed. An upload of 34 MB begins with
# a request, has five for its parts and one that completes it.
@pytest.mark.long
@pytest.mark.parametrize(
    ("request_number", "restart"),
    [(2, True)] + [pytest.param(n, back, marks=pytest.mark.weekly)
                   for n in range(7) for back in (True, False) if (n, back) != (2, True)],
)  # fmt: skip
def test_the_server_is_killed_while_a_value_is_uploaded(
    xcom, configure, tmp_path, request_number, restart
):
    from dev.s3_server import S3Server

    s3, value = xcom.s3, large(1) + large(2)
    with S3Server.start(tmp_path / "s3", bucket=s3.bucket) as server:
        running = [server]

        def start():
            running.append(S3Server.start(tmp_path / "s3", bucket=s3.bucket))
            proxy.upstream = running[-1].port

        def kill():
            server.kill()
            if restart:
                starting.start()

        starting = threading.Thread(target=start)
        seconds = {**SECONDS, "request_timeout": 10, "retry_timeout": 15 if restart else 2}
        try:
            with FaultProxy(server.port) as proxy:
                configure(endpoint_url=proxy.url, **seconds | {"operation_timeout": 60})
                proxy.inject(Fault("call", after=request_number, times=1, call=kill))
                _, error = within(90, xcom.push, value)
                assert proxy.hits == 1
                assert error is None or isinstance(error, StoreUnreachable), repr(error)
                print(f"\nkilled at request {request_number}, restarted: {restart}: "
                      f"{type(error).__name__ if error else 'pushed all the same'}")  # fmt: skip
                if restart:
                    starting.join()
                else:
                    start()
                proxy.inject(None)
                configure(endpoint_url=proxy.url, **seconds)
                client = local_s3.client(server, endpoint=proxy.url)
                visible = [found for page in client.list(s3.prefix) for found in page]
                assert {found["size"] for found in visible} <= {len(value)}
                if error:
                    assert (DAG, RUN, TASK, -1, "return_value") not in xcom.rows
                    xcom.push(value)
                assert_identical(value, xcom.pull())
        finally:
            for one in running:
                one.stop()
