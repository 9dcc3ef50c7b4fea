"""pydantic: models, and the types of its own that lie in them.

| value | written as |
|---|---|
| model | class, fields, extra fields, the names of the fields that were set, private attributes |
| model with a field of another type | what `model_dump` makes of it, as Airflow does |
| `AnyUrl` and the like | class and text |
| `SecretStr`, `SecretBytes` | the mask: a secret is never written in clear |
| time zone of a parsed datetime | offset |

Reading a model validates nothing and runs no code of the class. Private attributes that cannot be
stored (a lock, a client) are made again by the class, as for a new object. Computed fields are
computed again.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from include.xcom_store.documents import permission
from include.xcom_store.documents.fields import check_names, check_set, needs, warn_filled
from include.xcom_store.documents.inexact import Refused, Unreadable
from include.xcom_store.documents.state import is_same, restore, state
from include.xcom_store.documents.tags import full_name
from include.xcom_store.errors import ObjectCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXTRA, _SET, _PRIVATE = (
    "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"
)  # fmt: skip
_VALIDATED = "model_validate"
_SECRETS = ("pydantic.types.SecretStr", "pydantic.types.SecretBytes")


def is_model(value: Any) -> bool:
    pydantic: Any = sys.modules.get("pydantic")
    return bool(pydantic) and isinstance(value, pydantic.BaseModel)


def is_model_class(kind: Any) -> bool:
    import pydantic

    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def write_model(value: Any, inside: Any) -> list[Any]:
    """Return a model's class and parts as documents, or its dump where only that is exact.

    That is so for models inside whose classes are not allowed: the outer model knows them.
    """
    before = inside.before()
    try:
        with inside.undone_on_error():
            parts = _write_parts(value, inside)
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 - raised again where Airflow does not take it, either
        return _write_dumped(value, inside, error)
    name = parts[0]
    if inside.is_noted() and not permission.missing_permission(name):
        with suppress(Exception):
            dumped, same = _dump(value, inside)
            if same:
                inside.forget(before)
                return [name, *dumped]
    return parts


def _write_dumped(value: Any, inside: Any, error: Exception) -> list[Any]:
    try:
        dumped, same = _dump(value, inside)
    except Unreadable:
        raise
    except Exception:  # noqa: BLE001 - the first error says what is wrong
        raise error from None
    if not same:
        if isinstance(error, Refused):
            raise error
        inside.note("comes back as its model_validate makes it of its model_dump")
    return [inside.class_name(type(value)), *dumped]


def _dump(value: Any, inside: Any) -> tuple[list[Any], bool]:
    """Return what Airflow's serializer makes of a model, and whether it comes back the same."""
    names = sorted(value.model_fields_set)
    for skip in (True, False):  # in models inside of it, all that is dumped counts as set
        document = inside(value.model_dump(mode="json", exclude_unset=skip, warnings=False))
        try:
            back = _validate(type(value), inside.read(document), names)
        except Exception as error:
            if skip:
                continue
            raise Unreadable(f"it is refused by its own model_validate: {error}") from error
        if is_same(value, back):
            return [document, _VALIDATED, names], True
    return [document, _VALIDATED, names], False


def _write_parts(value: Any, inside: Any) -> list[Any]:
    kind, found = type(value), state(value)
    extra, private = found.pop(_EXTRA, None), found.pop(_PRIVATE, None)
    names = sorted(found.pop(_SET, ()))
    known = kind.__pydantic_fields__
    check_set(value, [name for name, field in known.items() if field.is_required()])
    fields = inside.named({name: found.pop(name) for name in known if name in found})
    if found:
        raise TypeError(f"it has an attribute {next(iter(found))!r} that is no field.")
    parts = [inside.class_name(kind), fields, inside(extra), names]
    if private is None:
        return [*parts, None]
    stored = {name: inside.attempt(part, ".{}", name) for name, part in private.items()}
    parts.append({name: part[0] for name, part in stored.items() if part})
    if len(parts[-1]) == len(stored):
        return parts
    made_anew = [name for name, part in stored.items() if not part]
    new = _new_private(_restore(kind, inside.read(fields), None, names))
    if not all(type(new.get(name)) is type(private[name]) for name in made_anew):
        raise TypeError(f"its private attributes {made_anew} cannot be stored, nor made anew.")
    return [*parts, made_anew]


def _validate(kind: Any, dumped: Any, names: Iterable[str]) -> Any:
    made = kind.model_validate(dumped)
    object.__setattr__(made, _SET, set(names))
    return made


def read_model(  # noqa: PLR0917 - the parts of the document
    name: Any,
    fields: dict[str, Any],
    extra: Any,
    names: Iterable[str] = (),
    private: dict[str, Any] | None = None,
    made_anew: Iterable[str] = (),
) -> Any:
    """Return the model."""
    kind = permission.read_class(name, is_model_class)
    if extra == _VALIDATED:
        return _validate(kind, fields, names)
    known = kind.__pydantic_fields__
    check_names(kind, fields, known)
    check_names(kind, [*(private or ()), *made_anew], kind.__private_attributes__)
    for missing in [name for name in known if name not in fields]:
        if known[missing].is_required():
            raise needs(kind, missing)
        fields[missing] = known[missing].get_default(
            call_default_factory=True, validated_data=fields
        )
        warn_filled(kind, missing)
    made = _restore(kind, fields, extra, names)
    if private is not None:
        if made_anew:
            new = _new_private(made)
            private = {name: private.get(name, part) for name, part in new.items()}
        object.__setattr__(made, _PRIVATE, private)
    return made


def _restore(kind: Any, fields: dict[str, Any], extra: Any, names: Iterable[str]) -> Any:
    made = restore(kind, {_EXTRA: extra, _SET: set(names), _PRIVATE: None})
    object.__setattr__(made, "__dict__", fields)
    return made


def _new_private(made: Any) -> dict[str, Any]:
    """Return the private attributes that the class gives a new object."""
    made.model_post_init(None)
    return dict(made.__pydantic_private__ or {})


def is_url(value: Any) -> bool:
    return type(value).__module__ == "pydantic.networks" and _is_url_class(type(value))


def _is_url_class(kind: Any) -> bool:
    from pydantic import networks

    bases = (networks._BaseUrl, networks._BaseMultiHostUrl)  # noqa: SLF001 - they have no other base
    return isinstance(kind, type) and issubclass(kind, bases)


def write_url(value: Any, _inside: Any) -> list[Any]:
    if type(value)(str(value)) != value:
        raise TypeError("its text does not make the same URL again.")
    return [type(value).__name__, str(value)]


def read_url(name: str, text: str) -> Any:
    from pydantic import networks

    kind = getattr(networks, name)
    if not _is_url_class(kind):
        raise ObjectCorrupt(f"pydantic has no URL of the type {name!r}.")
    return kind(text)


def is_secret(value: Any) -> bool:
    return full_name(type(value)) in _SECRETS


def write_mask(value: Any, inside: Any) -> list[Any]:
    mask = "**********" if value.get_secret_value() else ""
    if mask:
        inside.note("comes back as its mask. Have the next task read the secret by itself")
    return [type(value).__name__, mask]


def read_mask(name: str, mask: str) -> Any:
    import pydantic

    return pydantic.SecretStr(mask) if name == "SecretStr" else pydantic.SecretBytes(mask.encode())


def write_zone(value: Any, _inside: Any) -> list[Any]:
    return [value.utcoffset(None).total_seconds()]


def read_zone(seconds: float) -> Any:
    from pydantic_core import TzInfo

    return TzInfo(seconds)
