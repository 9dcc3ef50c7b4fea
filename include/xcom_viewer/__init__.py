"""Pages that show XComs in Airflow's UI. Runs in the API server alone; `plugins/` mounts it.

| module | knows |
|---|---|
| `app`          | the pages: their addresses, and who may see them |
| `answers`      | templates, headers, what the browser may do (images are not allowed yet) |
| `overview`     | heads of cards, and a run's table, without reading the store |
| `states`       | what is said in the place of a value |
| `entries`      | the metadata database: the XComs of a task instance or a run |
| `source`       | the store with short timeouts; parts of an object, up to a limit of bytes |
| `work`         | few threads for all of that, so that a slow store holds up nothing else |
| `objects`      | which object may be read for a row, or for a value inside it |
| `preview`      | one XCom as what a card shows, by the codec that wrote it |
| `frames`, `arrow_tables`, `arrays` | the beginning of Parquet, Arrow and numpy files |
| `tables`       | what is shown of a table, whatever file it is in |
| `cells`, `statistics`, `footer` | Arrow columns as text, and as figures |
| `trees`        | JSON documents as a tree |
| `expectations` | results of Great Expectations as sentences |
| `downloads`    | whole objects, and tables as CSV, piece by piece |
| `templates/`   | HTML, CSS and the script |

Nothing here pulls a value as a task does: no class is imported for one, and neither pandas nor
Great Expectations is needed. What a codec's bytes mean is known beside the codec
(`xcom_store/codecs/frames/describe.py`, `npy.py`, `arrow_messages.py`).
"""
