"""An auth manager for tests: Airflow's simple one, but one user may not see one DAG.

The simple one knows roles only, and the one with rights by DAG (FAB) is not installed here.
"""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

from tests.xcom_tools.sweep_airflow import HIDDEN_DAG, LIMITED_USER


class OneDagHidden(SimpleAuthManager):
    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.username == LIMITED_USER and details and details.id == HIDDEN_DAG:
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
