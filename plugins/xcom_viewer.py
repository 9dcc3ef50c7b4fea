"""Shows XComs in Airflow's UI: a tab on the task instance and one on the DAG run.

Off unless `[xcom_store] viewer` is true. Every Airflow process imports this file, and only the API
server ever uses it: so all that the pages need is imported at the first request for one, from
`include/xcom_viewer/`. To be rid of the viewer, delete both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

URL_PREFIX = "/xcom-viewer"
# The UI puts the identifiers in, encoded. A task that is not mapped keeps the word {MAP_INDEX}.
_RUN = "dag_id={DAG_ID}&run_id={RUN_ID}"
_TASK = f"{_RUN}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}"


async def pages(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer one request, as an ASGI application."""
    from include.xcom_viewer.app import application

    await application()(scope, receive, send)


class XComViewer(AirflowPlugin):
    """What Airflow reads of this plugin."""

    name = "xcom_viewer"
    if conf.getboolean("xcom_store", "viewer", fallback=False):
        fastapi_apps = [{"app": pages, "url_prefix": URL_PREFIX, "name": "XCom values"}]
        external_views = [
            {
                "name": "XCom values",
                # Relative, for Airflow may be served below a path.
                "href": f"{URL_PREFIX[1:]}/task?{_TASK}",
                "destination": "task_instance",
                "url_route": "xcom_values",
            },
            {
                "name": "XCom values",
                "href": f"{URL_PREFIX[1:]}/run?{_RUN}",
                "destination": "dag_run",
                "url_route": "xcom_run_values",
            },
        ]
