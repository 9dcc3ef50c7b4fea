"""What the S3 XCom backend is made of. Only `by_reference` is called from within a task.

| module | knows |
|---|---|
| `settings`   | the `[xcom_store]` section of Airflow's configuration |
| `keys`       | where in the bucket a value of a task instance lies |
| `reference`  | what the metadata database holds for a value that lies in S3 |
| `document`   | any nested Python value as JSON, exactly; its frames and arrays as leaves |
| `scalars`    | how a single Python value that JSON lacks is written in a document |
| `classes`    | objects of classes: enums, named tuples, what Airflow's serializer gives back |
| `codecs/`    | rich values (frames, tables, arrays, bytes, validation results) as bytes |
| `connection` | Airflow's AWS connection as credentials, endpoint and region |
| `store`      | bytes to S3 and back |
| `failures`   | what an answer of S3 means, and what to do |
| `values`     | a value to its database record and back: the pieces put together |
| `errors`     | what can go wrong |
| `by_reference` | where a value lies, for engines that read it there; tasks call it themselves |
"""
