"""An auth manager with rights by DAG, which Airflow's simple one does not have."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class OneDagLess(SimpleAuthManager):
    """The user `trips_only` may see the DAG `trips`, and no other."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.username == "trips_only" and (details is None or details.id != "trips"):
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
