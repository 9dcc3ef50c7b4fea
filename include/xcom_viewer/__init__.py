"""Pages that show XComs in Airflow's UI. Runs in the API server alone; `plugins/` mounts it.

| module | knows |
|---|---|
| `app`          | the pages: their addresses, and who may see them |
| `answers`      | templates, headers, what the browser may do |
| `overview`     | heads of cards, and a run's table, without S3 |
| `states`       | what is said in the place of a value |
| `rows`         | the metadata database: the XComs of a task instance or a run |
| `bucket`       | reading parts of objects, with short timeouts and a limit of bytes |
| `work`         | few threads for all of that, so that a slow S3 holds up nothing else |
| `located`      | which object may be read for a row, or a value inside of it |
| `preview`      | one XCom as what a card shows, by the codec that wrote it |
| `frames`, `arrow_tables`, `arrays` | the beginning of Parquet, Arrow and numpy files |
| `tables`       | what is shown of a table, whatever file it is in |
| `labels`       | the pandas labels and dtypes that a Parquet file of ours holds |
| `cells`, `statistics` | Arrow columns as text, and as figures |
| `documents`    | JSON documents as a tree |
| `expectations` | results of Great Expectations as sentences |
| `downloads`    | whole objects, and tables as CSV, piece by piece |
| `templates/`   | HTML, CSS and the script |

Nothing here pulls a value as a task does: no class is imported for one, and neither pandas nor
Great Expectations is needed.
"""
