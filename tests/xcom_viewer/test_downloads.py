"""Downloads: the bytes that were pushed, or a broken connection; tables as CSV that pandas reads."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
from urllib.parse import urlencode
from uuid import UUID

import pytest

pytest.importorskip("polars")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import numpy as np
import obstore
import pandas as pd
import pyarrow as pa
import uvicorn

from include.xcom_store.codecs.frames import columns
from include.xcom_store.errors import StoreUnreachable
from include.xcom_viewer import downloads, source
from tests.xcom_viewer.conftest import AUTH, DAG, PREFIX, RUN
from tests.xcom_viewer.test_tables import generated


def stored(viewer, record):
    return bytes(obstore.get(viewer.s3.client, viewer.key(record)).bytes())


def csv(viewer, **query):
    answer = viewer.get("download", **{"as": "csv"}, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].endswith(".csv")
    return answer.content


@pytest.mark.parametrize("value", [
    pd.DataFrame({"a": [1]}), np.arange(10), b"x" * 2_000, ["y" * 2_000], "z" * 200_000,
    pa.table({"a": [1]}),
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_an_object_as_it_is(viewer, value):
    record = viewer.push(value)
    answer = viewer.get("download")
    assert answer.content == stored(viewer, record)
    assert answer.headers["content-length"] == str(record["bytes"])
    name = record["uri"].rpartition("/")[2]
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"


def test_in_pieces(viewer, monkeypatch):
    monkeypatch.setattr(source, "PIECE_BYTES", 1000)
    record = viewer.push(np.random.default_rng(0).random(5_000))
    assert viewer.get("download").content == stored(viewer, record)


def test_a_leaf(viewer):
    viewer.push({"f": pd.DataFrame({"a": [1, 2]}), "n": np.arange(3)})
    frame = pd.read_parquet(io.BytesIO(viewer.get("download", leaf=0).content))
    assert frame["a"].tolist() == [1, 2]
    assert np.load(io.BytesIO(viewer.get("download", leaf=1).content)).tolist() == [0, 1, 2]
    assert csv(viewer, leaf=0) == b'"a"\n1\n2\n'


def test_what_is_no_file(viewer):
    viewer.push(5)
    assert viewer.get("download").status_code == 404
    viewer.push(["y" * 2_000])
    assert viewer.get("download", **{"as": "csv"}).status_code == 404


def test_a_name_in_any_script(viewer):
    viewer.push(["y" * 2_000], key='quarter"s\n résumé')
    answer = viewer.get("download", key='quarter"s\n résumé')
    assert answer.status_code == 200
    assert "\n" not in answer.headers["content-disposition"]


@pytest.mark.parametrize("pieces", ["one", "many"])
def test_of_a_changed_object_the_download_does_not_end_well(viewer, monkeypatch, pieces):
    """The last piece is only sent when the SHA-256 is right: what is complete is right."""
    if pieces == "many":
        monkeypatch.setattr(source, "PIECE_BYTES", 1000)
    record = viewer.push(np.arange(1_000))
    changed = bytearray(stored(viewer, record))
    changed[-1] ^= 1
    obstore.put(viewer.s3.client, viewer.key(record), bytes(changed))
    if pieces == "one":
        assert viewer.get("download").status_code == 502
        return
    from include.xcom_store.errors import ObjectCorrupt

    with pytest.raises(ObjectCorrupt):  # TestClient hands on what breaks the connection
        viewer.get("download")


def test_what_fails_midway_does_not_end_well(viewer, airflow_app, monkeypatch):
    """In a real server, behind Airflow's middleware, which ends what raises as if it were complete."""

    def csv(*_arguments):
        yield b'"a"\n1\n'
        raise StoreUnreachable("it has gone")

    monkeypatch.setattr(downloads, "csv", csv)
    viewer.push(pd.DataFrame({"a": [1, 2]}))
    query = {"dag_id": DAG, "run_id": RUN, "task_id": "load", "key": "return_value", "as": "csv"}
    cookie = {"Cookie": f"_token={AUTH.token('admin')}"}
    with (
        served(airflow_app) as port,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
    ):
        connection.request("GET", f"{PREFIX}/download?{urlencode(query)}", headers=cookie)
        answer = connection.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
    assert broken.value.partial == b'"a"\n1\n'


@contextlib.contextmanager
def served(app):
    """A server of an application, and its port."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def test_downloads_are_counted(viewer):
    """However they end, the next ones are not refused."""
    viewer.push(["y" * 2_000])
    for _ in range(6):
        assert viewer.get("download").status_code == 200
        assert viewer.get("download", key="nothing").status_code == 404
        assert viewer.get("download", leaf=9).status_code == 404


# ---------------------------------------------------------------------------- CSV


def test_csv_is_what_pandas_reads(viewer):
    frame = generated(5_000)
    frame["inner"] = pd.Series([[1, 2], {"a": 1}] * 2_500, dtype=object)
    frame.index = pd.Index([f"row {n}" for n in range(5_000)], name="key")
    viewer.push(frame)
    read = pd.read_csv(
        io.BytesIO(csv(viewer)), index_col="key", keep_default_na=False, na_values=[""],
        dtype={"large": "uint64"},
    )  # fmt: skip
    assert read.index.equals(frame.index)
    assert list(read.columns) == list(frame.columns)
    for name in ("datetime", "nanoseconds"):
        read[name] = pd.to_datetime(read[name], format="ISO8601").astype(frame[name].dtype)
    for name in ("int", "small", "large", "float", "infinite", "datetime", "nanoseconds"):
        pd.testing.assert_series_equal(read[name], frame[name], check_dtype=False)
    assert read["empty"].isna().all()
    assert (read["str"].fillna("-") == frame["str"].fillna("-")).all()
    assert read["inner"].tolist()[:2] == ["[1,2]", '{"a":1}']
    assert (pd.to_timedelta(read["timedelta"]) == frame["timedelta"]).all()
    assert (
        pd.to_datetime(read["zoned"], utc=True, format="ISO8601")
        == frame["zoned"].dt.tz_convert("UTC")
    ).all()


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x","y")']


@pytest.mark.parametrize("kind", ["str", "object", "category", "arrow", "polars", "mixed"])
def test_formulas_are_texts(viewer, kind):
    import polars as pl

    values = {
        "str": lambda: pd.DataFrame({"=a": FORMULAS, "n": range(-4, 4)}),
        "object": lambda: pd.DataFrame({"=a": pd.Series(FORMULAS, dtype=object), "n": range(-4, 4)}),
        "category": lambda: pd.DataFrame({"=a": pd.Categorical(FORMULAS), "n": range(-4, 4)}),
        "arrow": lambda: pa.table({"=a": FORMULAS, "n": range(-4, 4)}),
        "polars": lambda: pl.DataFrame({"=a": FORMULAS, "n": range(-4, 4)}),
        "mixed": lambda: pd.DataFrame({"=a": pd.Series([*FORMULAS[:7], 5], dtype=object), "n": range(-4, 4)}),
    }  # fmt: skip
    viewer.push(values[kind]())
    import csv as reader

    header, *rows = reader.reader(io.StringIO(csv(viewer).decode(), newline=""))
    assert header == ["'=a", "n"]
    assert [row[1] for row in rows] == [str(n) for n in range(-4, 4)]
    for (cell, _), formula in zip(rows, FORMULAS, strict=True):
        if kind == "mixed":
            assert cell[:1] not in set("=+-@\t\r\n")
        else:
            assert cell == f"'{formula}"


def test_csv_of_arrow(viewer):
    viewer.push(pa.table({"a": [1, None], "list": [[1, 2], None], "b": [b"\x01", None]}))
    assert csv(viewer) == b'"a","list","b"\n1,"[1, 2]","01"\n,,\n'


def test_csv_of_nothing(viewer):
    viewer.push(pd.DataFrame({"a": pd.Series([], dtype="int64"), 'b"': pd.Series([], dtype="str")}))
    assert csv(viewer) == b'"a","b"""\n'
    viewer.push(pa.table({"a": pa.array([], pa.int64())}))
    assert csv(viewer) == b'"a"\n'


def test_csv_is_not_cut(viewer):
    viewer.push(pd.DataFrame({"a": ["x" * 5_000], "l": pd.Series([list(range(500))])}))
    text = csv(viewer).decode()
    assert "x" * 5_000 in text
    assert "499]" in text


def test_categories_that_have_no_words_are_no_csv(viewer, monkeypatch):
    """One word would stand for several of them."""
    monkeypatch.setattr(columns, "MOST_SHOWN", 3)
    ids = pd.Categorical([UUID(int=number) for number in (0, 1, 2, 3, 4, 4)])
    viewer.push(pd.DataFrame({"id": ids}))
    assert viewer.get("download", **{"as": "csv"}).status_code == 413
    assert viewer.get("download").status_code == 200


def test_a_large_arrow_batch_is_no_csv(viewer):
    viewer.push(pa.table({"a": np.zeros(5_000_000)}))
    assert viewer.get("download", **{"as": "csv"}).status_code == 413
    assert viewer.get("download").status_code == 200
