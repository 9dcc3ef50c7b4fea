"""What the pages show, for every kind of value and for what went wrong."""

from __future__ import annotations

import base64
import datetime as dt
import html
import json
import logging
import re
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("obstore")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import obstore
import pandas as pd

from include.xcom_store.sizes import size_text
from tests.xcom_viewer.conftest import DAG, RUN

HOSTILE = "<script>alert('x')</script>\" onload=\"alert(1)"


def text(answer):
    """What a reader sees of a page."""
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<(script|style)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body))).strip()


def state(answer):
    """The state that a page shows in the place of a value."""
    found = re.findall(r'data-state="([\w-]+)"', answer.text)
    return found[0] if found else None


# ---------------------------------------------------------------------------- the task's tab


def test_a_card_for_each_xcom(viewer):
    reference = viewer.push(["x" * 2_000], key="long")
    viewer.push(5, key="small")
    answer = viewer.get("task")
    shown = text(answer)
    assert reference["uri"] in shown
    assert f'data-copy="{reference["sha256"]}"' in answer.text
    assert "2026-11-22 10:00:05 UTC" in shown
    assert re.findall(r'<article class="card" id="(\w+)"', answer.text) == ["long", "small"]
    assert "1 B in Airflow's database" in shown
    assert f'data-copy="{reference["uri"]}"' in answer.text
    for address in re.findall(r'data-src="([^"]+)"', answer.text):
        parts = urlsplit(html.unescape(address))
        query = {name: value for name, [value] in parse_qs(parts.query).items()}
        assert parts.path == "value"
        assert query["run_id"] == "manual__2026-11-22T10:00:00+00:00"
        assert query["map_index"] == "-1"


class Rows(list):
    """Comes back as a list."""


@pytest.mark.parametrize(("size", "counted"), [(1, "1 part not"), (300, "300 parts not")])
def test_a_card_says_how_much_is_inexact(viewer, size, counted):
    viewer.push([Rows("abc")] * size)
    viewer.push(5, key="exact")
    shown = text(viewer.get("task"))
    assert f"{counted} exactly as pushed" in shown
    assert shown.count("exactly as pushed") == 1


@pytest.mark.parametrize("threshold", ["0", "1000000"])
def test_a_secret_is_nowhere_in_clear(viewer, configure, caplog, capfd, threshold):
    """Not in bucket, database, log and viewer."""
    pydantic = pytest.importorskip("pydantic")
    from tests.xcom_store.classes import Login, Stop

    configure(threshold=threshold)
    caplog.set_level(logging.DEBUG)
    login = Login(user="u", password="hunter2", token=b"hunter2")
    values = {
        "model": login,
        "fields": [Stop(pydantic.SecretStr("hunter2")), {"a": (pydantic.SecretBytes(b"hunter2"),)}],
        "key": {pydantic.SecretStr("hunter2"): 1},
        "cell": pd.DataFrame(
            {"a": pd.Series([login, pydantic.SecretStr("hunter2")], dtype=object)}
        ),
        "attrs": with_attrs(login),
    }
    rows = {name: viewer.push(value, key=name) for name, value in values.items()}
    assert all(row["inexact"] for row in rows.values())
    bucket = b"".join(
        bytes(obstore.get(viewer.s3.client, key).bytes()) for key in [*viewer.s3.keys()]
    )
    pages = [viewer.get("task").text, viewer.get("run").text]
    pages += [viewer.get("value", key=name).text for name in values]
    downloads = [viewer.get("download", key=name).content for name in values]
    everything = f"{bucket} {rows} {caplog.text} {capfd.readouterr()} {pages} {downloads}"
    assert everything.count("**********") > len(values)
    for secret in ("hunter2", base64.b64encode(b"hunter2").decode()):
        assert secret not in everything


def with_attrs(value):
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["login"] = value
    return frame


def test_an_instance_of_a_mapped_task(viewer):
    viewer.push("zero", task_id="mapped", map_index=0)
    viewer.push("one", task_id="mapped", map_index=1)
    shown = text(viewer.get("task", task_id="mapped", map_index=1))
    assert "map index 1" in shown
    assert text(viewer.get("value", task_id="mapped", map_index=1)).endswith("one")
    listed = viewer.get("task", task_id="mapped")
    assert "This task is mapped. Its instances pushed 2 XComs" in text(listed)
    assert "map_index=1" in listed.text


def test_many_xcoms_are_a_list(viewer):
    for number in range(45):
        viewer.table(number, key=f"key {number:02}")
    answer = viewer.get("task")
    assert "This task instance pushed 45 XComs" in text(answer)
    assert 'data-src="' not in answer.text
    assert "value?dag_id=trips" in answer.text
    assert 'id="key%2007" data-page="value?dag_id=trips' in answer.text  # which a link opens
    assert "key=key+07" in answer.text


def test_no_xcom(viewer):
    assert state(viewer.get("task")) == "empty"
    assert state(viewer.get("run")) == "empty"
    assert viewer.get("value").status_code == 404


# ---------------------------------------------------------------------------- the run's tab


def test_a_run_is_a_line_each_and_totals(viewer):
    first = viewer.push(["x" * 2_000], task_id="a")
    second = viewer.push(b"y" * 2_000, task_id="b", map_index=3)
    viewer.push({"n": 1}, task_id="c")
    answer = viewer.get("run")
    shown = text(answer)
    assert "XComs 3 Task instances 3 In the store 2" in shown
    assert f"In the store 2 {size_text(first['bytes'] + second['bytes'])}" in shown
    assert "In the database 1 8 B" in shown
    assert re.findall(r'title="Open this task in Airflow"><bdi>(\w)</bdi>', answer.text) == [
        "a",
        "b",
        "c",
    ]
    assert "b 3 return_value bytes 2.0 kB store" in shown


def test_a_long_run_is_paged(viewer):
    for index in range(205):
        viewer.table(index, task_id="many", map_index=index)
    first, second = viewer.get("run"), viewer.get("run", start=200)
    assert "1 to 200 of 205" in text(first)
    assert "201 to 205 of 205" in text(second)
    assert second.text.count("<bdi>many</bdi>") == 5
    assert "XComs 205" in text(second)


def validation(met, total):
    counts = {"evaluated_expectations": total, "successful_expectations": met}
    return {"success": met == total, "statistics": counts, "expectations": []}


def test_a_run_is_judged_by_its_list(viewer, monkeypatch):
    """Failed validations first, then the order of the DAG; sums of what is expected."""
    order = {"z_first": 0, "m_then": 1, "a_last": 2}
    monkeypatch.setattr("include.xcom_viewer.entries.task_order", lambda _dag_id: order)
    viewer.push(validation(3, 3), task_id="z_first")
    viewer.push(validation(1, 4), task_id="a_last")
    viewer.push("small", task_id="m_then")
    viewer.push(5, task_id="not there any more")
    viewer.push((1, dt.date(2026, 11, 22), {"ok": True}), task_id="m_then", key="small")
    answer = viewer.get("run")
    shown = text(answer)
    tasks = re.findall(r'title="Open this task in Airflow"><bdi>([^<]+)</bdi>', answer.text)
    assert tasks == ["a_last", "z_first", "m_then", "m_then", "not there any more"]
    assert "Validations 2 1 failed Expectations met 4 of 7" in shown
    assert "failed 1 of 4 expectations met" in shown
    assert '"small"' in shown
    assert "(1, 2026-11-22, {ok: True})" in shown
    assert answer.text.count('<tr class="failed">') == 1


def test_tasks_are_ordered_as_the_dag_runs_them(airflow_app, monkeypatch):
    from types import SimpleNamespace

    from include.xcom_viewer import entries

    tasks = {"b": ["c"], "a": ["b"], "c": []}
    dag = SimpleNamespace(
        task_dict={n: SimpleNamespace(upstream_task_ids=u) for n, u in tasks.items()}
    )
    bag = "airflow.models.dagbag.DBDagBag.get_latest_version_of_dag"
    assert entries.task_order("no such DAG") == {}
    monkeypatch.setattr(bag, lambda *_, **__: dag)
    assert list(entries.task_order("any")) == ["c", "b", "a"]


def test_a_runs_list_is_filtered(viewer):
    viewer.push("x", task_id="load_trips")
    viewer.push(5, task_id="load_zones")
    viewer.push("y", task_id="report", key="trips")

    def found(**wanted):
        return re.findall(r'Airflow"><bdi>(\w+)</bdi>', viewer.get("run", **wanted).text)

    assert found(of_task="LOAD") == ["load_trips", "load_zones"]
    assert found(of_key="trips") == ["report"]
    assert found(of_task="load", of_type="str") == ["load_trips"]
    empty = viewer.get("run", of_task="nothing")
    assert state(empty) is None
    assert 'data-filter="of_task" value="nothing"' in empty.text


def test_where_one_is(viewer):
    """Task, map index and key; a part by its key; and the address of the same in Airflow's page."""
    import numpy as np

    where = {"task_id": "mapped task", "map_index": 3, "key": "a/b"}
    viewer.push({"weights": [np.arange(3)]}, **where)
    part = viewer.get("value", leaf=0, **where)
    assert "mapped task map index 3 › a/b › weights › 0" in text(part)
    assert "<h2><bdi>weights › 0</bdi>" in part.text
    assert '/plugin/xcom_values#a/b&amp;leaf=0"' in part.text
    page = viewer.get("task", task_id="mapped task", map_index=3)
    link = (
        "../dags/trips/runs/manual__2026-11-22T10%3A00%3A00%2B00%3A00/tasks/mapped%20task/mapped/3"
    )
    assert f'data-copy-link="{link}/plugin/xcom_values#a/b"' in page.text
    assert 'id="a/b"' in page.text


# ---------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, ["5"]),
        (None, ["None"]),
        ("a text", ["a text"]),
        ("y" * 1000, ["y" * 1000]),
        ({"a": [1, 2.5, None, True]}, ["a list 4 items", "2.5", "None", "True"]),
        ((1, 2), ["tuple 2 items"]),
        ({1: "one"}, ["dict 1 key", "1 one"]),
        ({"s": {1, 2}}, ["set 2 items"]),
        (Decimal("1.50"), ["1.50", "Decimal"]),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), ["2026-01-02T03:00:00"]),
        (float("nan"), ["nan"]),
        (2**70, [str(2**70)]),
        (b"\x00abc", ["4 B: 00 61 62 63"]),
        ([["x" * 2_000]], ["list 1 item", "x" * 300]),
        (list(range(1000)), ["list 1,000 items", "800 more"]),
        ("z" * 200_000, ["100,000 more characters are not shown"]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_json_values(viewer, value, words):
    viewer.push(value)
    shown = text(viewer.get("value"))
    missing = [word for word in words if word not in shown]
    assert not missing, shown[:2000]


def test_bytes(viewer):
    viewer.push(bytes(range(256)) * 40)
    shown = text(viewer.get("value"))
    assert "0000 00 01 02" in shown
    assert "0040 40 41 42" in shown
    assert "256 B read from S3" in shown


def test_values_of_others(viewer):
    """What the REST API, triggers and other backends have written."""
    viewer.table('{"a": "json text"}', key="text")
    viewer.table({"__classname__": "x.Y", "__version__": 1, "__data__": {"a": 1}}, key="serde")
    assert '{"a": "json text"}' in text(viewer.get("value", key="text"))
    assert "__classname__" in text(viewer.get("value", key="serde"))


def test_half_a_surrogate_pair(viewer):
    viewer.table({"\ud800": "\udfff"})
    assert viewer.get("value").status_code == viewer.get("value", view="raw").status_code == 200


def test_no_class_is_imported_for_a_value(viewer):
    viewer.table({"__id__": "xcom_store/1", "type": "x", "summary": "", "inline": json.dumps(
        {"$xcom": ["enum", "antigravity.Color", "RED"]})})  # fmt: skip
    assert "Color.RED" in text(viewer.get("value"))
    import sys

    assert "antigravity" not in sys.modules


def test_leaves(viewer):
    import numpy as np
    import pandas as pd

    viewer.push({"frame": pd.DataFrame({"inner": [1, 2]}), "list": [np.arange(6).reshape(2, 3)]})
    answer = viewer.get("value")
    shown = text(answer)
    assert "frame pandas.DataFrame" in shown
    assert "numpy.ndarray" in shown
    assert {"leaf=0", "leaf=1"} <= set(re.findall(r"leaf=\d", answer.text))
    frame, array = viewer.get("value", leaf=0), viewer.get("value", leaf=1)
    assert "2 rows × 1 column" in text(frame)
    assert "Shape 2 × 3 dtype int64" in text(array)
    assert state(viewer.get("value", leaf=2)) == "missing"


def test_raw_json(viewer):
    viewer.push({"success": True, "statistics": {}, "expectations": []})
    assert '"expectations": []' in text(viewer.get("value", view="raw"))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ("np.arange(10)", ["Shape 10", "int64", "Min 0 Max 9 Mean 4.5"]),
        ("np.array([1.5, np.nan])", ["Missing (NaN) 1", "Max 1.5"]),
        ("np.zeros((3, 4), '>f4')", ["Shape 3 × 4", ">f4", "Distinct 1"]),
        ("np.array(7)", ["a single value"]),
        ("np.array(['a', 'b'])", ["<U1", "0 a", "1 b"]),
        ("np.array([1 + 2j])", ["complex128", "(1+2j)"]),
        ("np.array([], 'f8')", ["Shape 0"]),
        ("np.array([True, False])", ["bool", "Distinct 2"]),
        ("np.zeros(2, [('a', 'i4'), ('b', 'U3')])", ["(0, '')"]),
        ("np.array(['2026-01-01'], 'M8[D]')", ["datetime64[D]", "2026-01-01"]),
        ("np.array([1, 2], 'f2')", ["float16", "Max 2"]),
        ("np.array([1, 2], '>f2')", [">f2", "Max 2"]),
        ("np.asfortranarray(np.ones((2, 3)))", ["Fortran"]),
        ("np.arange(1_000_000)", ["the first", "of 1,000,000 values", "The first 20 values:"]),
        ("np.arange(6).reshape(2, 3)", ["Values Heat map", "0 1 2 0 0 1 2 1 3 4 5"]),
        ("np.ones((30, 15), 'i8')", ["The first 20 rows and 12 columns:"]),
        ("np.ones((30, 30))", ["Image Heat map Values"]),
    ],
)
def test_arrays(viewer, array, words):
    import numpy as np

    viewer.push(eval(array, {"np": np}))
    shown = text(viewer.get("value"))
    missing = [word for word in words if word not in shown]
    assert not missing, shown[:2000]


@pytest.mark.parametrize("what", ["table", "batch", "polars", "polars series"])
def test_arrow(viewer, what):
    import datetime as dt

    import pyarrow as pa

    columns = {
        "n": [1, 2, None],
        "text": ["a", "b", "b"],
        "when": [dt.datetime(2026, 1, 1)] * 3,
        "list": [[1], [2, 3], []],
    }
    if what.startswith("polars"):
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame(columns).with_columns(pl.col("text").cast(pl.Categorical).alias("cat"))
        value = frame if what == "polars" else frame["n"]
    else:
        value = pa.table(columns | {"cat": pa.array(["x", "y", "x"]).dictionary_encode()})
        value = value if what == "table" else value.to_batches()[0]
    viewer.push(value)
    shown = text(viewer.get("value"))
    assert "3 rows" in shown
    assert "33.3%" in shown  # of n
    if what != "polars series":
        assert "2026-01-01 00:00:00" in shown
        assert "[2, 3]" in shown
        assert "b 2×" in shown


# ---------------------------------------------------------------------------- states


def test_a_deleted_object(viewer):
    import pandas as pd

    for key, value in {"frame": pd.DataFrame({"a": [1]}), "json": ["x" * 2_000]}.items():
        obstore.delete(viewer.s3.client, viewer.key(viewer.push(value, key=key)))
        answer = viewer.get("value", key=key)
        assert state(answer) == "missing"
        assert "Clear the task" in text(answer)
        assert viewer.get("download", key=key).status_code == 404


@pytest.mark.parametrize("size", ["same", "other"])
@pytest.mark.parametrize("kind", ["frame", "array", "arrow", "json", "bytes"])
def test_a_corrupt_object(viewer, kind, size):
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    values = {
        "frame": pd.DataFrame({"a": [1] * 100}),
        "array": np.arange(100),
        "arrow": pa.table({"a": [1] * 100}),
        "json": ["x" * 2_000],
        "bytes": b"x" * 2_000,
    }
    record = viewer.push(values[kind])
    garbage = b"\xff" * (record["bytes"] + (size == "other"))
    obstore.put(viewer.s3.client, viewer.key(record), garbage)
    # The beginning of bytes is anything, and nobody reads all of it for a page.
    if (kind, size) != ("bytes", "same"):
        assert state(viewer.get("value")) == "corrupt"
    assert viewer.get("download").status_code != 200


def test_too_large(viewer):
    import numpy as np

    viewer.push(
        [f"{number:032x}" for number in np.random.default_rng(0).integers(0, 2**60, 199_999)]
    )
    answer = viewer.get("value")
    assert state(answer) == "too-large"
    assert "Download" in text(answer)
    assert len(viewer.get("download").content) > 1_000_000


def test_wrong_keys(viewer, monkeypatch):
    viewer.push(["x" * 2_000])

    wrong = {"conn_type": "aws", "login": "nobody", "password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(wrong))
    viewer.lookup.forget()
    assert state(viewer.get("value")) == "denied"
    assert viewer.get("download").status_code == 403
    monkeypatch.undo()


def test_nobody_listens(viewer, monkeypatch):
    viewer.push(["x" * 2_000])
    from include.xcom_store import settings

    monkeypatch.setenv(settings.variable("endpoint_url"), "http://127.0.0.1:9")
    settings.load.cache_clear()
    viewer.lookup.forget()
    answer = viewer.get("value")
    assert state(answer) == "unreachable"
    assert "Try again" in text(answer)
    assert viewer.get("task").status_code == 200


def test_a_newer_format(viewer):
    viewer.table({"__id__": "xcom_store/2", "anything": 1})
    assert state(viewer.get("task")) == "corrupt"
    assert state(viewer.get("value")) == "corrupt"


# ---------------------------------------------------------------------------- escaping


def test_everything_is_escaped(viewer):
    import pandas as pd

    verdict = {
        "success": False,
        "statistics": {},
        "expectations": [
            {
                "expectation_type": HOSTILE,
                "success": False,
                "kwargs": {"column": HOSTILE, "value_set": [HOSTILE]},
                "result": {"observed_value": HOSTILE, "partial_unexpected_list": [HOSTILE]},
                "exception_info": {"raised_exception": True, "exception_message": HOSTILE},
            }
        ],
    }
    values = {
        "frame": pd.DataFrame(
            {HOSTILE: [HOSTILE] * 3}, index=pd.Index([HOSTILE] * 3, name=HOSTILE)
        ),
        "verdict": verdict,
        "tree": {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}] * 20},
        "text": HOSTILE * 40,
        HOSTILE: 1,
    }
    for key, value in values.items():
        viewer.push(value, key=key)
    viewer.table(
        {"__id__": "xcom_store/1", "type": HOSTILE, "summary": HOSTILE, "inline": "1"}, key="i"
    )
    viewer.table({"__id__": HOSTILE, "uri": HOSTILE}, key="r")
    pages = [viewer.get("task"), viewer.get("run"), viewer.get("run", run_id=HOSTILE)]
    pages += [viewer.get("value", key=key) for key in (*values, "i", "r")]
    pages += [viewer.get("value", key=key, view="raw") for key in ("verdict", "tree", "text")]
    pages.append(viewer.get("value", key=HOSTILE + "not there"))
    for page in pages:
        assert "<script>alert" not in page.text
        assert '" onload' not in page.text
    for key in values:
        assert "alert('x')" in text(viewer.get("value", key=key))


def test_an_error_of_ours(airflow_app, viewer, monkeypatch):
    """Is a page, not a bare line; the traceback goes to the API server's log."""
    from fastapi.testclient import TestClient

    from include.xcom_viewer import overview

    viewer.push(5)
    cookie = viewer.client("admin").headers["cookie"]
    monkeypatch.setattr(overview, "card", lambda *_: 1 / 0)
    client = TestClient(airflow_app, headers={"Cookie": cookie}, raise_server_exceptions=False)
    answer = client.get(
        "/xcom-viewer/task", params={"dag_id": DAG, "run_id": RUN, "task_id": "load"}
    )
    assert answer.status_code == 500
    assert state(answer) == "status-500"
    assert "division" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# ---------------------------------------------------------------------------- one value, one card

VALIDATION = {"success": False, "expectation_type": "x", "kwargs": {}, "result": {}}
ODD = {
    "run results": '{"success": true, "run_results": 5}',
    "a percentage": json.dumps(
        {"success": False, "expectations": [VALIDATION | {"result": {"unexpected_percent": 10**400}}]}
    ),
    "a mostly": json.dumps(
        {"success": False, "expectations": [VALIDATION | {"kwargs": {"mostly": -(10**400)}}]}
    ),
    "a tag in a validation": json.dumps(
        {"success": False, "expectations": [VALIDATION | {"kwargs": {"$xcom": 5}}]}
    ),
    "statistics": '{"success": true, "statistics": {"evaluated_expectations": 1e999}}',
    "bytes of a reference": json.dumps(
        {"__id__": "xcom_store/1", "uri": "x", "codec": "x", "type": "x", "summary": "", "leaves": 0,
         "bytes": 10**400, "sha256": "0" * 64, "written_by": {}}
    ),
    "a tag": '{"$xcom": 5}',
    "a deep list": "[" * 5_000 + "]" * 5_000,
    "no JSON": "[1,",
    "a mark": '{"__id__": "xcom_store/1", "inline": 5}',
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_whatever_an_entry_holds_the_page_and_the_others_stay(viewer, name):
    viewer.table("fine", key="a")
    viewer.table(0, key="odd", text=ODD[name])
    viewer.table("fine", key="z")
    for page in (viewer.get("task"), viewer.get("run")):
        assert page.status_code == 200, page.text
        assert page.text.count(">odd<") >= 1
    assert viewer.get("value", key="odd").status_code == 200
    assert viewer.get("value", key="odd", view="raw").status_code == 200
    assert text(viewer.get("value", key="z")).endswith("fine")
    assert viewer.get("download", key="odd").status_code in (400, 404, 502)


def test_a_long_number_is_no_damage(viewer):
    digits = "7" * 5_000
    viewer.table(0, text=f'{{"n": {digits}}}')
    assert state(viewer.get("task")) == state(viewer.get("run")) is None
    shown = viewer.get("value")
    assert state(shown) is None
    assert digits[:2_000] in text(shown)
    assert digits in text(viewer.get("value", view="raw"))


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id", "key"])
def test_nul_is_refused(viewer, name):
    assert viewer.get("value", **{name: "a\0b"}).status_code == 400


def test_what_would_deceive_is_escaped(viewer):
    """U+202E turned "1.5" into "5.1"; NUL, BEL and the like are nothing that a page can show."""
    turned = "\u202e1.5\u202c \x07 \u2066"
    values = {
        "list": [turned], "text": turned, turned: 1,
        "verdict": {"success": False, "expectations": [
            VALIDATION | {"kwargs": {"column": turned}, "result": {"observed_value": turned}}]},
    }  # fmt: skip
    for key, value in values.items():
        viewer.table(value, key=key)
    for page in (viewer.get("run"), viewer.get("task"), *(viewer.get("value", key=key) for key in values)):  # fmt: skip
        assert not set(turned) - set("1.5 ") & set(page.text)
        assert r"\u202e1.5\u202c \x07 \u2066" in page.text
    assert f"<bdi>{chr(0x5D0)}" in viewer_page(viewer, f"{chr(0x5D0)}1.5")


def viewer_page(viewer, value):
    viewer.table([value], key="rtl")
    return viewer.get("value", key="rtl").text.replace(' class="scalar scalar-str"', "")
