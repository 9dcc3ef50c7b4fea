"""Bytes to a service and back.

| module | knows |
|---|---|
| `location` | the `[xcom_store] url` and its parts |
| `base`     | `Store`: what backend, tools and viewer call; on obstore, whatever the service |
| `parallel` | requests at once: one limit for the process, and what runs ahead |
| `files`    | the ends of a stream: what is written hashed, what is stored as a file to read |
| `failures` | what a failed request means, in words that hold for every service |
| `s3`       | Amazon S3: connection, region, endpoint, encryption, its codes of failure |
| `aws`      | an Airflow AWS connection, or the environment, as credentials |
| `gcs`      | Google Cloud Storage |
| `azure`    | Azure Blob Storage |
| `hdfs`     | HDFS, by `webhdfs`, a client with obstore's methods |
| `service`  | what a service's module offers, and what they have in common |
| `common_io` | the objects that Airflow's common-io backend has written before |

A service is a module with the members of `s3` (`NAME`, `resolve`, `client`, `failure`), a row in
`base.SERVICES`, and one in `location.CONNECTIONS`. Only the one in use is imported.
"""
