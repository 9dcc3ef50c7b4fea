"""Tests of all services, on HDFS: a stand-in in every run, the real one weekly.

`test_services.py` has all of them on the real one.
"""

from __future__ import annotations

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
from include.xcom_store.errors import StoreUnreachable
from tests import services, webhdfs
from tests.xcom_store.fault_proxy import Fault
from tests.xcom_store.test_delete import (
    test_an_object_that_is_gone_is_no_error,  # noqa: F401
    test_its_objects_go_with_the_row_and_no_others,  # noqa: F401
)
from tests.xcom_store.test_faults import SECONDS, proxy  # noqa: F401
from tests.xcom_store.test_services import TestWhatIsWrong  # noqa: F401
from tests.xcom_store.test_store import TestTheSurface  # noqa: F401

SMALL, STREAM = ["x" * 1_100], b"x" * (9 * 1024**2)


@pytest.fixture(scope="module", params=["stand-in", pytest.param("hdfs", marks=pytest.mark.weekly)])
def service(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "hdfs":
        found = services.start("hdfs", folder)
        with found.server:
            yield found
    else:
        with webhdfs.start(folder) as server:
            yield services.Other(server)


def test_a_directory_of_several_pages(s3, store):
    """As the stand-in gives them; the real one's have 1,000 entries."""
    for key in ("a-b/1", "a-b/2", "a.c", "a/1", "a/2", "a/3", "a/4", "a/b/5", "a0"):
        store().create(key, b"")
    keys = [found.key for found in store().list()]
    assert keys == sorted(keys) == s3.keys()
    assert len(keys) == 9
    assert [found.key for found in store().list(after="a/2")] == keys[keys.index("a/2") + 1 :]


@pytest.mark.parametrize("value", [SMALL, STREAM], ids=["small", "stream"])
@pytest.mark.parametrize("number", range(3), ids=["create", "data", "rename"])
def test_a_lost_answer(xcom, proxy, configure, value, number):  # noqa: F811
    """HDFS has done what it was asked, and who asked does not know."""
    configure(**SECONDS)
    xcom.s3.through(services.port_of(proxy.url))
    proxy.inject(Fault("reset answer", after=number, times=1, at=0))
    if value is STREAM and number == 1:  # its bytes are gone
        with pytest.raises(StoreUnreachable):
            xcom.push(value)
        assert (xcom.s3.keys(), xcom.rows) == ([], {})
        return
    xcom.push(value)
    assert proxy.hits == 1
    assert len(xcom.s3.keys()) == 1
    proxy.inject(Fault("reset answer", after=number, times=1, at=0))
    assert xcom.pull() == value
    assert proxy.hits == 1
