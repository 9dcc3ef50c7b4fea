"""What engines make of the objects in the bucket: the table of docs/by_reference.md.

Each engine reads an object where it lies, and what it found is compared, as plain Python cells,
with what was pushed. A cell of the table is a word for that, so a change of the writer that costs
an engine changes the table.
"""

from __future__ import annotations

import datetime as dt
import io
import logging
import os
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from include.xcom_reference import BucketAccess
from include.xcom_store import documents
from include.xcom_store.codecs import find, frames

YES, MOMENT, JSON, NO, NO_FILE, WRONG = "yes", "moment", "JSON", "no", "no file", "**wrong**"
KINDS = {
    "plain": "numbers, `bool`, text, `bytes`, `date`, `Decimal` up to 38 digits, lists of them (also "
    "embeddings), `category` of text, Arrow's structs and maps",
    "missing": "integers with missing ones: `Int64` …",
    "uint64": "`uint64`",
    "float16": "`float16`",
    "mixed": "other objects, `Decimal` over 38 digits",
    "codes": "`category` of intervals, sets, mixed objects",
    "datetime": "`datetime64` in s, ms, µs",
    "datetime[ns]": "`datetime64[ns]`",
    "zoned": "`datetime64` in s, ms, µs, with a zone",
    "zoned[ns]": "`datetime64[ns]` with a zone",
    "duration": "`timedelta64`",
    "period": "`period`",
    "interval": "`interval`",
    "time": "Arrow's times",
    "uuid": "Arrow's uuid, json, tensors",
    "uuids": "Arrow's lists of uuid",
    "bool8": "Arrow's bool8",
    "wide": "Arrow's decimals of more than 38 digits",
    "null": "Arrow's nulls",
    "no columns": "a frame without columns",
    "arrow": "a polars frame, a pyarrow table (`.arrow`)",
    "int128": "a polars frame with an `Int128`",
    "arrows": "a pyarrow table, each chunk with a dictionary of its own (`.arrows`)",
}
"""The table's rows: kinds of columns, and what it calls them. A category is as what
it is of, unless a row says otherwise."""
_NUMBERS = {int: "integers", float: "floats", Decimal: "decimals"}
_STORED = {int: "integers", str: "text", bytes: "bytes", dict: "structs", list: "lists"}


class Column(NamedTuple):
    """A column as it was pushed (also its plain cells), and the plain cells of what was written."""

    kind: str
    values: Any
    pushed: list[Any]
    stored: list[Any]


def plain(cell: Any) -> Any:
    """Return a cell as a value that has the same repr whichever library it comes from."""
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return None
    if isinstance(cell, (np.ndarray, pl.Series)):
        cell = cell.tolist() if isinstance(cell, np.ndarray) else cell.to_list()
    if isinstance(cell, np.generic):
        return plain(cell.item())
    if isinstance(cell, float) and np.isnan(cell):
        return None  # as pandas has it
    if isinstance(cell, dt.datetime):
        stamp = pd.Timestamp(cell)
        return ("datetime", stamp.as_unit("ns").value, stamp.utcoffset())
    if isinstance(cell, dt.timedelta):
        return ("duration", pd.Timedelta(cell).as_unit("ns").value)
    if isinstance(cell, uuid.UUID):
        return cell.bytes
    if isinstance(cell, dict):
        return {name: plain(part) for name, part in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [plain(part) for part in cell]
    return cell


def cells(values: Any) -> list[Any]:
    """Return the plain cells of a column of Arrow, pandas or polars."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = values.to_pylist()
    return [plain(cell) for cell in values]


def columns(value: Any, uri: str, data: bytes) -> dict[str, Column]:
    """Return the columns of a pushed frame by their names in its object."""
    if not uri.endswith(".parquet"):
        kind = uri.rpartition(".")[2]
        if any(
            isinstance(part, pl.Series) and part.dtype == pl.Int128 for _, part in _parts(value)
        ):
            kind = "int128"
        return {name: Column(kind, part, cells(part), []) for name, part in _parts(value)}
    frame, _ = frames._as_frame(value)  # noqa: SLF001 - a Series as the frame that is written
    recipe, _ = frames.read_metadata(pq.read_metadata(io.BytesIO(data)))
    index = recipe["index"]
    levels = index.get("levels", [index["flat"]] if "flat" in index else [])
    pushed = [frame.iloc[:, n] for n in range(frame.shape[1])]
    pushed += [frame.index.get_level_values(n) for n in range(len(levels))]
    table = pq.read_table(io.BytesIO(data))
    return {
        name: _column(values, recipe, table.column(name))
        for name, values, recipe in zip(
            table.column_names, pushed, [*recipe["columns"], *levels], strict=True
        )
    }


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, pl.Series):
        value = value.to_frame()
    if isinstance(value, pl.DataFrame):
        return zip(value.columns, value.iter_columns(), strict=True)
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        value = pa.table({"": value})
    return zip(value.schema.names, value.columns, strict=True)


def _column(values: Any, recipe: dict[str, Any], array: Any) -> Column:
    kind = _kind(recipe, array)
    if pa.types.is_duration(array.type):
        array = array.cast(pa.int64())
    return Column(kind, values, cells(values), cells(array))


def _kind(recipe: dict[str, Any], array: Any) -> str:
    """Return a key of `KINDS` for a column, by how it was written."""
    [(name, detail)] = recipe.items()
    if name == "codes" and detail["values"] and "flat" in detail["index"]:
        [(name, detail)] = detail["index"]["flat"].items()
    dtype = str(documents.read(detail)) if name == "dtype" else ""
    if dtype.startswith(("period", "interval")):
        return dtype.partition("[")[0]
    kind, types = array.type, pa.types
    is_one: dict[str, bool] = {
        "mixed": name == "object" and detail,
        "codes": name == "codes" and not detail["values"],
        "bool8": "extension<arrow.bool8>" in dtype,
        "uuids": "extension<" in str(kind),
        "uuid": "extension<" in dtype,
        "wide": "decimal256" in str(kind),
        "zoned[ns]": types.is_timestamp(kind) and kind.tz and kind.unit == "ns",
        "zoned": types.is_timestamp(kind) and kind.tz,
        "datetime[ns]": types.is_timestamp(kind) and kind.unit == "ns",
        "datetime": types.is_timestamp(kind),
        "missing": types.is_integer(kind) and array.null_count,
        "uint64": types.is_uint64(kind),
        "float16": types.is_float16(kind),
        "duration": types.is_duration(kind),
        "time": types.is_time(kind),
        "null": types.is_null(kind),
        "plain": True,
    }
    return next(kind for kind, found in is_one.items() if found)


def word(column: Column, found: list[Any]) -> str:
    """Return what an engine has made of a column."""
    if repr(found) == repr(column.pushed):
        return YES
    if repr(_moments(found)) == repr(_moments(column.pushed)):
        return MOMENT
    kind = type(next((cell for cell in found if cell is not None), None))
    if kind in _NUMBERS and found == column.pushed:
        return _NUMBERS[kind]
    if repr(found) == repr(column.stored):
        return JSON if column.kind == "mixed" else _STORED[kind]
    return WRONG


def _moments(found: list[Any]) -> list[Any]:
    return [cell[:2] if isinstance(cell, tuple) else cell for cell in found]


class Engine:
    """Reads objects of the bucket; what it cannot read raises whatever it raises."""

    name: str

    def __init__(self, access: BucketAccess) -> None:
        self.access = access
        self.files = access.arrow_filesystem()

    def read(self, uri: str, names: list[str] | None = None) -> dict[str, list[Any]]:
        """Return the plain cells of the columns, or of those with these names."""
        table = self.parquet(uri, names) if uri.endswith(".parquet") else self.arrow(uri)
        if isinstance(table, pd.DataFrame):
            return {name: cells(table[name]) for name in table}
        return {name: cells(column) for name, column in _parts(table)}

    def close(self) -> None:
        """End what was started."""

    def open(self, uri: str) -> Any:
        return self.files.open_input_file(uri.removeprefix("s3://"))

    def parquet(self, uri: str, names: list[str] | None) -> Any:
        raise NotImplementedError

    def arrow(self, uri: str) -> Any:
        raise NotImplementedError


class DuckDB(Engine):
    name = "DuckDB"

    def __init__(self, access: BucketAccess) -> None:
        super().__init__(access)
        self.session = access.duckdb()
        self.session.execute("SET arrow_lossless_conversion = true")  # a UUID stays one

    def parquet(self, uri: str, names: list[str] | None) -> Any:
        chosen = ", ".join(f'"{name}"' for name in names) if names else "*"
        source = f"read_parquet('{uri}', hive_partitioning = false)"
        return self.session.sql(f"SELECT {chosen} FROM {source}").to_arrow_table()

    def arrow(self, uri: str) -> Any:
        return self.session.sql(f"FROM '{uri}'").to_arrow_table()


class Polars(Engine):
    name = "polars"

    def parquet(self, uri: str, names: list[str] | None) -> Any:
        options = {
            "aws_access_key_id": self.access.key_id,
            "aws_secret_access_key": self.access.secret,
            "aws_region": self.access.region,
            "aws_endpoint_url": self.access.endpoint,
            "aws_allow_http": "true",
        }
        try:
            return pl.read_parquet(uri, columns=names, storage_options=options).to_arrow()
        except pl.exceptions.PanicException as panic:  # which is no Exception
            raise ValueError(str(panic)) from panic

    def arrow(self, uri: str) -> Any:
        reads = pl.read_ipc if uri.endswith(".arrow") else pl.read_ipc_stream
        return reads(self.open(uri))


class Pandas(Engine):
    name = "pandas"

    def parquet(self, uri: str, names: list[str] | None) -> Any:
        return pd.read_parquet(uri.removeprefix("s3://"), filesystem=self.files, columns=names)

    def arrow(self, uri: str) -> Any:
        return pd.read_feather(self.open(uri))


class PyArrow(Engine):
    name = "pyarrow"

    def parquet(self, uri: str, names: list[str] | None) -> Any:
        return pq.read_table(uri.removeprefix("s3://"), filesystem=self.files, columns=names)

    def arrow(self, uri: str) -> Any:
        opened = pa.ipc.open_file if uri.endswith(".arrow") else pa.ipc.open_stream
        return opened(self.open(uri)).read_all()


class Spark(Engine):
    """Spark in local mode, driven from this process: PySpark of spark_venv, which has no pyarrow."""

    name = "Spark"

    def __init__(self, access: BucketAccess) -> None:
        super().__init__(access)
        from include import spark

        os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        [packages] = spark.SPARK_VENV.glob("lib/python3*/site-packages")
        sys.path.append(str(packages))
        from pyspark.sql import SparkSession

        logging.getLogger("py4j").setLevel(logging.CRITICAL)  # when all is over, it logs that

        jars = ",".join(map(str, (spark.SPARK_VENV / "jars").glob("*.jar")))
        builder = SparkSession.builder.master("local[1]").config("spark.jars", jars)
        options = {
            **spark.conf(access),
            "spark.hadoop.fs.s3a.access.key": access.key_id,
            "spark.hadoop.fs.s3a.secret.key": access.secret,
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        }
        for name, value in options.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()

    def parquet(self, uri: str, names: list[str] | None) -> Any:
        frame = self.session.read.parquet(uri.replace("s3://", "s3a://"))
        return (frame.select(*names) if names else frame).toArrow()

    def close(self) -> None:
        self.session.stop()

    def arrow(self, uri: str) -> Any:
        raise NotImplementedError("Spark has no reader for Arrow files")


def made_of(engine: Engine, push: Callable[[Any], str], value: Any) -> set[tuple[str, str]]:
    """Return what the engine makes of a value: kinds of its columns, and a word for each."""
    uri = push(value)
    pushed = columns(value, uri, engine.open(uri).read())
    try:
        found = engine.read(uri)
    except Exception:
        found = None
    if not uri.endswith(".parquet") or not pushed:
        kind = next((column.kind for column in pushed.values()), "no columns")
        wrong = found and WRONG in {word(column, found[name]) for name, column in pushed.items()}
        return {(kind, NO if found is None else WRONG if wrong else YES)}
    if found is None:
        return {(column.kind, _alone(engine, push, column)) for column in pushed.values()}
    assert [*found] == [*pushed], f"{engine.name} reads other columns of {uri}"
    told = {name: column for name, column in pushed.items() if _tells(column)}
    return {(column.kind, word(column, found[name])) for name, column in told.items()}


def _tells(column: Column) -> bool:
    """Whether a column has cells, but for that kind which has none."""
    return column.kind == "null" or any(cell is not None for cell in column.pushed)


def _alone(engine: Engine, push: Callable[[Any], str], column: Column) -> str:
    """Return what the engine makes of a column beside which there are only numbers."""
    beside = range(len(column.values))
    uri = push(pd.DataFrame({"it": pd.Series(column.values.array), "beside": beside}))
    try:
        return word(column, engine.read(uri, ["it"])["it"])
    except Exception:
        try:
            assert engine.read(uri, ["beside"]) == {"beside": [*beside]}
        except Exception:
            return NO_FILE
        return NO


def table(
    engines: list[Engine], push: Callable[[Any], str], values: dict[str, Callable[[], Any]]
) -> dict[str, dict[str, str]]:
    """Return the table: the column of each engine, and in it the cell of each row."""
    words: dict[tuple[str, str], set[str]] = defaultdict(set)
    for make in values.values():
        codec = find(make())
        if codec is None or not codec.NAME.endswith(("-parquet", "-ipc", "-ipc_stream")):
            continue
        for engine in engines:
            for kind, found in made_of(engine, push, make()):
                words[engine.name, kind].add(found)
    return {
        engine.name: {
            title: _cell(title, words[engine.name, kind]) for kind, title in KINDS.items()
        }
        for engine in engines
    }


def _cell(title: str, words: set[str]) -> str:
    assert words, f"no value of the matrix has a column of this kind: {title}"
    if words == {YES, MOMENT}:  # of UTC, which is the zone of this session
        return MOMENT
    return ", ".join(sorted(words))
