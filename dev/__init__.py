"""The developer's tool of this repository: see `python3 -m dev --help`.

It may be deleted as a folder; nothing in dags/, include/ or plugins/ imports from it.
"""
