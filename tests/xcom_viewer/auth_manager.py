"""An auth manager with rights by DAG, which Airflow's simple one does not have."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

MANAGER = f"{__name__}.OneDagLess"
ROLES = {"admin": "ADMIN", "viewer": "VIEWER", "trips_only": "VIEWER"}


class OneDagLess(SimpleAuthManager):
    """The user `trips_only` may see the DAG `trips`, and no other."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.username == "trips_only" and (details is None or details.id != "trips"):
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )


def make_users(_dag_id):
    """Nobody has to be told of them."""


def token(name):
    """What the browser of a user sends."""
    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=ROLES[name]))
