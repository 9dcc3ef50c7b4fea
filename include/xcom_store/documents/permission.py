"""Which class an object in a document is of: its name at push, and the class for the name at pull.

Writing imports nothing and needs no permission; a class only has to be where its name says it is.
Reading asks Airflow at that moment: `[core] allowed_deserialization_classes` and `…_regexp`, and
the classes that the operators of the running DAG declare. A name is a text, `package.module.Class`,
or for a parametrised generic `[name, [names of its arguments]]`.
"""

from __future__ import annotations

import builtins
import pkgutil
import re
import sys
from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from include.xcom_store.documents.tags import full_name
from include.xcom_store.errors import ObjectCorrupt, ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Callable


@lru_cache(maxsize=1024)
def name_of(kind: Any) -> Any:
    """Return the name of a class.

    Raises:
        TypeError: it cannot be imported by its name: it is local, or was renamed or replaced.
    """
    origin, arguments = _parameters(kind)
    if origin is not None:
        return [name_of(origin), [name_of(argument) for argument in arguments]]
    if not _is_there(kind):
        what = f"{kind} cannot be imported by that name. Define it at a module's top."
        raise TypeError(what)
    return full_name(kind)


def is_importable(kind: Any) -> bool:
    """Tell whether a class can be found by its name."""
    try:
        return bool(name_of(kind))
    except TypeError:
        return False


def _is_there(kind: Any) -> bool:
    if not isinstance(kind, type) or kind is UnionType:  # which cannot be made by `[…]`
        return False
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


def _parameters(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return origin and arguments of a parametrised generic, which pydantic makes a class."""
    found = vars(kind).get("__pydantic_generic_metadata__") if isinstance(kind, type) else None
    if found and found["origin"]:
        return found["origin"], found["args"]
    return get_origin(kind), get_args(kind)


def missing(name: Any) -> str:
    """Return why a class may not be read back now, and what to do; empty if it may."""
    if isinstance(name, list):
        return next(filter(None, map(missing, (name[0], *name[1]))), "")
    if name.startswith("unusual_prefix_"):  # what Airflow calls the module of a DAG file
        return (
            f"{name} is a class of a DAG file, whose module has another name in every place and "
            "version. Move it to a module in include/"
        )
    module, _, attribute = name.rpartition(".")
    if module == "builtins" and isinstance(getattr(builtins, attribute, None), type):
        return ""  # an argument like `int`, or `list`, which no kind of object is made of
    from airflow.sdk import serde

    try:
        if serde._match(name) or name in serde._extra_allowed:  # noqa: SLF001 - no public way
            return ""
    except re.error:  # of a setting like *, with which Airflow reads none
        pass
    return (
        f"Airflow may not read objects of the class {name} back. If you trust it, set "
        f"AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES='airflow.* {name}' (a list separated by "
        "spaces) for all components"
    )


def read_class(name: Any, is_kind: Callable[[Any], bool], *, trusted: bool) -> Any:
    """Return the class of a name.

    Args:
        name: as `name_of` has returned it, or anybody has made it.
        is_kind: tells whether a class is of the kind that the document says.
        trusted: this process has just written the name.

    Raises:
        ValueNotStorable: Airflow does not allow it.
        ObjectCorrupt: there is no such class, or it is not of that kind.
    """
    found = _find(name, trusted=trusted)
    if not is_kind(found):
        raise ObjectCorrupt(f"{name} is not of the kind that the stored document says.")
    return found


def _find(name: Any, *, trusted: bool) -> Any:
    if isinstance(name, list):
        origin, arguments = name
        of = tuple(_find(argument, trusted=trusted) for argument in arguments)
        return _find(origin, trusted=trusted)[of]
    if type(name) is not str:
        raise ObjectCorrupt(f"the stored document names a class {str(name)[:80]!r}.")
    if not trusted and (why := missing(name)):
        raise ValueNotStorable(f"{why}.")
    module, _, attribute = name.rpartition(".")
    found: Any = getattr(sys.modules.get(module), attribute, None)
    try:
        found = pkgutil.resolve_name(name) if found is None else found
    except (ImportError, AttributeError, ValueError) as error:
        raise ObjectCorrupt(
            f"the class {name} is not there ({error}). Deploy the version that wrote this value, "
            "or run the task again."
        ) from error
    if not isinstance(found, type) or full_name(found) != name:  # also not what a module imports
        raise ObjectCorrupt(f"{name} is not a class of that name.")
    return found
