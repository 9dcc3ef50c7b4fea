"""The operator's tool: `python -m include.xcom_tools`. The backend needs none of it.

| module | knows |
|---|---|
| `cli`     | the commands, and what their exit codes mean |
| `listing` | the backend's store, and the listing that only tools need |
| `output`  | tables for people, JSON Lines for machines, progress on a terminal |
| `errors`  | what ends a command |
| `check_…` | the parts of a check |
| `contents` | what is in an object, for people |
| `airflow_access`, `airflow_api` | where Airflow's REST API is, and what it says of XComs |
| `sweep_…`, `marker` | the parts of a sweep |

Each command is a module: its docstring is the help, `add_arguments` its options, `run` does it.
"""
