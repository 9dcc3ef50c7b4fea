"""The users of the access tests in Flask-AppBuilder's auth manager, with its own roles."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager

MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
ENTITIES = ("XComs", "Task Instances", "DAG Runs", "DAG Code", "DAG Versions")


def make_users(dag_id):
    """`trips_only` reads one DAG with all that belongs to it, `no_xcoms` all DAGs and no XComs."""
    manager = get_auth_manager()
    with manager.flask_app.app_context():
        security = manager.security_manager
        roles = {
            "admin": "Admin",
            "viewer": "Viewer",
            "trips_only": "One DAG",
            "no_xcoms": "No XComs",
        }
        security.bulk_sync_roles([
            {"role": "One DAG", "perms": [("can_read", f"DAG:{dag_id}"), *(("can_read", one) for one in ENTITIES)]},
            {"role": "No XComs", "perms": [("can_read", "DAGs")]},
        ])  # fmt: skip
        for name, role in roles.items():
            found = security.find_role(role)
            security.add_user(name, name, name, f"{name}@example.invalid", found, password=name)


def token(name):
    """What the browser of a user sends."""
    manager = get_auth_manager()
    with manager.flask_app.app_context():
        return manager.generate_jwt(manager.security_manager.find_user(username=name))
