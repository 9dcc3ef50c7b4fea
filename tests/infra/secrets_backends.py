"""Airflow's two secrets backends of AWS, as docs/production.md sets them, on moto."""

from __future__ import annotations

import json

SECRETS_MANAGER = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
PARAMETER_STORE = (
    "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend"
)
BACKENDS = {
    "Secrets Manager": (SECRETS_MANAGER, "airflow/connections"),
    "Parameter Store": (PARAMETER_STORE, "/airflow/connections"),
}


def settings(name, endpoint):
    """Environment variables of an Airflow that looks connections up there."""
    backend, prefix = BACKENDS[name]
    only_ours = {"connections_prefix": prefix, "connections_lookup_pattern": "^aws_default$"}
    nothing_else = {"variables_prefix": None, "config_prefix": None}
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # of the worker, elsewhere
    where = {"region_name": "us-east-1", "endpoint_url": endpoint}
    return {
        "AIRFLOW__SECRETS__BACKEND": backend,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(only_ours | nothing_else | keys | where),
    }


def put(aws, name, connection):
    """Store the connection `aws_default`, or replace it."""
    text, (_, prefix) = json.dumps(connection), BACKENDS[name]
    if name == "Parameter Store":
        aws("ssm").put_parameter(
            Name=f"{prefix}/aws_default", Value=text, Type="SecureString", Overwrite=True
        )
        return
    client = aws("secretsmanager")
    try:
        client.create_secret(Name=f"{prefix}/aws_default", SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=f"{prefix}/aws_default", SecretString=text)
