"""A process that reads objects for the viewer's pages: `python -m include.xcom_viewer.reader`.

Anyone who may write to the bucket chooses the bytes that are parsed for a page, and neither pyarrow
nor numpy promises to survive all of them. So that is done by a process that has nothing to lose: no
credentials, no configuration, no database. Through a pipe (`pipe`) the server asks it for the
content of a card, and gives it the bytes of this one object. What it answers is not trusted either
(`shown`).

| module | knows |
|---|---|
| `__main__`     | the pipe: one job after the other |
| `confine`      | the limits of this process |
| `remote`       | the object, a part at a time |
| `preview`      | a value as what a card shows, by the codec that wrote it |
| `frames`, `arrow_tables`, `arrays` | the beginning of Parquet, Arrow and numpy files |
| `pictures`     | arrays as PNG |
| `tables`       | what is shown of a table, whatever file it is in |
| `charts`       | two of its columns as points |
| `cells`, `statistics`, `footer` | Arrow columns as text, and as figures |
| `csv_pieces`   | tables as CSV, piece by piece |
| `trees`        | JSON documents as a tree |
| `expectations` | results of Great Expectations as sentences |

Nothing here pulls a value as a task does: no class is imported for one, and neither pandas nor
Great Expectations is needed. What a codec's bytes mean is known beside the codec
(`xcom_store/codecs/frames/describe.py`, `npy.py`).
"""
