"""What happens to the parts of a value that cannot come back exactly: `[xcom_store] inexact`.

`warn` stores of such a part, and of it alone, what Airflow's own backend would give back, if it
would take the part at all (docs/types.md has the table); `refuse` raises `ValueNotStorable`. What
is stored is written by this backend's own writer, so that no node of Airflow's serializer and no
record mark is ever embedded.
"""

from __future__ import annotations

import enum
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from include.xcom_store.errors import ValueNotStorable

if TYPE_CHECKING:
    from collections.abc import Callable


MAX_CHARACTERS = 1_000
"""Of the line in the log."""


class Refused(ValueNotStorable):
    """A part would not come back exactly, and the setting is `refuse`."""


class Unreadable(Exception):
    """Airflow would write it, and nothing could read it back; says why."""


class Notes:
    """What one push changes: how many parts, and which was the first."""

    def __init__(self, *, refuse: bool = True) -> None:
        self._refuse = refuse
        self.count = 0
        self.first = ""

    def add(self, say: Callable[[], str]) -> None:
        """Count a part; `say` names it, its place and what becomes of it."""
        if not self.first:  # in one line: a text of the value's own must not forge another
            self.first = "".join(c if c.isprintable() else "·" for c in say()[:MAX_CHARACTERS])
        self.count += 1

    def check(self, before: int = 0) -> None:
        """Raise `Refused` if there are more than before, and the setting is `refuse`."""
        if self._refuse and self.count > before:
            raise Refused(
                f"{self.first}. Return a type that comes back exactly (docs/types.md), or set "
                "AIRFLOW__XCOM_STORE__INEXACT=warn to store it so."
            )

    def __str__(self) -> str:
        """Return the line of the log."""
        more = f" (and {self.count - 1:,} more)" if self.count > 1 else ""
        first = self.first.removesuffix(".")
        return f"{first}{more}. See docs/types.md; [xcom_store] inexact = refuse prevents it."


_notes: ContextVar[Notes | None] = ContextVar("xcom_store_inexact", default=None)


class collected:  # noqa: N801 - read as a function; as one it takes three times as long
    """Collect what is inexact in a push, also in the cells of its frames."""

    def __init__(self, setting: str) -> None:
        self._notes = Notes(refuse=setting == "refuse")

    def __enter__(self) -> Notes:
        self._token = _notes.set(self._notes)
        return self._notes

    def __exit__(self, *_: object) -> None:
        _notes.reset(self._token)


def notes() -> Notes:
    """Return the notes of the push; outside of one nobody would read them, so all is refused."""
    return _notes.get() or Notes()


def given_back(value: Any) -> Any:
    """Return what Airflow's own backend would give back; of what holds others, only the outside.

    Raises:
        Unreadable: Airflow writes it, and cannot read it.
        TypeError: Airflow does not take it, either.
    """
    if isinstance(value, enum.Enum) and isinstance(value, (str, int, float)):
        return value.value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return tuple(value)
    if base := next((kind for kind in _BASES if isinstance(value, kind)), None):
        return _BASES[base](value)
    return from_airflow(airflow_text(value))


_BASES: dict[type, Callable[[Any], Any]] = {
    dict: lambda value: dict(value.items()),
    list: list,
    str: str.__str__,  # and not one of the subclass's own
    int: int.__int__,
    float: float.__float__,
}


def airflow_text(value: Any) -> bytes:
    """Return the JSON that Airflow's serializer makes of a value; `TypeError` if it does not."""
    from airflow.sdk.serde import serialize

    try:
        # As UTF-8, as it would be stored: a lone surrogate does not survive that.
        return json.dumps(serialize(value), allow_nan=False, ensure_ascii=False).encode()
    except Exception as error:  # whatever a class's own code raises
        names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__)
        advice = next((_INSTEAD[name] for name in names if name in _INSTEAD), _ANOTHER_TYPE)
        raise TypeError(
            f"neither this backend nor Airflow can store its type ({error}). {advice}"
        ) from error


_ANOTHER_TYPE = "Return a type they can (docs/types.md), or add a codec."
_PNG = "Return a PNG of it as bytes, which the viewer shows as an image: "
_INSTEAD = {
    "matplotlib.figure.FigureBase": f"{_PNG}figure.savefig(buffer, format='png') into an "
    "io.BytesIO(), then buffer.getvalue().",
    "matplotlib.artist.Artist": f"{_PNG}its .figure.savefig(buffer, format='png') into an "
    "io.BytesIO(), then buffer.getvalue().",
    "PIL.Image.Image": f"{_PNG}image.save(buffer, 'PNG') into an io.BytesIO(), then "
    "buffer.getvalue(). Or numpy.asarray(image), which comes back as an array.",
    "plotly.basedatatypes.BaseFigure": "Return figure.to_json(), which plotly.io.from_json reads "
    "again, or figure.to_image('png'), which the viewer shows as an image.",
}
"""By class: what to return of what tasks make to be looked at."""


def from_airflow(text: bytes) -> Any:
    """Return what Airflow's serializer reads back; raises `Unreadable` if it cannot."""
    from airflow.sdk.serde import deserialize

    try:
        return deserialize(json.loads(text))
    except Exception as error:
        raise Unreadable(f"Airflow's serializer writes it and cannot read it: {error}") from error


def unreadable(name: str, why: str) -> Any:
    """Read what was stored although it could not be read back: raise what the push has warned of.

    Raises:
        ValueNotStorable: always.
    """
    raise ValueNotStorable(
        f"this value holds a {name}, of which the push has warned that it cannot be read back: "
        f"{why}. Return something else, for example a dict, and run the task again."
    )
