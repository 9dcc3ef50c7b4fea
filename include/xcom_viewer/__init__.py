"""Pages that show XComs in Airflow's UI. Runs in the API server alone; `plugins/` mounts it.

| module | knows |
|---|---|
| `app`       | the pages: their addresses |
| `asked`     | whose XComs an address is about, and who may see them |
| `sending`   | the page that sends files |
| `answers`   | templates, headers, what the browser may do |
| `overview`  | heads of cards, and a run's table, without reading the store |
| `states`    | what is said in the place of a value |
| `entries`   | the metadata database: the XComs of a task instance or a run |
| `source`    | the store with short timeouts; parts of an object, up to a limit of bytes |
| `work`      | few threads for all of that, so that a slow store holds up nothing else |
| `objects`   | which object may be read for a row, or for a value inside it |
| `previous`, `comparison` | a value beside that of the previous run |
| `preview`   | the content of a card: what is read for it, and asked of a reader |
| `readers`   | the processes that parse objects: how many, and what becomes of their deaths |
| `process`   | one of them: its pipe, and how much memory and time it may take |
| `pipe`, `shown` | what goes through the pipe to them, and what they may answer |
| `downloads` | whole objects, and tables as CSV, piece by piece |
| `images`    | which bytes are images that browsers show |
| `templates/` | HTML, CSS and the script |
| `reader/`   | the other process: the only place where bytes of an object are parsed |
"""
