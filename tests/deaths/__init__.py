"""Every point of death: a process is killed at each of its requests, and what is left is looked at.

`cases` has what is promised, `operations` what is killed; `python -m tests.deaths` makes the table of
docs/tools.md, and `tests/xcom_tools/test_deaths.py` holds it.
"""
