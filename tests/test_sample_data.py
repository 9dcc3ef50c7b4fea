"""The sample data is what its script makes, and looks like the files of the taxi commission."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "include" / "data"
SCRIPT = DATA / "make_sample_data.py"
JANUARY = DATA / "yellow_tripdata_sample_2019-01.csv"
FEBRUARY = DATA / "yellow_tripdata_sample_2019-02.csv"
MONTHS = [JANUARY, FEBRUARY]

INTEGERS = {
    "vendor_id", "passenger_count", "rate_code_id", "pickup_location_id", "dropoff_location_id",
    "payment_type",
}  # fmt: skip
TIMES = {"pickup_datetime", "dropoff_datetime"}
COLUMNS = [
    "vendor_id", "pickup_datetime", "dropoff_datetime", "passenger_count", "trip_distance",
    "rate_code_id", "store_and_fwd_flag", "pickup_location_id", "dropoff_location_id",
    "payment_type", "fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount",
    "improvement_surcharge", "total_amount", "congestion_surcharge",
]  # fmt: skip
CHARGES = COLUMNS[10:16]


def trips(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="ascii", newline="") as lines:
        return list(csv.DictReader(lines))


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_the_script_makes_the_committed_files_byte_for_byte(tmp_path):
    done = run_script("--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for file in MONTHS:
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_script_says_when_there_is_no_such_directory(tmp_path):
    done = run_script("--out", str(tmp_path / "missing"))
    assert done.returncode == 2
    assert f"no such directory: {tmp_path / 'missing'}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file", MONTHS, ids=lambda file: file.stem)
def test_columns_and_formats(file):
    assert file.read_bytes().split(b"\r\n")[0].decode() == ",".join(COLUMNS)
    rows = trips(file)
    assert len(rows) == 10_000
    for row in rows:
        for column, cell in row.items():
            if column in INTEGERS:
                assert cell == str(int(cell))
            elif column in TIMES:
                assert cell == str(datetime.strptime(cell, "%Y-%m-%d %H:%M:%S"))
            elif column == "store_and_fwd_flag":
                assert cell in {"N", "Y"}
            elif column == "congestion_surcharge" and cell == "":
                assert file == JANUARY
            else:  # as pandas writes floats: at least one decimal, no trailing zeros
                assert cell == str(float(cell))


@pytest.mark.parametrize("file", MONTHS, ids=lambda file: file.stem)
def test_trips_hold_together(file):
    month = file.stem.rsplit("_", 1)[-1]
    for row in trips(file):
        assert row["pickup_datetime"].startswith(month)
        assert row["pickup_datetime"] <= row["dropoff_datetime"]
        charged = sum(Decimal(row[column]) for column in CHARGES)
        if row["vendor_id"] != "1":  # which has it in `extra`
            charged += Decimal(row["congestion_surcharge"] or 0)
        assert Decimal(row["total_amount"]) == charged


@pytest.mark.parametrize("file", MONTHS, ids=lambda file: file.stem)
def test_vendors_are_known(file):
    assert {row["vendor_id"] for row in trips(file)} == {"1", "2", "4"}


def test_january_has_passengers_in_every_trip():
    counts = Counter(row["passenger_count"] for row in trips(JANUARY))
    assert set(counts) == set("123456")


def test_february_has_trips_without_passengers_as_the_real_month_has():
    counts = Counter(row["passenger_count"] for row in trips(FEBRUARY))
    assert set(counts) == set("0123456")
    assert 1_500 < counts["0"] < 1_660  # the real sample: 1,579


def test_january_knows_the_congestion_surcharge_only_at_its_end():
    empty = [row for row in trips(JANUARY) if row["congestion_surcharge"] == ""]
    assert 6_000 < len(empty) < 6_700  # the real sample: 6,327
    assert max(row["pickup_datetime"] for row in empty) < "2019-01-21"
