""".ci/run: what is installed, which tests it runs, and what it says in the end."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from tests.astro_project import ROOT

SCRIPT = ROOT / ".ci" / "run"
INSTALL = "apt-get install -y -qq --no-install-recommends chromium"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the image, or a project without .ci/")


@pytest.fixture
def run(tmp_path):
    """Run the script where every program does nothing but say how it was called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "dirname", "mktemp", "rm", "tail", "tee"):
        (tools / name).symlink_to(shutil.which(name))
    for program in (tools / "python3", tools / "apt-get"):
        program.write_text(f'#!/bin/sh\necho "{program.name} $@"\n')
        program.chmod(0o755)
    (tools / "id").write_text("#!/bin/sh\necho 0\n")
    (tools / "id").chmod(0o755)
    (tmp_path / "project" / ".ci").mkdir(parents=True)
    script = shutil.copy(SCRIPT, tmp_path / "project" / ".ci")

    def run(*options: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [script, *options], env={"PATH": str(tools), **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize(
    ("options", "environment", "installs"),
    [
        ((), {}, False),
        ((), {"CI": "false"}, False),
        ((), {"CI": "true"}, True),
        (("--install-browser",), {}, True),
    ],
)
def test_a_browser_is_installed_on_request_only(run, options, environment, installs):
    status, said = run(*options, **environment)
    assert status == 0, said
    assert (INSTALL in said) is installs
    assert "All of it passed" in said


def test_the_long_tests_are_left_out(run):
    status, said = run("--quick")
    assert status == 0, said
    assert "--long" not in said
    assert said.splitlines()[-1] == "python3 -m dev test"


@pytest.mark.parametrize(("options", "marks"), [((), "long and not weekly"), (("--all",), "long")])
def test_the_long_tests_come_last(run, options, marks):
    status, said = run(*options)
    assert status == 0, said
    assert f"python3 -m dev test --long -m {marks}\n" in said
    *_, fast, long = said.splitlines()
    assert (fast, long) == ("python3 -m dev test", f"python3 -m dev test --long -m {marks}")


def test_a_test_that_fails_ends_it(run, tmp_path):
    python = tmp_path / "tools" / "python3"
    python.write_text('#!/bin/sh\necho 1 failed\n[ "$3" != test ]\n')
    status, said = run()
    assert status == 1
    assert said.endswith("=== Tests: python -m dev test ===\n1 failed\n")


def test_help_says_so(run):
    status, said = run("--help")
    assert status == 0
    assert "--install-browser" in said
    assert "--all" in said
    assert "python3 -m dev setup" not in said


def test_an_unknown_option_runs_nothing(run):
    status, said = run("--instal-browser")
    assert status == 2
    assert "--instal-browser is not known" in said
    assert "=== " not in said


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_and_jobs_have_a_time_limit(workflow):
    """What `dev lint` asks zizmor, where that is not installed, and a limit to each job."""
    text = workflow.read_text()
    for used in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", used), used
    for name, job in yaml.safe_load(text)["jobs"].items():
        assert job.get("timeout-minutes"), name


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("wrong", ["", "mypy"])
def test_lint_runs_all_of_it_whatever_the_first_one_finds(monkeypatch, capsys, check, wrong):
    maintain = pytest.importorskip("dev.maintain", reason="only `python3 -m dev test` runs this")
    ran = []
    monkeypatch.setattr(
        maintain, "_call", lambda *step: ran.append(step) or (wrong and wrong in step[0])
    )
    monkeypatch.setattr(shutil, "which", lambda _name: "/bin/actionlint")
    assert maintain.lint(check=check) == bool(wrong)
    names = [step[0].rpartition("/")[2] for step in ran]
    assert names == ["ruff", "ruff", "mypy", "zizmor", "actionlint"]
    assert ("--fix" in ran[0], "--check" in ran[1]) == (not check, check)
    assert ("Not right: mypy" in capsys.readouterr().out) is bool(wrong)
