"""An airflow DAG of the tests: values that go from one worker to the other, compared type for type.

Copied to dags/ of a project copy. Its tasks name the worker that they run on; `small` values stay
in the database, PostgreSQL, whose JSON type keeps what a number is worth and not how it was written.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math

from airflow.sdk import dag, get_current_context, task

SMALL = {
    "none": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "beyond_double": 2**53 + 1,
    "beyond_signed_64": 2**63,
    "beyond_unsigned_64": -(2**64) - 1,
    "huge": 10**100,
    "tenth": 0.1,
    "whole_float": 1.0,
    "negative_zero": -0.0,
    "1e15": 1e15,
    "1e16": 1e16,
    "1e22": 1e22,
    "1e23": 1e23,
    "largest": 1.7976931348623157e308,
    "smallest": 5e-324,
    "nan": math.nan,
    "infinity": math.inf,
    "negative_infinity": -math.inf,
    "numbers": [0, 0.0, -0.0, 1, 1.0, True, None, 1e16, 10**16, 2**70, math.nan],
    "number_in_dict": {"a": 1e16, "b": -0.0},
    "empty_text": "",
    "nul": "\0",
    "nul_within": "a\0b",
    "nul_in_key": {"a\0b": 1},
    "escaped_nul": "\\u0000",
    "surrogate": "\ud800",
    "text": "é ß 漢字 😀 \u2028 \x7f \x1b \r\n\t\\ \" '",
    "combining": ["\u00e9", "e\u0301"],
    "text_like_null": "null",
    "text_like_uri": "s3://bucket/key",
    "empty_list": [],
    "nested_empty": [[], {}, [[]], {"": {}}],
    "dict": {"b": 1, "a": [2, {"c": None}]},
    "many_keys": {str(number): number for number in range(20, 0, -1)},
    "int_keys": {1: "a", 2: "b"},
    "tuple": (1, 1.0, "x", (None,)),
    "set": {1, 2},
    "bytes": b"\0\xff",
    "complex": complex(1, -0.0),
    "datetime": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    "date": dt.date(2026, 1, 2),
    "decimal": decimal.Decimal("1.10"),
    "classname": {"__classname__": "x", "__version__": 1},
}


def large():
    import numpy as np
    import pandas as pd

    return {
        "frame": pd.DataFrame(
            {"n": range(1000), "x": np.linspace(0, 1, 1000), "t": ["é\0"] * 1000}
        ),
        "array": np.arange(12.0).reshape(3, 4),
        "bytes": bytes(range(256)) * 10,
        "text": "x\0é" * 1000,
        "numbers": [*range(1000), -0.0, math.inf, 2**70],
        "of_everything": {"frame": pd.DataFrame({"a": [1, None]}), "tuple": (1, b"x" * 300)},
    }


def same(one, other):
    """Whether two values are alike, type for type.

    Not in the order of a dict's keys: PostgreSQL sorts those of a small one, see docs/types.md.
    """
    import numpy as np
    import pandas as pd

    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return True
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        alike = {repr(key) for key in one} == {repr(key) for key in other}
        return alike and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


def compare(wanted, task_id):
    ti = get_current_context()["ti"]
    wrong = []
    for key, value in wanted.items():
        got = ti.xcom_pull(task_ids=task_id, key=key)
        if not same(got, value):
            wrong.append(f"{key}: {value!r} came back as {got!r}"[:300])
    if wrong:
        raise AssertionError("; ".join(wrong))


@dag(schedule=None)
def celery_values():
    @task(queue="worker-1", retries=0)
    def push_small():
        for key, value in SMALL.items():
            get_current_context()["ti"].xcom_push(key, value)

    @task(queue="worker-2", retries=0, trigger_rule="all_done")
    def pull_small():
        compare(SMALL, "push_small")

    @task(queue="worker-2", retries=0)
    def push_large():
        ti = get_current_context()["ti"]
        for key, value in large().items():
            ti.xcom_push(key, value)

    @task(queue="worker-1", retries=0)
    def pull_large():
        compare(large(), "push_large")

    @task.short_circuit(queue="worker-1", retries=0)
    def stop():
        return False

    @task
    def runs_nowhere():
        pass

    stop() >> runs_nowhere()
    push_small() >> pull_small()
    push_large() >> pull_large()


celery_values()
