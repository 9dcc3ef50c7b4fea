"""A stand-in for HDFS that starts at once: WebHDFS before a folder on disk.

The real one, Hadoop's mini cluster, runs weekly, through the same tests: see
`tests/xcom_store/test_webhdfs.py`. Here one server is name node and data node, and the standby of a
pair to whoever calls it localhost; it lists directories in pages of two.
"""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.http_service import Handler, serve

USER, NAME_NODE = "airflow", "127.0.0.1:8020"


class WebHdfs(Handler):
    """Answers what the backend and its tests ask, each operation by the method of its name."""

    def do_GET(self):
        url = urlsplit(self.path)
        self.said = {"offset": 0, "length": 1 << 40, "startAfter": "", **dict(parse_qsl(url.query))}
        self.file = self.at(unquote(url.path.removeprefix("/webhdfs/v1")))
        try:
            if self.headers["Host"].startswith("localhost"):
                return self.refuse("StandbyException")
            return getattr(self, self.said["op"].lower() + self.said.get("node", ""))()
        except FileNotFoundError as error:
            return self.refuse("FileNotFoundException", f"File does not exist: {error}", 404)

    do_PUT = do_DELETE = do_GET  # noqa: N815 - the operation says which it is

    def at(self, path):
        return Path(self.server.folder, path.lstrip("/"))

    def say(self, status=200, headers=None, **found):
        self.answer(status, json.dumps(found).encode(), **(headers or {}))

    def refuse(self, name, message="no", status=403):
        self.say(status, RemoteException={"exception": name, "message": message})

    def create(self):
        where = {"Location": f"{self.server.url}{self.path}&node=_data"}
        self.say(**where) if self.said.get("noredirect") == "true" else self.say(307, where)

    def create_data(self):
        if self.said["user.name"] != USER:
            return self.refuse("AccessControlException")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("wb") as file:  # visible from its first byte on
            file.write(self.body())
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline() or b"0", 16):
                    file.write(self.rfile.read(size + 2)[:size])
        return self.answer(201)

    def open(self):
        start, size = int(self.said["offset"]), self.file.stat().st_size
        if start >= size > 0:
            return self.refuse("IOException", f"Offset={start} out of the range [0, {size})")
        return self.create()

    def open_data(self):
        start = int(self.said["offset"])
        self.answer(200, self.file.read_bytes()[start : start + int(self.said["length"])])

    def status(self, file):
        found, kind = file.stat(), "FILE" if file.is_file() else "DIRECTORY"
        return {"pathSuffix": file.name, "type": kind, "length": found.st_size,
                "modificationTime": int(found.st_mtime * 1000)}  # fmt: skip

    def getfilestatus(self):
        self.say(FileStatus=self.status(self.file))

    def liststatus(self):
        self.say(FileStatuses={"FileStatus": [*map(self.status, self.file.iterdir())]})

    def liststatus_batch(self):
        found = sorted(f for f in self.file.iterdir() if f.name > self.said["startAfter"])
        page = {"FileStatuses": {"FileStatus": [*map(self.status, found[:2])]}}
        self.say(DirectoryListing={"partialListing": page, "remainingEntries": len(found[2:])})

    def delete(self):
        if self.file.is_dir() and any(self.file.iterdir()):
            return self.refuse("PathIsNotEmptyDirectoryException")
        if is_there := self.file.exists():
            (self.file.rmdir if self.file.is_dir() else self.file.unlink)()
        return self.say(boolean=is_there)

    def rename(self):
        target = self.at(self.said["destination"])
        if can := self.file.exists() and not target.exists():
            self.file.rename(target)
        self.say(boolean=can)


@contextlib.contextmanager
def start(folder):
    """A server with what `tests.services.Other` wants of one."""
    with serve(WebHdfs) as server:
        server.folder, port = folder, server.server_port
        host = {"conn_type": "webhdfs", "host": "127.0.0.1", "login": USER}
        yield SimpleNamespace(
            name="hdfs", scheme="hdfs", conn_id="webhdfs_default", bucket=NAME_NODE, port=port,
            url=lambda prefix: f"hdfs://{NAME_NODE}/{prefix}",
            connection=lambda other=None: {**host, "port": other or port},
        )  # fmt: skip
