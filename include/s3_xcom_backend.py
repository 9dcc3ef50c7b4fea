"""The name of the backend in this template's settings and Dockerfile.

AIRFLOW__CORE__XCOM_BACKEND=include.s3_xcom_backend.S3XComBackend
AIRFLOW__XCOM_STORE__URL=s3://my-bucket/xcom
"""

from __future__ import annotations

from include.xcom_backend import XComBackend


class S3XComBackend(XComBackend):
    """`XComBackend`, which serves every `url`, under the name that this template's settings use."""
