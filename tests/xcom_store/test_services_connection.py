"""What an Airflow connection says of GCS, Azure and HDFS: followed, or refused with its name.

Where a service is asked it is a running server; of the clouds' token services it is a stand-in, for
there is none to be had. The google and the azure provider are not installed: that is tested, too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs, quote

import pytest

pytest.importorskip("obstore")
from include.xcom_store.errors import (
    AccessDenied,
    ConfigurationError,
    StoreUnreachable,
)
from include.xcom_store.settings import Settings
from include.xcom_store.stores import azure, failures, gcs, hdfs
from include.xcom_store.stores.base import Store
from include.xcom_store.stores.location import parse_url
from tests import services
from tests.http_service import Handler, serve
from tests.webhdfs import USER, start

QUICK = {"connect_timeout": 1, "request_timeout": 2, "retry_timeout": 1}
SECRET = "hidden-in-the-connection"


def resolve(module, url, **options):
    return module.resolve(parse_url(url), Settings(url=url, **options))


def written(store, key="x"):
    size, sha256 = store.put(key, lambda sink: sink.write(b"abc"))
    assert bytes(store.get(key, size, sha256)) == b"abc"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """No credentials of the machine that the tests run on."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def google(connect):
    return lambda **extra: connect("google_cloud_default", "google_cloud_platform", extra)


@pytest.fixture
def wasb(connect):
    return lambda extra=None, **fields: connect("wasb_default", "wasb", extra, **fields)


@pytest.fixture
def webhdfs(connect):
    return lambda extra=None, **fields: connect("webhdfs_default", "webhdfs", extra, **fields)


@pytest.mark.parametrize(("module", "url"), [
    (gcs, "gs://bucket"), (azure, "az://container"), (hdfs, "hdfs://host"),
])  # fmt: skip
class TestOfEach:
    def test_another_type_of_connection(self, connect, module, url):
        connect(parse_url(url).conn_id, "postgres", {})
        with pytest.raises(ConfigurationError, match=r"'postgres', not .*conn_id@"):
            resolve(module, url)

    def test_an_extra_that_nobody_follows(self, connect, module, url):
        kind = {"gs": "google_cloud_platform", "az": "wasb", "hdfs": "webhdfs"}[url.split(":")[0]]
        connect(parse_url(url).conn_id, kind, {"proxies": {"https": "x"}}, host="h.x", login="l")
        with pytest.raises(ConfigurationError, match=r"proxies.*conn_id@"):
            resolve(module, url)

    def test_encryption_is_asked_of_s3_only(self, connect, module, url):
        with pytest.raises(ConfigurationError, match=r"AIRFLOW__XCOM_STORE__ENCRYPTION"):
            resolve(module, url, encryption="AES256")


@cache  # with each secret that Airflow hides, hiding the next takes longer
def private_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def service_account(**changed):
    key = {"type": "service_account", "client_email": "a@b", "private_key_id": "1"}
    return {**key, "private_key": private_key(), **changed}


class TestGoogle:
    def test_a_key_in_the_connection_or_in_a_file(self, google, home):
        key = service_account()
        (home / "key.json").write_text(json.dumps(key))
        for extra in (
            {"keyfile_dict": key},
            {"keyfile_dict": json.dumps(key)},
            {"extra__google_cloud_platform__keyfile_dict": json.dumps(key)},
            {"key_path": str(home / "key.json"), "project": "p", "num_retries": 5},
        ):
            google(**extra)
            access = resolve(gcs, "gs://bucket")
            assert json.loads(access.config["service_account_key"]) == key
            assert access.source == "the key of connection 'google_cloud_default'"
            assert key["private_key"] not in repr(access)

    def test_default_credentials(self, home, monkeypatch):
        source = resolve(gcs, "gs://bucket").source
        assert source.startswith("the machine's service account")
        path = home / ".config/gcloud/application_default_credentials.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"type": "authorized_user"}))
        access = resolve(gcs, "gs://bucket")
        assert access.config == {"application_credentials": str(path)}
        (home / "named.json").write_text(json.dumps(service_account()))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(home / "named.json"))
        assert "service_account_key" in resolve(gcs, "gs://bucket").config

    def test_an_external_account_goes_to_google_auth(self, home, monkeypatch):
        pytest.importorskip("google.auth")
        pytest.importorskip("requests")
        account = {
            "type": "external_account", "audience": "//iam.googleapis.com/x", "token_url": "https://x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "credential_source": {"file": str(home / "token")},
        }  # fmt: skip
        (home / "account.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(home / "account.json"))
        access = resolve(gcs, "gs://bucket")
        assert type(access.credentials.credentials).__module__.startswith("google.auth")

    def test_an_external_account_without_google_auth_names_it(self, home, monkeypatch):
        (home / "account.json").write_text(json.dumps({"type": "external_account"}))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(home / "account.json"))
        monkeypatch.setitem(sys.modules, "google.auth", None)  # how Python says that there is none
        with pytest.raises(ConfigurationError, match=r"'external_account', needs google-auth"):
            resolve(gcs, "gs://bucket")

    @pytest.mark.parametrize("extra", [
        {"impersonation_chain": "a@b"}, {"key_secret_name": "s"}, {"credential_config_file": "/f"},
        {"idp_issuer_url": "https://x"}, {"scope": "https://www.googleapis.com/auth/devstorage.read_only"},
    ], ids=str)  # fmt: skip
    def test_what_takes_the_provider_names_it(self, google, extra):
        google(keyfile_dict=json.dumps(service_account()), **extra)
        with pytest.raises(ConfigurationError, match=r"apache-airflow-providers-google.*pinned"):
            resolve(gcs, "gs://bucket")

    @pytest.mark.parametrize(("extra", "said"), [
        ({"keyfile_dict": f"no json {SECRET}"}, "is not a key in JSON"),
        ({"key_path": "/no/such/file"}, "cannot be read"),
        ({"key_path": "/k", "keyfile_dict": "{}"}, "has both"),
        ({"keyfile_dict": json.dumps({"type": "external_account"})}, "'external_account'"),
    ])  # fmt: skip
    def test_a_key_that_cannot_be_used(self, google, extra, said):
        google(**extra)
        with pytest.raises(ConfigurationError, match=said) as error:
            resolve(gcs, "gs://bucket")
        assert SECRET not in str(error.value)

    def test_a_key_that_obstore_does_not_take(self, google):
        google(keyfile_dict=json.dumps(service_account(private_key=SECRET)))
        with pytest.raises(ConfigurationError, match=r"does not take") as error:
            written(Store(Settings(url="gs://bucket", retry_timeout=1)))
        assert SECRET not in str(error.value)

    def test_a_revoked_key(self):
        """By the answer of Google's token service, the only one that obstore asks."""
        said = OSError('Error performing token request: {"error":"invalid_grant"}')
        found = failures.explain(said, "reading", gcs.failure)
        assert type(found) is AccessDenied
        assert "Make a new one" in str(found)

    def test_a_quota_project_is_sent_and_nobody_signs(self, google):
        google(is_anonymous=True, quota_project_id="my-project")
        access = resolve(gcs, "gs://bucket")
        assert access.client_options["default_headers"] == {"x-goog-user-project": "my-project"}
        assert access.config == {"skip_signature": True}

    def test_no_credentials_anywhere_end_in_time(self):
        started = time.monotonic()
        store = Store(Settings(url="gs://bucket", **QUICK))
        with pytest.raises((AccessDenied, StoreUnreachable)):
            store.head("x")
        assert time.monotonic() - started < 30


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    found = services.start("azure", tmp_path_factory.mktemp("azure"))
    with found.server:
        yield found


def sas(server, *, days, rights="rwdlac"):
    """A shared access signature of the account (version 2018-11-09)."""
    expiry = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = f"{server.account}\n{rights}\nb\nsco\n\n{expiry}\n\n\n2018-11-09\n"
    digest = hmac.new(base64.b64decode(server.key), said.encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(digest).decode(), safe="")
    return f"sv=2018-11-09&ss=b&srt=sco&sp={rights}&se={quote(expiry, safe='')}&sig={signature}"


class TestAzure:
    @pytest.fixture
    def store(self):
        return Store(Settings(url="az://airflow-xcoms/connections", retry_timeout=1))

    def static(self, host, login, key, shared):
        """What to say in a connection, and the secret that is to be used."""
        string = f"DefaultEndpointsProtocol=http;AccountName={login};AccountKey={key};BlobEndpoint={host};"
        by_sas = f"BlobEndpoint={host};SharedAccessSignature={shared}"
        for secret, extra, fields in (
            (key, {}, {"password": key}),
            (key, {"shared_access_key": key}, {}),
            (key, {"account_key": key}, {}),
            (key, {"extra__wasb__shared_access_key": key}, {}),
            (shared, {"sas_token": shared}, {}),
            (shared, {"sas_token": f"?{shared}"}, {}),
            (key, {"connection_string": string}, {"host": ""}),
            (shared, {"connection_string": by_sas}, {}),
        ):
            yield secret, {"extra": extra, "host": host, "login": login, **fields}

    def test_every_static_secret(self, wasb):
        host, key, shared = "http://127.0.0.1:9/acc", "c2VjcmV0", "sv=1&sig=x"
        for secret, fields in self.static(host, "acc", key, shared):
            wasb(**fields)
            access = resolve(azure, "az://container")
            name = "sas_key" if secret == shared else "account_key"
            assert (access.endpoint, access.config["account_name"]) == (host, "acc")
            assert access.config.keys() - {"account_name", "credential_type"} == {name}
            assert access.config[name] == secret

    @pytest.mark.parametrize(("string", "endpoint"), [
        ("AccountName=acc;AccountKey=a2V5", "https://acc.blob.core.windows.net"),
        ("AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.usgovcloudapi.net",
         "https://acc.blob.core.usgovcloudapi.net"),
        ("AccountName=acc", None),
    ])  # fmt: skip
    def test_a_connection_string_without_an_endpoint(self, wasb, string, endpoint):
        wasb({"connection_string": string})
        if endpoint:
            assert resolve(azure, "az://container").endpoint == endpoint
        else:
            with pytest.raises(ConfigurationError, match="neither AccountKey nor"):
                resolve(azure, "az://container")

    @pytest.mark.weekly
    def test_every_static_secret_by_a_real_request(self, azurite, wasb, monkeypatch):
        server = azurite.server
        host = azurite.connection()["host"]
        # A key of the machine's own is not preferred to what the connection says.
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"another").decode())
        for secret, fields in self.static(host, server.account, server.key, sas(server, days=1)):
            wasb(**fields)
            store = Store(Settings(url="az://airflow-xcoms/connections", retry_timeout=1))
            written(store)
            assert secret not in repr(store.access)

    @pytest.mark.parametrize(("fields", "endpoint", "account"), [
        ({"login": "acc"}, "https://acc.blob.core.windows.net", "acc"),
        ({"host": "acc.blob.core.windows.net"}, "https://acc.blob.core.windows.net", "acc"),
        ({"host": "https://acc.blob.core.usgovcloudapi.net/"}, "https://acc.blob.core.usgovcloudapi.net", "acc"),
        ({"host": "directory-id", "login": "acc"}, "https://acc.blob.core.windows.net", "acc"),
    ])  # fmt: skip
    def test_the_account(self, wasb, fields, endpoint, account):
        wasb(password="a2V5", **fields)
        access = resolve(azure, "az://container")
        assert (access.endpoint, access.config["account_name"]) == (endpoint, account)

    def test_a_sas_as_a_url(self, wasb):
        wasb({"sas_token": "https://acc.blob.core.windows.net/?sv=1&sig=x"})
        access = resolve(azure, "az://container")
        assert access.endpoint == "https://acc.blob.core.windows.net"
        assert access.config["sas_key"] == "sv=1&sig=x"

    def test_a_service_principal_asks_entra_id(self, wasb):
        asked = []

        class Tokens(Handler):
            status, body = 401, b'{"error":"invalid_client","error_description":"expired"}'

            def do_POST(self):
                asked.append(
                    (self.path, parse_qs(self.rfile.read(int(self.headers["Content-Length"]))))
                )
                self.send_response(self.status)
                self.send_header("Content-Length", str(len(self.body)))
                self.end_headers()
                self.wfile.write(self.body)

        with serve(Tokens) as server:
            wasb(
                {"tenant_id": "tenant", "client_secret_auth_config": {"authority": server.url}},
                host="http://127.0.0.1:9/acc", login="the-id", password=SECRET,
            )  # fmt: skip
            with pytest.raises(AccessDenied, match=r"Entra ID does not take") as error:
                written(Store(Settings(url="az://airflow-xcoms/x", retry_timeout=1)))
        assert SECRET not in str(error.value)
        path, form = asked[0]
        assert path == "/tenant/oauth2/v2.0/token"
        assert (form[b"client_id"], form[b"client_secret"]) == ([b"the-id"], [SECRET.encode()])

    def test_options_of_a_principal_that_nobody_follows(self, wasb):
        wasb(
            {"tenant_id": "t", "client_secret_auth_config": {"proxies": {}}},
            login="i",
            password="s",
        )
        with pytest.raises(ConfigurationError, match=r"client_secret_auth_config\.proxies"):
            resolve(azure, "az://container")

    def test_no_connection(self):
        with pytest.raises(ConfigurationError, match=r"no connection 'wasb_default'.*account"):
            resolve(azure, "az://container")

    def test_a_connection_without_an_account(self, wasb):
        wasb(password="x")
        with pytest.raises(ConfigurationError, match=r"names no storage account"):
            resolve(azure, "az://container")

    def test_what_takes_the_provider_names_it(self, wasb):
        wasb(login="acc")
        with pytest.raises(ConfigurationError, match=r"providers-microsoft-azure.*pinned"):
            resolve(azure, "az://container")

    @pytest.mark.parametrize(("detail", "said"), [
        ("Signature not valid in the specified time frame: Start [Thu, 09 Jul 2026 10:11:03 GMT] - Expiry …",
         "has expired, or is not valid yet"),
        ("Signed expiry time [Wed, 31 Aug 2026 00:00:00 GMT] has to be after signed start time …",
         "has expired, or is not valid yet"),
        ("Signature did not match.", "does not take the key or the SAS"),
    ])  # fmt: skip
    def test_why_a_sas_is_denied(self, wasb, store, detail, said):
        """In the form of the cloud's answer, of which Azurite leaves the detail out."""
        answer = (
            "<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the "
            f"request.\nTime:1</Message><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
        )

        class Azure(Handler):
            def do_GET(self):
                self.body()
                self.answer(403, answer.encode())

            do_PUT = do_GET  # noqa: N815

        with serve(Azure) as server:
            wasb({"sas_token": "sv=1&sig=x"}, host=f"{server.url}/acc")
            for call in (lambda: written(store), lambda: store.read_range("x", 0, 1)):
                with pytest.raises(AccessDenied, match=said):
                    call()

    def test_a_deletion_in_a_missing_container(self):
        """In the words of obstore, which gives Azure's answer to a batch without its code."""
        answer = "Bulk delete request failed: The specified container does not exist. (code: 404)"
        found = failures.explain(FileNotFoundError(answer), "deleting", azure.failure)
        assert type(found) is ConfigurationError

    @pytest.mark.weekly
    @pytest.mark.parametrize(("change", "said"), [
        ("key", "does not take the key or the SAS"), ("expired", "expired|does not take"),
        ("rights", "may not do this here|does not take"),
    ])  # fmt: skip
    def test_what_is_denied(self, azurite, wasb, store, change, said):
        server, host = azurite.server, azurite.connection()["host"]
        secret = {
            "key": {"shared_access_key": base64.b64encode(SECRET.encode()).decode()},
            "expired": {"sas_token": sas(server, days=-1)},
            "rights": {"sas_token": sas(server, days=1, rights="l")},
        }[change]
        wasb(secret, host=host, login=server.account)
        calls = [lambda: written(store), lambda: store.head("x")]
        if change != "rights":  # Azurite answers 500
            calls.append(lambda: store.delete("x"))
        for call in calls:
            with pytest.raises(AccessDenied) as error:
                call()
            assert next(iter(secret.values())) not in str(error.value)
            assert server.key not in str(error.value)
        with pytest.raises(AccessDenied, match=said):
            written(store)


class TestHdfs:
    @pytest.fixture
    def webhdfs_server(self, tmp_path):
        with start(tmp_path) as server:
            yield server

    def test_nodes_user_and_password(self, webhdfs, monkeypatch):
        webhdfs(host="one, two", port=50070, schema="gateway/x", login="airflow", password=SECRET)
        access = resolve(hdfs, "hdfs://ns")
        assert access.endpoint == "http://one:50070/gateway/x,http://two:50070/gateway/x"
        assert access.config["user"] == "airflow"
        assert access.config["headers"]["Authorization"].startswith("Basic ")
        assert SECRET not in repr(access)
        webhdfs({"use_ssl": "True", "verify": "/ca.pem"}, host="one")
        access = resolve(hdfs, "hdfs://ns")
        assert access.endpoint == "https://one:9870"
        assert access.config["authority"] == "/ca.pem"

    @pytest.mark.parametrize(
        "extra", [{"cert": "/c"}, {"cookies": {"a": "b"}}, {"verify": False, "use_ssl": True}]
    )
    def test_what_nobody_follows(self, webhdfs, extra):
        webhdfs(extra, host="one")
        with pytest.raises(ConfigurationError, match=r"cert|cookies|verify"):
            resolve(hdfs, "hdfs://ns")

    @pytest.mark.parametrize("hosts", ["127.0.0.1, localhost", "localhost,127.0.0.1"])
    def test_the_standby_of_a_pair_is_passed_over(self, webhdfs_server, webhdfs, hosts):
        webhdfs(host=hosts, port=webhdfs_server.port, login=USER)
        store = Store(Settings(url="hdfs://ns"))
        written(store)
        assert store.exists("x")

    def test_a_standby_alone(self, webhdfs_server, webhdfs):
        webhdfs(host="localhost", port=webhdfs_server.port, login=USER)
        with pytest.raises(StoreUnreachable, match=r"StandbyException.*safe mode"):
            Store(Settings(url="hdfs://ns", retry_timeout=0.1)).head("x")

    def test_kerberos(self, webhdfs, monkeypatch):
        webhdfs(host="one")
        monkeypatch.setenv("AIRFLOW__CORE__SECURITY", "kerberos")
        with pytest.raises(ConfigurationError, match=r"kerberos"):
            resolve(hdfs, "hdfs://ns")

    def test_an_answer_that_never_ends_is_given_up(self, webhdfs):
        """Each of its bytes comes in time, so that a limit for a read alone would never be met."""

        class Drip(Handler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                with suppress(OSError):  # whoever asked has gone
                    for _ in range(100):
                        self.wfile.write(b" ")
                        time.sleep(0.2)

        with serve(Drip) as server:
            host, port = server.server_address
            webhdfs(host=host, port=port, login="airflow")
            store = Store(Settings(url="hdfs://ns", **QUICK))
            for call in (lambda: store.head("x"), lambda: [*store.list()]):
                started = time.monotonic()
                with pytest.raises(StoreUnreachable, match="request_timeout"):
                    call()
                assert time.monotonic() - started < 15

    def test_no_connection(self):
        with pytest.raises(
            ConfigurationError, match=r"no connection 'webhdfs_default' with a host"
        ):
            resolve(hdfs, "hdfs://ns")
