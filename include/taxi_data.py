"""Where the example DAGs find the taxi trips.

In `include/data`, or where the Airflow Variable `taxi_data_dir` says (in the environment:
`AIRFLOW_VAR_TAXI_DATA_DIR`). The Variable needs a running Airflow, so call this in tasks only.
"""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    """The directory with the monthly files; a relative one counts from the repository's root."""
    from airflow.sdk import Variable

    directory: Path = REPOSITORY / Variable.get("taxi_data_dir", default="include/data")
    if not any(directory.glob("yellow_tripdata_sample_*.csv")):
        raise FileNotFoundError(
            f"No yellow_tripdata_sample_*.csv in {directory}. Point the Airflow Variable "
            "taxi_data_dir at a directory that every worker can read, or delete the Variable "
            "to use include/data."
        )
    return directory
