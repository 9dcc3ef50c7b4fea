"""The backend on Google Cloud Storage, Azure Blob Storage and HDFS: the same tests as on S3.

Of each service there is a running server, or its tests are skipped and say what is missing. The
servers are emulators but for HDFS: SeaweedFS without keys, Azurite, Hadoop's mini cluster.
"""

from __future__ import annotations

import pytest

pytest.importorskip("pandas")
pytest.importorskip("obstore")
from tests import services
from tests.xcom_store.cases import VALUES
from tests.xcom_store.identical import assert_identical
from tests.xcom_store.test_delete import *  # noqa: F403
from tests.xcom_store.test_faults import proxy, test_right_values_or_typed_errors  # noqa: F401
from tests.xcom_store.test_forgery import TestWrittenIntoTheRow  # noqa: F401
from tests.xcom_store.test_store import TestTheSurface as OnS3

service = services.each_other  # in place of S3, for all that is imported here


class TestTheSurface(OnS3):
    def test_create_never_overwrites(self, filled, s3):
        if s3.scheme == "gs":
            pytest.skip("SeaweedFS ignores the condition of GCS; claiming finds that out")
        super().test_create_never_overwrites(filled)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_exactly(xcom, configure, name):
    configure(threshold=0)
    xcom.push(VALUES[name]())
    assert_identical(VALUES[name](), xcom.pull())
