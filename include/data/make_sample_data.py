"""Make the taxi trips that the example DAGs validate.

    python include/data/make_sample_data.py             # writes the two files beside this script
    python include/data/make_sample_data.py --out DIR   # writes them to DIR

The files have the columns, number formats, empty cells and line ends of the yellow-taxi records
that the NYC Taxi & Limousine Commission publishes, and roughly their distributions, but every
trip is invented. January is clean. In February some trips have no passengers, as in the real
month, so that it fails the expectation suite `taxi.demo`.

The bytes are the same with every Python version and on every platform, and a test compares them
with the committed files. Therefore all randomness comes from `Random.random()`, the one method
whose sequence Python guarantees for a seed; the arithmetic is +, -, * and /, which IEEE 754
defines exactly, and no log() or exp(), whose last bit differs between C libraries; and money is
counted in whole cents.
"""

from __future__ import annotations

import argparse
import csv
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

SEED = 2019
TRIPS = 10_000
MONTHS = (date(2019, 1, 1), date(2019, 2, 1))
COLUMNS = [
    "vendor_id",
    "pickup_datetime",
    "dropoff_datetime",
    "passenger_count",
    "trip_distance",
    "rate_code_id",
    "store_and_fwd_flag",
    "pickup_location_id",
    "dropoff_location_id",
    "payment_type",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "total_amount",
    "congestion_surcharge",
]

# The tables give shares in the real samples: the second member of a pair is a weight.
VENDORS = ((1, 376), (2, 615), (4, 9))
PASSENGERS = {
    1: ((1, 818), (2, 134), (3, 32), (4, 14), (5, 1), (6, 1)),
    2: ((1, 672), (2, 154), (3, 46), (4, 20), (5, 67), (6, 41)),
    4: ((1, 97), (2, 3)),
}
FEBRUARY_TRIPS_WITHOUT_PASSENGERS = 0.158
WEEKDAYS = (85, 97, 100, 108, 107, 105, 92)  # Monday first
HOURS = (
    17,
    12,
    7,
    5,
    6,
    12,
    26,
    48,
    56,
    53,
    49,
    50,
    52,
    50,
    55,
    56,
    54,
    61,
    67,
    66,
    59,
    54,
    51,
    34,
)
WEEKEND_HOURS = (
    *(
        52,
        40,
        31,
        21,
        14,
        7,
        11,
        15,
        25,
        37,
        45,
        52,
        56,
        60,
        59,
        57,
        58,
        56,
        66,
        57,
        48,
        44,
        48,
        41,
    ),
)
PAYMENTS = ((1, 729), (2, 265), (3, 4), (4, 2))  # card, cash, no charge, dispute

JFK, LA_GUARDIA, NEWARK, UNKNOWN_ZONE = 132, 138, 1, 264
# fmt: off
MANHATTAN_CORE = (
    (237, 46), (161, 41), (236, 40), (162, 38), (186, 37), (230, 35), (48, 33), (142, 31),
    (234, 31), (170, 31), (239, 26), (163, 26), (79, 24), (141, 24), (107, 23), (164, 23),
    (68, 22), (229, 22), (238, 21), (263, 20), (249, 19), (100, 19), (140, 18), (113, 16),
    (90, 16), (231, 15), (246, 15), (114, 14), (143, 14), (262, 13), (233, 13), (43, 13),
    (148, 11), (137, 11), (158, 10), (144, 10), (50, 9), (13, 8), (211, 7), (87, 6), (125, 6),
    (261, 5), (88, 4), (224, 2), (209, 2), (45, 2), (4, 2),
)
BEYOND = (
    (UNKNOWN_ZONE, 15), (151, 10), (75, 8), (74, 6), (166, 6), (41, 5), (42, 3), (24, 3),
    (7, 3), (226, 2), (116, 2), (244, 2), (232, 2), (181, 2), (97, 2), (25, 2), (33, 2),
    (65, 2), (49, 1), (61, 1), (112, 1), (255, 1), (256, 1), (145, 1), (193, 1), (129, 1),
    (82, 1), (95, 1), (265, 3),
)
# fmt: on
PICKUPS = (*MANHATTAN_CORE, *BEYOND, (JFK, 25), (LA_GUARDIA, 23))
DROPOFFS = (*MANHATTAN_CORE, *((zone, 2 * weight) for zone, weight in BEYOND), (JFK, 6),
            (LA_GUARDIA, 9), (NEWARK, 2))  # fmt: skip
CORE_ZONES = frozenset(zone for zone, _ in MANHATTAN_CORE)

# Miles at the quantiles 0, 5, 10, 20 … 90, 95, 99, 100 %, and the airports' trips in quarters.
CITY_MILES = (0.05, 0.45, 0.6, 0.8, 1.0, 1.2, 1.48, 1.8, 2.2, 2.82, 4.27, 6.1, 11.41, 19.4)
CITY_QUANTILES = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
QUARTERS = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
AIRPORT_MILES = {
    JFK: (3.1, 6.9, 14.7, 17.5, 19.0, 23.2, 37.5),
    LA_GUARDIA: (1.9, 4.1, 8.5, 9.7, 11.1, 14.6, 26.0),
    NEWARK: (11.0, 14.0, 16.2, 17.7, 19.1, 21.5, 24.0),
}
# Miles per hour at a distance, and what the time of day makes of it.
SPEED_AT_MILES = (0, 0.4, 0.8, 1.5, 3, 6, 12, 20, 40)
SPEEDS = (6.9, 7.5, 8.4, 9.0, 10.6, 15.2, 21.2, 28.8, 33.0)
PACE_OF_HOUR = (
    *(1.35, 1.42, 1.46, 1.52, 1.70, 1.75, 1.45, 1.10, 0.90, 0.89, 0.91, 0.90),
    *(0.90, 0.91, 0.91, 0.90, 0.91, 0.90, 0.90, 0.97, 1.10, 1.16, 1.20, 1.28),
)


def pick(rng: Random, weighted: Sequence[tuple[T, int]]) -> T:
    """One of the values, as often as its weight says."""
    rest = rng.random() * sum(weight for _, weight in weighted)
    for value, weight in weighted:
        rest -= weight
        if rest < 0:
            return value
    return weighted[-1][0]


def interpolate(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """The y at `x` on the line through the points (xs, ys)."""
    for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False):
        if x <= x1:
            return y0 + (x - x0) / (x1 - x0) * (y1 - y0)
    return ys[-1]


def decimal(hundredths: int) -> str:
    """372 is 3.72, 330 is 3.3 and 1400 is 14.0: the way the real files write numbers."""
    whole, rest = divmod(abs(hundredths), 100)
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{whole}.{rest:02}".removesuffix("0")


def pickup_time(rng: Random, month: date) -> datetime:
    """A moment of the month, by the city's rhythm of days and hours."""
    days = (month.replace(month=month.month + 1) - month).days
    dates = [month + timedelta(days=n) for n in range(days)]
    day = pick(rng, [(d, WEEKDAYS[d.weekday()]) for d in dates])
    hours = WEEKEND_HOURS if day.weekday() >= 5 else HOURS
    second = pick(rng, list(enumerate(hours))) * 3600 + int(rng.random() * 3600)
    return datetime.combine(day, time.min) + timedelta(seconds=second)


def trip_miles(rng: Random, pickup: int, dropoff: int) -> float:
    for airport, miles in AIRPORT_MILES.items():
        if airport in (pickup, dropoff):
            return interpolate(rng.random(), QUARTERS, miles)
    miles_in_city = interpolate(rng.random(), CITY_QUANTILES, CITY_MILES)
    return miles_in_city * 0.45 if pickup == dropoff else miles_in_city


def rate_code(rng: Random, pickup: int, dropoff: int) -> int:
    """1 by the meter, 2 the flat fare between JFK and Manhattan, 3 Newark, 4 Nassau, 5 agreed."""
    zones = {pickup, dropoff}
    if NEWARK in zones:
        return 3
    if JFK in zones and zones & CORE_ZONES:
        return 2
    return pick(rng, ((1, 992), (5, 7), (4, 1)))


def fare_cents(rng: Random, rate: int, miles: float, minutes: float) -> int:
    """$2.50 at the start, then 50 cents for each unit of distance or of time in slow traffic."""
    if rate == 2:
        return 5200
    if rate == 5:
        return 2500 + 500 * int(rng.random() * 13)
    metered = 50 * int((2.1 + 1.93 * miles + 0.35 * minutes) * 2)
    return max(250, metered) * (2 if rate == 4 else 1) + (1750 if rate == 3 else 0)


def extra_cents(pickup: datetime, rate: int) -> int:
    """The rush-hour and overnight surcharges."""
    rush_hour = pickup.weekday() < 5 and 16 <= pickup.hour < 20
    if rate == 2:
        return 450 if rush_hour else 0
    if rate != 1:
        return 0
    if rush_hour:
        return 100
    return 50 if pickup.hour >= 20 or pickup.hour < 6 else 0


def tip_cents(rng: Random, payment: int, bill: int) -> int:
    """Only tips by card are recorded: most follow the buttons of the payment screen."""
    if payment != 1:
        return 0
    percent = pick(rng, ((20, 52), (25, 11), (30, 4), (0, 4), (None, 29)))
    if percent is None:
        return pick(rng, ((100, 30), (200, 30), (150, 15), (300, 12), (500, 8), (1000, 2)))
    return bill * percent // 100


def make_trip(rng: Random, month: date) -> list[str]:
    """One trip as a row of the file."""
    february = month.month == 2
    vendor = pick(rng, VENDORS)
    passengers = pick(rng, PASSENGERS[vendor])
    if february and rng.random() < FEBRUARY_TRIPS_WITHOUT_PASSENGERS:
        passengers = 0

    start = pickup_time(rng, month)
    pickup = pick(rng, PICKUPS)
    dropoff = pickup if rng.random() < 0.05 else pick(rng, DROPOFFS)
    miles = trip_miles(rng, pickup, dropoff)
    noise = 0.55 + 0.3 * (rng.random() + rng.random() + rng.random())
    speed = interpolate(miles, SPEED_AT_MILES, SPEEDS) * PACE_OF_HOUR[start.hour] * noise
    seconds = int(miles / speed * 3600)
    rate = rate_code(rng, pickup, dropoff)
    fare = fare_cents(rng, rate, miles, seconds / 60)
    if rng.random() < 0.002:
        seconds = 86_400 - int(rng.random() * 7200)  # the driver forgot to end the trip
    if rng.random() < 0.004:
        miles = 0.0  # the meter lost its position

    payment = pick(rng, PAYMENTS)
    extra = extra_cents(start, rate)
    tax = 0 if rate == 3 or (rate == 5 and rng.random() < 0.5) else 50
    improvement = 30
    airport_road = miles > 8 and rng.random() < 0.55
    tolls = pick(rng, ((576, 94), (1050, 3), (1152, 1), (1250, 2))) if airport_road else 0
    in_core = pickup in CORE_ZONES or dropoff in CORE_ZONES
    congestion = 250 if february and in_core and rate != 3 and rng.random() < 0.9 else 0

    if vendor == 2 and payment in (3, 4) and rng.random() < 0.2:  # a refund: all is negative
        fare, extra, tax, improvement = -fare, -extra, -tax, -improvement
        tolls, congestion = 0, -congestion
    bill = fare + extra + tax + improvement + tolls + congestion
    tip = tip_cents(rng, payment, bill)
    # Vendor 1 books the congestion surcharge into `extra` as well; it is charged once.
    booked_extra = extra + congestion if vendor == 1 else extra
    # The column came into use in the last third of January 2019.
    has_congestion_cell = february or start.day > 20

    hundredths = int(miles * 10 + 0.5) * 10 if vendor == 1 else int(miles * 100 + 0.5)
    return [
        str(vendor),
        str(start),
        str(start + timedelta(seconds=seconds)),
        str(passengers),
        decimal(hundredths),
        str(rate),
        "Y" if vendor == 1 and rng.random() < 0.014 else "N",
        str(pickup),
        str(dropoff),
        str(payment),
        *(decimal(cents) for cents in (fare, booked_extra, tax, tip, tolls, improvement)),
        decimal(bill + tip),
        decimal(congestion) if has_congestion_cell else "",
    ]


def write_month(directory: Path, month: date) -> Path:
    """Write one month's file; return where it is."""
    rng = Random(SEED * 100 + month.month)  # noqa: S311 - the same trips every time are the aim
    path = directory / f"yellow_tripdata_sample_{month:%Y-%m}.csv"
    with path.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows(make_trip(rng, month) for _ in range(TRIPS))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make the sample taxi trips that the example DAGs validate: "
        f"{TRIPS:,} invented trips for each of two months, the same bytes on every machine."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent,
        metavar="DIR",
        help="an existing directory to write to (default: %(default)s)",
    )
    directory: Path = parser.parse_args().out
    if not directory.is_dir():
        parser.error(f"--out: no such directory: {directory}")
    for month in MONTHS:
        print(write_month(directory, month))


if __name__ == "__main__":
    main()
