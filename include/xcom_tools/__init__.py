"""The operator's tool: `python -m include.xcom_tools`. The backend needs none of it.

| module | knows |
|---|---|
| `cli`     | the commands, and what their exit codes mean |
| `listing` | what lies in the store, and whose it is |
| `output`  | tables for people, JSON Lines for machines, progress on a terminal |
| `errors`  | what ends a command, and its exit code |
| `check_…` | the parts of a check |
| `contents` | what an object holds, for people |
| `airflow_access`, `airflow_api` | where Airflow's REST API is, and what it says of XComs |
| `sweep_…`, `marker` | the parts of a sweep |

Each command is a module: its docstring is its help, `add_arguments` adds the options, `run` runs
it.
"""
