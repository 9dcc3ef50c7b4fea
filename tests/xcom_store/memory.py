"""A store in memory, for tests of what becomes of a value where the service is not the question."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import contextmanager
from functools import partial

from include.xcom_store import values
from include.xcom_store.keys import Owner
from include.xcom_store.settings import Settings
from include.xcom_store.stores import files
from include.xcom_store.stores.parallel import Ahead, Job

OWNER = Owner("trips", "manual__1", "load", -1, "return_value")
ROOT = "s3://bucket/xcom/"


class Target(io.BytesIO):
    def close(self):
        """Stay open: pyarrow closes what it has written to."""


class MemoryStore:
    """Takes the place of `include.xcom_store.stores.base.Store`."""

    def __init__(self, **options):
        self.settings = Settings(url="s3://bucket/xcom", **options)
        self.objects: dict[str, bytes] = {}

    def uri(self, key):
        return f"{ROOT}{key}"

    def key(self, uri, owner=None):
        assert uri.startswith(ROOT)
        assert owner is None or owner.owns(uri.removeprefix(ROOT))
        return uri.removeprefix(ROOT)

    def find(self, uri, owner=None):
        return self, self.key(uri, owner)

    def put(self, key, write):
        target = io.BytesIO()
        sink = files.HashingSink(lambda: target, lambda: None)
        write(sink)
        self.objects[key] = target.getvalue() if sink.kept is None else bytes(sink.kept)
        return sink.bytes, sink.sha256

    @contextmanager
    def put_all(self, parts):
        yield [self.put(key, write) for key, write in parts.items()]

    def get(self, key, size, sha256):
        data = self.objects[key]
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, sha256)
        if not data:
            return data
        memory = files.memory(len(data))
        memory[:] = data
        return memory

    def get_all(self, wanted):
        return Ahead(Job(partial(self.get, *one)) for one in wanted)


def there_and_back(value, threshold=0):
    """Return what a value comes back as."""
    from airflow.sdk.serde import deserialize

    store = MemoryStore(threshold=threshold)
    stored = json.loads(json.dumps(values.push(value, OWNER, store), allow_nan=False))
    if not (isinstance(stored, dict) and "__id__" in stored):
        return deserialize(stored)
    return values.pull(stored, OWNER, store)
