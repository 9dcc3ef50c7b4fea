"""What is compared: a module each, with `push(value)` to a record and `pull(record)` to a value.

They are run in processes of their own (see `harness`), ours and the floor in .venv, the others in
the peers' environment. Everything is told by the environment: `AIRFLOW_CONN_AWS_DEFAULT`, and the
bucket in `BENCHMARK_BUCKET`.
"""
