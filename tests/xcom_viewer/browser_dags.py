"""DAGs of the browser tests: what the viewer has to show, and what it must not fall for.

`browser.py` copies this file into the DAGs folder of its Airflow; the tests import the frames, to
compare downloads with what was pushed.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task

ROWS, WIDE, MAPPED = 5_000, 60, 3
LARGE_ROWS = 3_200_000
CANARY = "xss-canary"
"""Any request with it in the URL, any dialog, any `window.canary` is a script that ran."""
SCRIPT = f"</script></style></title></textarea><script>parent.canary=1;fetch('/{CANARY}')</script>"
IMAGE = f"\"'><img src=/{CANARY} onerror=\"parent.canary=1;alert('{CANARY}')\">"
LINK = f"javascript:parent.canary=1//{CANARY}"
FORMULA = '=HYPERLINK("http://localhost/xss-canary","click")'
HOSTILE_KEY = f"<img src={CANARY} onerror=parent.canary=1>"
DRAWING_WIDTH = 80
DRAWING = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{DRAWING_WIDTH}" height="80" onload="alert('{CANARY}')">
<script>parent.canary = 1; fetch("/{CANARY}")</script><image href="/{CANARY}" width="9" height="9"/>
<foreignObject width="80" height="80"><img xmlns="http://www.w3.org/1999/xhtml" src="/{CANARY}"/></foreignObject>
<circle cx="40" cy="40" r="40"/><!-- {"more than stays in the database " * 40} --></svg>""".encode()


def every_dtype() -> Any:
    """A frame with a column of each kind that tables have, some cells missing."""
    import numpy as np
    import pandas as pd

    numbers = np.random.default_rng(7)
    start = pd.Timestamp("2026-11-01")
    frame = pd.DataFrame(
        {
            "trip_id": np.arange(ROWS, dtype="int64") + 1_000_000_007,
            "vendor": pd.Categorical.from_codes(numbers.integers(0, 3, ROWS), ["acme", "beta", "c"]),
            "fare": np.round(numbers.gamma(3, 5, ROWS), 2),
            "passengers": pd.array(numbers.integers(1, 7, ROWS), dtype="Int8"),
            "shared": numbers.random(ROWS) < 0.1,
            "pickup": start + pd.to_timedelta(numbers.integers(0, 20 * 86_400, ROWS), unit="s"),
            "waiting": pd.to_timedelta(numbers.integers(0, 3_600, ROWS), unit="s"),
            "zone": numbers.choice(["Upper East Side", "Chelsea", "Queensbridge", "世界 🚕"], ROWS),
            "note": [f"trip {n}, said to be a rather long text " * (n % 4) for n in range(ROWS)],
            "always_1": 1,
            "empty": pd.Series([None] * ROWS, dtype="float64"),
        }
    )  # fmt: skip
    frame.loc[frame.index % 9 == 0, "fare"] = np.nan
    frame.loc[frame.index % 13 == 0, "passengers"] = pd.NA
    frame.loc[frame.index % 5 == 0, "zone"] = None
    return frame


def wide() -> Any:
    import numpy as np
    import pandas as pd

    return pd.DataFrame({f"measure_{n:02d}": np.arange(200) * n / 7 for n in range(WIDE)})


def hostile() -> Any:
    """Markup and formulas as column names and values."""
    import pandas as pd

    return pd.DataFrame(
        {
            SCRIPT: [SCRIPT, IMAGE, LINK, "plain"],
            IMAGE: ["a", "b", "c", "d"],
            "formula": [FORMULA, "+1+1", "-2", "@SUM(A1)"],
            "number": [-1.5, 2.0, 3.0, 4.0],
        }
    )


def of_index(number: int) -> Any:
    import pandas as pd

    return pd.DataFrame({"index": [number] * 20, "row": range(20)})


def large() -> Any:
    """A frame of 256 MB in memory, and of more than 200 MB in S3: random numbers do not compress."""
    import numpy as np
    import pandas as pd

    numbers = np.random.default_rng(11)
    columns: dict[str, Any] = {f"x{n}": numbers.random(LARGE_ROWS) for n in range(9)}
    columns["id"] = np.arange(LARGE_ROWS)
    return pd.DataFrame(columns)


def validation(success: bool, column: str = "passenger_count", cell: Any = 0) -> dict[str, Any]:
    """What the provider's operators push, `describe_dict()` of a real result of Great Expectations."""
    between = {
        "expectation_type": "expect_column_values_to_be_between",
        "success": success,
        "kwargs": {"batch_id": "a-t", "column": column, "min_value": 1.0, "max_value": 6.0},
        "result": {
            "element_count": 10000,
            "unexpected_count": 0 if success else 1580,
            "unexpected_percent": 0.0 if success else 15.8,
            "partial_unexpected_list": [] if success else [cell] * 20,
            "missing_count": 0,
            "missing_percent": 0.0,
            "unexpected_percent_total": 0.0 if success else 15.8,
            "unexpected_percent_nonmissing": 0.0 if success else 15.8,
            "partial_unexpected_counts": [] if success else [{"value": cell, "count": 20}],
            "partial_unexpected_index_list": [] if success else [5, 10, 12, 16, 29],
        },
    }
    return {
        "success": success,
        "statistics": {
            "evaluated_expectations": 3,
            "successful_expectations": 3 if success else 2,
            "unsuccessful_expectations": 0 if success else 1,
            "success_percent": 100.0 if success else 66.66666666666667,
        },
        "expectations": [
            {
                "expectation_type": "expect_table_row_count_to_be_between",
                "success": True,
                "kwargs": {"batch_id": "a-t", "min_value": 9000, "max_value": 11000},
                "result": {"observed_value": 10000},
            },
            {
                "expectation_type": "expect_column_values_to_be_in_set",
                "success": True,
                "kwargs": {"batch_id": "a-t", "column": "vendor_id", "value_set": [1, 2, 4]},
                "result": {
                    "element_count": 10000,
                    "unexpected_count": 0,
                    "unexpected_percent": 0.0,
                    "partial_unexpected_list": [],
                },
            },
            between,
        ],
        "result_url": None,
    }


def nested() -> dict[str, Any]:
    """Frames and an array inside a dict: each becomes an object of its own."""
    import numpy as np

    return {
        "model": {"name": "linear", "parameters": {"alpha": 0.5, "steps": [1, 2, 3], "on": True}},
        "frames": [of_index(7), hostile()],
        "weights": np.linspace(-1, 1, 10_000).reshape(100, 100),
        "history": [{"epoch": n, "loss": 1 / (n + 1)} for n in range(300)],
    }


@dag(schedule=None)
def viewer_values():
    @task
    def values(ti: Any = None) -> Any:
        import numpy as np

        ti.xcom_push("array", np.random.default_rng(3).normal(size=(2_000, 4)))
        ti.xcom_push("bytes", bytes(range(256)) * 40)
        ti.xcom_push("nested", nested())
        ti.xcom_push("note", "A small text stays in Airflow's database.")
        ti.xcom_push("pair", (1, {"two": [3, None, True]}))
        ti.xcom_push("text", "\n".join(f"line {n}: Grüße, 世界" for n in range(500)))
        ti.xcom_push("validation_met", validation(True))
        ti.xcom_push("validation_not_met", validation(False))
        ti.xcom_push("wide", wide())
        return every_dtype()

    @task
    def hostile_values(ti: Any = None) -> Any:
        ti.xcom_push(HOSTILE_KEY, {SCRIPT: [IMAGE, LINK] * 20, "long": SCRIPT * 20})
        ti.xcom_push("small", {"markup": SCRIPT[:80]})
        ti.xcom_push("text", IMAGE * 20)
        ti.xcom_push("validation", validation(False, column=IMAGE, cell=SCRIPT))
        return hostile()

    @task
    def mapped(number: int) -> Any:
        return of_index(number)

    @task
    def broken(ti: Any = None) -> None:
        for key in ("gone", "corrupt"):
            ti.xcom_push(key, of_index(1))

    values()
    hostile_values()
    mapped.expand(number=list(range(MAPPED)))
    broken()


@dag(schedule=None)
def viewer_large():
    @task
    def frame() -> Any:
        return large()

    frame()


@dag(schedule=None)
def monthly_trips():
    """Pushes other values in each run: the months of the sample data, one after the other."""

    @task
    def trips(dag_run: Any = None) -> Any:
        return month(dag_run.conf["month"])

    @task
    def validate_trips(dag_run: Any = None) -> Any:
        return validation(dag_run.conf["month"] == 1)

    trips()
    validate_trips()


def month(number: int) -> Any:
    """Trips of a month; in the second one with a column more, and another dtype."""
    import pandas as pd

    from include.taxi_data import data_dir

    trips = pd.read_csv(
        data_dir() / f"yellow_tripdata_sample_2019-{number:02d}.csv",
        parse_dates=["pickup_datetime", "dropoff_datetime"],
    )
    if number == 1:
        return trips.astype({"passenger_count": "Int8"}).drop(columns="improvement_surcharge")
    return trips.drop(columns="store_and_fwd_flag").iloc[:9_500]


@dag(schedule=None)
def viewer_pictures():
    @task
    def pictures(ti: Any = None) -> None:
        import numpy as np

        from include.xcom_viewer.reader import pictures

        across, down = np.meshgrid(np.linspace(-2, 1, 480), np.linspace(-1.2, 1.2, 320))
        place = number = across + 1j * down
        steps = np.zeros(place.shape)
        for _ in range(60):
            inside = np.abs(number) < 4
            steps += inside
            number = np.where(inside, number * number + place, number)
        shades = np.stack([steps * 4, steps * 2 + 60, 255 - steps * 3], axis=-1).astype(np.uint8)
        ti.xcom_push("drawing", DRAWING)
        ti.xcom_push("photo", shades)
        ti.xcom_push("plot", pictures.png(shades[::2, ::2], 3))
        some = month(1).select_dtypes("number").dropna(axis=1)
        ti.xcom_push("correlations", some.corr().to_numpy())
        ti.xcom_push("surface", np.sin(across * 3) * np.cos(down * 4))

    pictures()


viewer_values()
viewer_large()
monthly_trips()
viewer_pictures()
