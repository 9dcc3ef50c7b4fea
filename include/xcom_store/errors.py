"""What can go wrong with a stored XCom.

    XComStoreError
    ├── ObjectMissing       (FileNotFoundError)  the object is not in the store
    ├── ObjectCorrupt       (ValueError)         the object is not what was written
    ├── AccessDenied        (PermissionError)    the store, or our own check of a reference, says no
    ├── StoreUnreachable    (ConnectionError)    no answer in time, or only server errors
    ├── ValueNotStorable    (TypeError)          the value would not come back exactly
    └── ConfigurationError  (ValueError)         settings or connection cannot be used

Each is also the builtin in brackets. A message says what was being done, what is likely wrong, what
to do, and no secret.
"""

from __future__ import annotations


class XComStoreError(Exception):
    """Base of all errors of this backend."""

    action = ""
    """What was being done, for example `pulling XCom 'return_value' of dag_id=… task_id=…`."""

    def __str__(self) -> str:
        """Return the message, preceded by what was being done."""
        message = str(self.args[0]) if self.args else ""
        return f"While {self.action}: {message}" if self.action else message


class ObjectMissing(XComStoreError, FileNotFoundError):
    """The object a reference names is not in the store."""


class ObjectCorrupt(XComStoreError, ValueError):
    """An object, or the reference to it, is not what this backend wrote."""


class AccessDenied(XComStoreError, PermissionError):
    """The store refuses, or a reference points outside of the task instance it was asked for."""


class StoreUnreachable(XComStoreError, ConnectionError):
    """The store does not answer within the configured time."""


class ValueNotStorable(XComStoreError, TypeError):
    """The value would not come back exactly as it was pushed."""


class ConfigurationError(XComStoreError, ValueError):
    """The `[xcom_store]` settings or the connection cannot be used as they are."""
