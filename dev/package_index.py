"""Which package index pip and uv use here: one setting for both, and what to say when it fails.

People configure pip (environment, pip.conf) or uv (environment), seldom both. Whatever one of them
knows is passed on to the other, so that a company's mirror works without further ado.
"""

from __future__ import annotations

import ast
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# pip's option -> uv's variable
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
_PUBLIC = "the public one, PyPI (nothing else is configured)"


def pip_settings(python: Path, env: Mapping[str, str]) -> dict[str, str]:
    """What pip of that interpreter is configured with: option name to value."""
    listing = subprocess.run(
        [str(python), "-m", "pip", "config", "list"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = {}
    for scope in ("global.", "install.", ":env:."):  # the later one wins, as in pip
        for line in listing.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(scope):
                found[name.removeprefix(scope)] = str(ast.literal_eval(value))
    return found


def for_pip(env: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: where only uv has an index, pip gets it."""
    index = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL")
    if index and "PIP_INDEX_URL" not in env:
        return {**env, "PIP_INDEX_URL": index}
    return dict(env)


def for_uv(env: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: what pip is configured with, unless uv has a setting of its own."""
    extra = {
        uv_name: " ".join(pip[name].split())
        for name, uv_name in _UV_NAMES.items()
        if name in pip and uv_name not in env
    }
    if "UV_INDEX_URL" in env:
        extra.pop("UV_DEFAULT_INDEX", None)
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        extra["UV_OFFLINE"] = "1"
    if "UV_INDEX" in extra:
        # pip looks in all indexes; uv would stop at the first that has the name. The lock's hashes
        # make it the same file either way.
        extra.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return {**env, **extra, "UV_PYTHON_DOWNLOADS": "never"}


def failure_message(step: str, env: Mapping[str, str], pip: Mapping[str, str]) -> str:
    """One screen about a failed download or installation. Passwords in addresses are left out."""
    index = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or pip.get("index-url", _PUBLIC)
    no_index = ", switched off by pip's no-index" if "no-index" in pip else ""
    proxy = pip.get("proxy") or env.get("HTTPS_PROXY") or env.get("https_proxy") or "none"
    cert = env.get("SSL_CERT_FILE") or pip.get("cert") or "the built-in ones"
    return (
        f"{step} failed; the reason stands above.\n"
        f"  package index: {_without_password(index)}{no_index}\n"
        f"  proxy:         {_without_password(proxy)}\n"
        f"  certificates:  {cert}\n"
        "If the index could not be reached, the usual causes are\n"
        "  - a mirror is needed: set PIP_INDEX_URL (or pip.conf; UV_DEFAULT_INDEX works too)\n"
        "  - a proxy is needed: set HTTPS_PROXY\n"
        "  - a company's own certificates: set PIP_CERT to its bundle, or UV_SYSTEM_CERTS=1\n"
        "Then run the same command again; it goes on where it stopped."
    )


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", url)
