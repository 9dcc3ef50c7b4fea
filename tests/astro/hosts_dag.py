"""An airflow DAG of the tests: large values from worker to worker, each checked byte for byte.

Copied to dags/ of a project copy. `push` takes some seconds for each, so that something can break in
the middle of it.
"""

from __future__ import annotations

import datetime as dt

from airflow.sdk import dag, task

VALUES = 6
BYTES = 64_000_000


def value(number):
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(number)
    frame = pd.DataFrame({"n": range(100_000), "x": random.random(100_000)})
    return {"number": number, "frame": frame, "bytes": random.bytes(BYTES)}


@dag(
    schedule=None,
    is_paused_upon_creation=False,
    max_active_tasks=4,  # as many as the workers have room for: none is in their queue
    default_args={"retries": 20, "retry_delay": dt.timedelta(seconds=3)},
)
def hosts():
    @task(show_return_value_in_logs=False)  # a log of 200 MB a value takes minutes
    def push(number):
        return value(number)

    @task
    def pull(pushed):
        import pandas as pd

        wanted = value(pushed["number"])
        pd.testing.assert_frame_equal(pushed["frame"], wanted["frame"], check_exact=True)
        assert type(pushed["bytes"]) is bytes
        if pushed["bytes"] != wanted["bytes"] or pushed.keys() != wanted.keys():
            raise AssertionError("a wrong value")

    pull.expand(pushed=push.expand(number=[*range(VALUES)]))


hosts()
