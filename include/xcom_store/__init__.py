"""What the XCom backend is made of. It knows nothing of running tasks; `../xcom_backend.py` does.

To read in this order:

| module | knows |
|---|---|
| `sizes`      | how a number of bytes is written for people |
| `settings`   | the `[xcom_store]` section of Airflow's configuration |
| `errors`     | what can go wrong |
| `keys`       | where in the store a value of a task instance lies |
| `record`     | what the metadata database holds for a value that is not plain JSON there |
| `documents/` | any nested Python value as JSON, exactly; its frames and arrays as leaves |
| `codecs/`    | rich values (frames, tables, arrays, bytes, validation results) as bytes |
| `stores/`    | bytes to a service and back; its timeouts and retries |
| `values`     | a value to its database record and back: the pieces put together |

Imports run one way: `values` knows the others; `documents` and `codecs` know nothing of stores, and
`stores` nothing of values.
"""
