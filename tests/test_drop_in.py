"""What works with Airflow's own backend works with this one: tried in a real Airflow.

Everything is sent to the store (`threshold = 0`), and a frame goes through each DAG. What is pulled
is compared by the DAGs themselves (`drop_in_dags.py`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("dev.airflow_server", reason="only `python3 -m dev test` runs this")
pytest.importorskip("obstore")
from include.xcom_store.record import is_reference
from tests import airflow_process, real_airflow, waiting
from tests.drop_in_dags import LONG, ROWS
from tests.real_airflow import Real
from tests.report_dags import ODD_KEYS

DAGS = [
    "drop_in_branch", "drop_in_short_circuit", "drop_in_latest_only", "drop_in_hitl",
    "drop_in_hitl_default", "drop_in_success", "drop_in_failure", "drop_in_killed",
    "drop_in_killed_alone", "drop_in_deadline", "drop_in_trigger", "drop_in_interpreters",
    "drop_in_link", "drop_in_result", "drop_in_refused",
]  # fmt: skip
REPORTS = [
    "report_filtered", "report_megabyte", "report_validation", "report_named_tuples",
    "report_templates", "report_collections", "report_odd_keys", "report_async", "report_groups",
    "report_several", "report_outputs",
]  # fmt: skip

APPLY_DEFAULTS = """
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
SchedulerJobRunner(Job()).check_awaiting_input_timeouts()
"""

airflow = airflow_process.airflow


def test_the_dags_are_those_that_are_waited_for():
    """The long tests would wait for any other for minutes."""
    assert {*DAGS} == real_airflow.dag_ids("drop_in_dags.py")
    assert {*REPORTS} == real_airflow.dag_ids("report_dags.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("drop_in")


@pytest.fixture(scope="module")
def real(folder, s3_server):
    settings = {
        "AIRFLOW__XCOM_STORE__THRESHOLD": "0",
        "AIRFLOW__XCOM_STORE__KEEP_IN_DATABASE": "drop_in_result/kept/*",
        "AIRFLOW__SCHEDULER__DEADLINE_CHECK_INTERVAL": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "90",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # uv, which is tried first, takes no Python of a virtual environment to make one with.
        "AIRFLOW__STANDARD__VENV_INSTALL_METHOD": "pip",
        "DROP_IN_FOLDER": str(folder),
    }
    files, dag_ids = ["drop_in_dags.py", "report_dags.py"], [*DAGS, *REPORTS]
    with Real.running(folder, s3_server, files, dag_ids, **settings) as real:
        real.trigger_all(["drop_in_killed", *REPORTS])
        yield real


def said(folder, name):
    """What a callback has written."""
    waiting.until((folder / name).exists, f"no callback wrote {name}")
    time.sleep(0.2)
    return (folder / name).read_text()


@pytest.mark.long
def test_a_branch_over_fourteen_tasks_with_long_names(real):
    assert real.run("drop_in_branch") == "success"
    states = real.states("drop_in_branch")
    assert {states[name] for name in LONG[:9]} == {"success"}
    assert {states[name] for name in LONG[9:]} == {"skipped"}
    row = real.rows("drop_in_branch")["choose", -1, "skipmixin_key"]
    assert sorted(row["followed"]) == LONG[:9]
    assert len(json.dumps(row)) > 482  # more than went to the store at any threshold up to that


@pytest.mark.long
def test_a_task_mapped_downstream_of_a_branch_not_taken_is_skipped(real):
    states = real.states("drop_in_branch")
    for name in ("mapped", "mapped_early"):
        assert {s for n, s in states.items() if n.partition("[")[0] == name} == {"skipped"}
    assert len([name for name in states if name.startswith("mapped_early[")]) == 3


@pytest.mark.parametrize("name", [LONG[13], "mapped", "mapped_early"])
@pytest.mark.long
def test_a_skipped_task_that_is_cleared_alone_is_skipped_again(real, name):
    assert real.clear("drop_in_branch", name) == "success"
    states = real.states("drop_in_branch")
    assert {s for n, s in states.items() if n.partition("[")[0] == name} == {"skipped"}
    assert {states[name] for name in LONG[:9]} == {"success"}


@pytest.mark.long
def test_a_short_circuit(real):
    assert real.run("drop_in_short_circuit") == "success"
    assert real.states("drop_in_short_circuit")["stopped"] == "skipped"
    assert real.states("drop_in_short_circuit")["read"] == "success"
    assert real.clear("drop_in_short_circuit", "stopped") == "success"
    assert real.states("drop_in_short_circuit")["stopped"] == "skipped"


@pytest.mark.long
def test_latest_only(real):
    real.api.unpause("drop_in_latest_only")
    real.follow("drop_in_latest_only")
    assert real.wait("drop_in_latest_only") == "success"
    assert real.states("drop_in_latest_only")["late"] == "skipped"
    assert real.clear("drop_in_latest_only", "late") == "success"
    assert real.states("drop_in_latest_only")["late"] == "skipped"


def has_asked(real):
    """Whether the scheduler has heard that the process that asked has ended.

    That takes seconds. Airflow 3.3.0 does not bear a sooner answer, whatever the backend: the task
    is queued again under the same key, and the end of the process that asked is taken for the end of
    the next one, which fails it (`SchedulerJobRunner.process_executor_events`). Or it is never
    queued, where answer and process meet in SQLite, which locks no rows.
    """
    where = f"dag_id=drop_in_hitl, task_id=ask, run_id={re.escape(real.runs['drop_in_hitl'])}"
    heard = rf"TaskInstance Finished: {where}, .* state=awaiting_input,"
    return re.search(heard, real.server.log("scheduler").read_text())


@pytest.mark.long
def test_a_branch_that_a_person_chooses(real):
    real.trigger("drop_in_hitl")
    waiting.until(lambda: has_asked(real), "it does not ask", seconds=real_airflow.SECONDS)
    asked = f"{real.path('drop_in_hitl')}/taskInstances/ask/-1/hitlDetails"
    answer = {"chosen_options": ["this_one"], "params_input": {"remark": "y" * 2_000}}
    real.api.call("PATCH", asked, answer)
    assert real.wait("drop_in_hitl") == "success"
    states = real.states("drop_in_hitl")
    assert (states["this_one"], states["that_one"]) == ("success", "skipped")
    assert real.clear("drop_in_hitl", "that_one") == "success"
    assert real.states("drop_in_hitl")["that_one"] == "skipped"


@pytest.mark.parametrize("state", ["success", "failure"])
@pytest.mark.long
def test_callbacks_pull_a_frame(real, folder, state):
    """That of the task in its process, that of the DAG in the DAG processor."""
    dag_id = f"drop_in_{state}"
    assert real.run(dag_id) == {"success": "success", "failure": "failed"}[state]
    assert said(folder, f"{dag_id}.task") == str(ROWS)
    assert said(folder, f"{dag_id}.dag") == str(ROWS)


@pytest.mark.long
def test_the_callback_of_a_deadline_pulls_a_frame_in_the_triggerer(real, folder):
    assert real.run("drop_in_deadline") == "success"
    assert said(folder, "deadline") == str(ROWS)


@pytest.mark.long
def test_a_callback_in_the_executor_cannot_pull_with_any_backend(real, folder):
    """That of the same deadline. Once Airflow answers it, docs/switching.md is to say so."""
    assert said(folder, "deadline_in_the_executor") == "no answer"


@pytest.mark.long
def test_the_callback_of_a_killed_task_pulls_a_frame_in_the_dag_processor(real, folder):
    assert real.wait("drop_in_killed") == "failed"
    assert said(folder, "drop_in_killed.task") == str(ROWS)


@pytest.mark.long
def test_of_a_task_whose_process_alone_is_killed_only_the_dags_callback_is_called(real, folder):
    """Airflow 3.3.0 calls none of the task, whatever the backend; once it does, docs are to say so."""
    assert real.run("drop_in_killed_alone") == "failed"
    assert said(folder, "drop_in_killed_alone.dag") == str(ROWS)
    time.sleep(10)  # longer than the other callbacks take
    assert not (folder / "drop_in_killed_alone.task").exists()


@pytest.mark.long
def test_a_trigger_pulls_a_frame_and_pushes(real):
    """What it pushes is a string of JSON in the row, and for whoever pulls it, as ever."""
    assert real.run("drop_in_trigger") == "success"
    assert real.rows("drop_in_trigger")["ended", -1, "return_value"] == '{"rows": 1000}'


@pytest.mark.weekly
def test_other_interpreters_find_the_backend(real):
    assert real.run("drop_in_interpreters") == "success"


@pytest.mark.long
def test_a_value_that_cannot_be_stored_fails_its_task(real):
    assert real.run("drop_in_refused") == "failed"
    assert "the builtins.object at [1] cannot be stored" in real.log("drop_in_refused", "refused")
    assert not real.rows("drop_in_refused")
    assert not real.objects("drop_in_refused")


@pytest.mark.long
def test_the_link_to_a_triggered_run_leads_there(real):
    assert real.run("drop_in_link") == "success"
    links = f"{real.path('drop_in_link')}/taskInstances/trigger/links"
    [link] = real.api.call("GET", links)["extra_links"].values()
    real.follow("drop_in_result")
    assert link.endswith(f"/dags/drop_in_result/runs/{real.runs['drop_in_result']}")


@pytest.mark.long
def test_the_result_of_a_run_is_there_for_whoever_waits_for_it(real):
    real.follow("drop_in_result")
    assert real.wait("drop_in_result") == "success"
    answer = real.api.call("GET", f"{real.path('drop_in_result')}/wait?interval=1")
    plain = {"rows": ROWS, "text": "x" * 2_000}
    assert answer["results"] == {"result": plain}
    wait = f"{real.path('drop_in_result')}/wait?interval=1&result=kept&result=make"
    found = real.api.call("GET", wait)["results"]
    assert found["kept"] == plain
    assert is_reference(found["make"])


@pytest.mark.long
def test_dag_test(real, airflow, folder):
    """All tasks in one process, without scheduler and API server."""
    dags = str(folder / "dags")  # as the other Airflow has them
    log = airflow.run(
        "dags", "test", "drop_in_branch",
        AIRFLOW__CORE__DAGS_FOLDER=dags, AIRFLOW__XCOM_STORE__THRESHOLD="0",
    )  # fmt: skip
    assert airflow.run_of("drop_in_branch")[1] == "success", log
    states = airflow.task_states("drop_in_branch")
    assert {states[name] for name in LONG[:9]} == {"success"}, log
    assert {states[name] for name in [*LONG[9:], "mapped", "mapped_early"]} == {"skipped"}, log
    row = airflow.xcom("drop_in_branch", "choose", "skipmixin_key")
    assert sorted(row["followed"]) == LONG[:9]
    assert airflow.objects("drop_in_branch")


@pytest.mark.long
def test_dag_test_where_a_choice_is_waited_for(real, airflow, folder):
    """It waits until another process, here what a scheduler does after a time, has the answer."""
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"), "AIRFLOW__XCOM_STORE__THRESHOLD": "0"
    }  # fmt: skip
    with ThreadPoolExecutor() as pool:
        log = pool.submit(airflow.run, "dags", "test", "drop_in_hitl_default", **settings)
        while airflow.task_states("drop_in_hitl_default").get("ask") != "awaiting_input":
            assert not log.done(), log.result()
            time.sleep(0.5)
        time.sleep(1)  # the response_timeout
        answer = [sys.executable, "-c", APPLY_DEFAULTS]
        subprocess.run(answer, env=airflow.environment, check=True, cwd=airflow_process.ROOT)
    assert airflow.run_of("drop_in_hitl_default")[1] == "success", log.result()
    states = airflow.task_states("drop_in_hitl_default")
    assert (states["this_one"], states["that_one"]) == ("success", "skipped")


@pytest.mark.parametrize("dag_id", REPORTS)
@pytest.mark.long
def test_what_people_have_reported(real, dag_id):
    """The DAGs check what they pull."""
    assert real.wait(dag_id) == "success", real.states(dag_id)
    assert {*real.states(dag_id).values()} == {"success"}
    assert real.objects(dag_id)


@pytest.mark.long
def test_a_mapped_task_is_not_run_for_a_value_that_was_left_out(real):
    real.wait("report_filtered")
    assert {"show[0]", "show[1]"} == {n for n in real.states("report_filtered") if "show" in n}


@pytest.mark.long
def test_rows_of_named_tuples_are_warned_of_once(real):
    real.wait("report_named_tuples")
    log = real.log("report_named_tuples", "rows")
    assert log.count("does not come back as pushed") == 1


@pytest.mark.long
def test_a_retry_replaces_what_lies_under_odd_keys(real):
    real.wait("report_odd_keys")
    before = real.objects("report_odd_keys")
    assert real.clear("report_odd_keys", "push", "pull") == "success"
    after = real.objects("report_odd_keys")
    assert len(after) == len(before) == 2 * len(ODD_KEYS)
    assert not before & after
