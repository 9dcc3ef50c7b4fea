"""Who sees what: Airflow's permissions, and references that lead elsewhere."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

pytest.importorskip("obstore")
pytest.importorskip("include.xcom_viewer", reason="the viewer was deleted")
import obstore

from tests.xcom_viewer.conftest import AUTH, DAG, OTHER_DAG, PREFIX, RUN
from tests.xcom_viewer.test_pages import state

SECRET = "the-salary-of-everybody"
PAGES = ["task", "run", "value", "chart", "previous", "download"]


WHO_SEES_WHAT = pytest.mark.parametrize(
    ("user", "dag_id", "status"),
    [
        (None, DAG, 401),
        ("viewer", DAG, 200),
        ("admin", DAG, 200),
        ("trips_only", DAG, 200),
        ("trips_only", OTHER_DAG, 403),
        ("admin", OTHER_DAG, 200),
        (None, OTHER_DAG, 401),
        pytest.param(
            "no_xcoms", DAG, 403,
            marks=pytest.mark.skipif(
                not AUTH.MANAGER.endswith("FabAuthManager"), reason="a role of FAB's"
            ),
        ),
    ],
)  # fmt: skip


@WHO_SEES_WHAT
def test_who_may_see_a_picture(viewer, user, dag_id, status):
    for dag in (DAG, OTHER_DAG):
        viewer.push(b"GIF89a" + SECRET.encode() + bytes(2_000), dag_id=dag)
    answer = viewer.get("download", user, dag_id=dag_id, **{"as": "image"})
    assert answer.status_code == status
    assert (SECRET in answer.text) is (status == 200)


@WHO_SEES_WHAT
@pytest.mark.parametrize("of_task", ["", "load"])
def test_who_may_filter_a_run(viewer, user, dag_id, status, of_task):
    for dag in (DAG, OTHER_DAG):
        viewer.push(SECRET, dag_id=dag)
    answer = viewer.get("run", user, dag_id=dag_id, of_task=of_task)
    assert answer.status_code == status
    assert (SECRET in answer.text) is (status == 200)


def test_no_page_is_left_out(viewer):
    """A new one has to be in these tests, too."""
    from include.xcom_viewer.app import application

    assert sorted(route.path[1:] for route in application().routes) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES)
@WHO_SEES_WHAT
def test_who_may_see_what(viewer, page, user, dag_id, status):
    for dag in (DAG, OTHER_DAG):
        viewer.push([SECRET + "." * 2_000], dag_id=dag)
    answer = viewer.get(page, user, dag_id=dag_id)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html" if status != 200 else ("text/html", "application/octet-stream"))  # fmt: skip
    if status != 200:
        assert SECRET not in answer.text
        assert state(answer) == f"status-{status}"


def test_a_forged_or_expired_token(viewer):
    viewer.push(1)
    for cookie in ("_token=x.y.z", "_token="):
        answer = viewer.client(None).get(
            f"{PREFIX}/run?dag_id={DAG}&run_id=r", headers={"Cookie": cookie}
        )
        assert answer.status_code in (401, 403)


@pytest.mark.parametrize(
    "query",
    [
        f"dag_id={DAG}&dag_id={OTHER_DAG}&run_id={{run}}&task_id=load&key=return_value",
        f"dag_id={OTHER_DAG}&dag_id={DAG}&run_id={{run}}&task_id=load&key=return_value",
        "dag_id=~&run_id={run}&task_id=load&key=return_value",
        "dag_id=&run_id={run}&task_id=load&key=return_value",
        "run_id={run}&task_id=load&key=return_value",
        f"dag_id={DAG}%00&run_id={{run}}&task_id=load&key=return_value",
        f"dag_id={DAG}%25&run_id={{run}}&task_id=load&key=return_value",
        f"dag_id={DAG}&run_id={{run}}&task_id=load&map_index=x&key=return_value",
        f"dag_id={DAG}&run_id={{run}}&task_id=load&map_index=%D9%A1&key=return_value",
        f"dag_id={DAG}&run_id={{run}}&task_id=load&map_index=99999999999999999999&key=return_value",
        f"dag_id={DAG}&run_id={{run}}&task_id=load&leaf=x&key=return_value",
        f"dag_id={DAG}&run_id={{run}}&task_id=load&leaf=-1&key=return_value",
    ],
)
def test_addresses_that_are_none(viewer, query):
    """Two DAGs in one address: one to be checked, the other to be read."""
    viewer.push([SECRET] * 30, dag_id=OTHER_DAG)
    viewer.push(["harmless"] * 50)
    run = RUN.replace("+", "%2B")
    for page in PAGES:
        answer = viewer.client("trips_only").get(f"{PREFIX}/{page}?{query.format(run=run)}")
        assert SECRET not in answer.text
        assert answer.status_code < 500
        if page not in ("task", "run"):
            assert answer.status_code != 200 or state(answer)


@pytest.mark.parametrize("path", ["/", "/nothing", "/docs", "/openapi.json", "/static/x"])
def test_nothing_else_is_there(viewer, path):
    answer = viewer.client("admin").get(f"{PREFIX}{path}")
    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_changed(viewer, method):
    answer = viewer.client("admin").request(method, f"{PREFIX}/run?dag_id={DAG}&run_id=r")
    assert answer.status_code == 405


def test_headers(viewer):
    viewer.push(["x" * 2_000])
    nonces = set()
    for page in PAGES:
        for user in ("admin", None):
            answer = viewer.get(page, user)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'self'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            found = set(re.findall(r"'nonce-([\w-]+)'", policy))
            if answer.headers["content-type"].startswith("text/html"):
                assert set(re.findall(r'nonce="([\w-]+)"', answer.text)) == found
                assert not found & nonces
                nonces |= found
            else:
                assert answer.headers["content-disposition"].startswith("attachment")
    # No style attribute and no handler, which the policy would refuse.
    assert not re.search(r"<[^>]+\s(style|on\w+)=", viewer.get("task").text)


# ---------------------------------------------------------------------------- forged references


def forge(viewer, edit):
    """A row of DAG whose reference was edited to lead to OTHER_DAG's object."""
    victim = viewer.push([SECRET + "." * 2_000], dag_id=OTHER_DAG)
    own = viewer.push(["harmless" + "." * 2_000])
    edited = dict(own)
    edit(edited, victim)
    viewer.table(edited)
    return edited


def _uri(change):
    return lambda own, victim: own.update(victim, uri=change(victim["uri"], own["uri"]))


def _beyond(victim, own, dots):
    root = own.rpartition("/")[0]
    return f"{root}/{dots}/" + victim.partition("/dag_id=")[2]


FORGED = {
    "another DAG's object": _uri(lambda victim, _own: victim),
    "another DAG's, without its own": lambda own, victim: own.update(uri=victim["uri"]),
    "another bucket": _uri(lambda victim, _own: victim.replace("s3://airflow-xcoms", "s3://other")),
    "another connection": _uri(lambda victim, _own: victim.replace("s3://", "s3://other@")),
    "no bucket": _uri(lambda victim, _own: victim.removeprefix("s3://")),
    "another scheme": _uri(lambda victim, _own: victim.replace("s3://", "file://")),
    "dots": _uri(lambda victim, own: _beyond(victim, own, "../../../../" + "dag_id=")),
    "encoded dots": _uri(lambda victim, own: _beyond(victim, own, "%2e%2e/%2e%2e/%2e%2e/%2e%2e")),
    "twice encoded": _uri(lambda victim, own: _beyond(victim, own, "%252e%252e")),
    "an encoded slash": _uri(
        lambda victim, _own: victim.replace("dag_id=payroll/", "dag_id=payroll%2F")
    ),
    "another case": _uri(lambda victim, _own: victim.replace("payroll", "PAYROLL")),
    "the prefix twice": _uri(
        lambda victim, own: own.replace("/dag_id=", "/" + victim.split("/", 3)[3] + "/dag_id=")
    ),
    "a newline": _uri(lambda victim, own: own + "\n" + victim),
    "a query": _uri(lambda _victim, own: own + "?versionId=1"),
    "another task of its own": _uri(
        lambda _victim, own: own.replace("task_id=load", "task_id=other")
    ),
    "another run": _uri(lambda _victim, own: own.replace("manual__", "scheduled__")),
    "another key": _uri(lambda _victim, own: own.replace("return_value-", "other-")),
    "not a string": lambda own, victim: own.update(uri=[victim["uri"]]),
    "one field more": lambda own, victim: own.update(victim, bucket="other"),
    "inline, too": lambda own, victim: own.update(victim, inline="1"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_reference(viewer, name):
    forge(viewer, FORGED[name])
    for page, more in (
        ("task", {}), ("run", {}), ("value", {}), ("value", {"view": "raw"}), ("value", {"leaf": 0}),
        ("chart", {}), ("previous", {}),
        ("download", {}), ("download", {"as": "csv"}), ("download", {"leaf": 0}),
    ):  # fmt: skip
        answer = viewer.get(page, "trips_only", **more)
        assert SECRET.encode() not in answer.content
        assert answer.status_code < 600
        if page == "download":
            assert answer.status_code in (403, 404, 502)
        elif page != "run":
            assert state(answer) in ("denied", "corrupt", "missing", "no-previous")


def _push_with_leaf(viewer, dag_id):
    import pandas as pd

    return viewer.push({"f": pd.DataFrame({SECRET if dag_id == OTHER_DAG else "own": [1]})}, dag_id=dag_id)  # fmt: skip


OWN = {"codec": "pandas-parquet", "type": "pandas.DataFrame", "bytes": 100, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "leaf",
    [
        {"uri": "{victim}/0.parquet"},
        {"uri": "s3://{bucket}/{victim}/0.parquet"},
        {"uri": "../../../../../{victim}/0.parquet"},
        {"uri": "0.parquet/../../../../../../{victim}/0.parquet"},
        {"uri": "/../{victim}/0.parquet"},
        {"uri": "0.%2f..%2f{victim}/0.parquet"},
        {"uri": "0.parquet?x=/{victim}/0.parquet"},
        {"uri": "0.parquet\n"},
        {"uri": "0."},
        {"uri": ""},
        {"uri": 5},
        {"uri": None},
        {"bytes": -5},
        {"bytes": "x"},
        {"codec": 5},
        {"sha256": "0"},
        {"key": "{victim}/0.parquet"},
        "0.parquet",
        None,
    ],
    ids=str,
)
def test_a_forged_leaf(viewer, leaf):
    """Who may write objects of this task instance may not reach another's by a leaf's URI."""
    victim = viewer.key(_push_with_leaf(viewer, OTHER_DAG)).removesuffix(".json")
    own = _push_with_leaf(viewer, DAG)
    if isinstance(leaf, dict):
        leaf = {"uri": "0.parquet", **OWN} | {
            name: value.format(victim=victim, bucket=viewer.s3.bucket)
            if isinstance(value, str)
            else value
            for name, value in leaf.items()
        }
    forge_document(viewer, own, {"$xcom": ["leaves", [leaf], {"f": {"$xcom": ["leaf", 0]}}]})
    for page in ("value", "download"):
        answer = viewer.get(page, leaf=0)
        assert SECRET.encode() not in answer.content
        assert state(answer) in ("corrupt", "missing"), answer.text[-500:]


def test_a_leaf_of_a_codec_that_the_viewer_does_not_know(viewer):
    """Of a newer backend, say: there is no preview, and the file can be downloaded."""
    own = _push_with_leaf(viewer, DAG)
    leaf = {"uri": "0.parquet", **OWN, "codec": "xarray-zarr"}
    forge_document(viewer, own, {"$xcom": ["leaves", [leaf], {"$xcom": ["leaf", 0]}]})
    assert state(viewer.get("value", leaf=0)) == "no-preview"


def forge_document(viewer, record, document):
    """Replace the object of a value, and make its row fit."""
    data = json.dumps(document).encode()
    obstore.put(viewer.s3.client, viewer.key(record), data)
    viewer.table(record | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})


@pytest.mark.parametrize("leaves", [5, "x", None, {"0": {}}, [[]]], ids=str)
@pytest.mark.parametrize("number", [0, 7, "x", None, [0], {}], ids=str)
def test_leaves_that_are_none(viewer, leaves, number):
    document = {"$xcom": ["leaves", leaves, [{"$xcom": ["leaf", number]}]]}
    forge_document(viewer, _push_with_leaf(viewer, DAG), document)
    assert state(viewer.get("value")) == "corrupt"
    for page in ("value", "download"):
        assert state(viewer.get(page, leaf=0)) in ("corrupt", "missing")


@pytest.mark.parametrize("leaf", [1, 7, "0/../0", "00", "0.parquet/..", "9" * 30])
def test_a_leaf_that_is_none(viewer, leaf):
    _push_with_leaf(viewer, OTHER_DAG)
    _push_with_leaf(viewer, DAG)
    for page in ("value", "download"):
        answer = viewer.get(page, leaf=leaf)
        assert SECRET.encode() not in answer.content
        assert answer.status_code < 500 or state(answer)
