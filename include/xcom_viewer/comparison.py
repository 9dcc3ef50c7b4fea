"""Two runs' tables, or validations, beside each other: of what readers said, and nothing else.

Columns are told by their label, expectations by their sentence and, where several read the same, by
their order in the validation: one with another limit is another expectation.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from include.xcom_viewer.shown.tables import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeVar

    from include.xcom_viewer.shown.tables import ColumnView, Profile
    from include.xcom_viewer.shown.verdicts import Line, Verdict

    T = TypeVar("T")

Named = tuple[str, ...]


class Pair(NamedTuple):
    """A figure of the run before and of this one; None is not known, or there is none."""

    before: str | None
    now: str | None
    is_changed: bool = False


@dataclass
class ColumnChange:
    """One column.

    Attributes:
        state: `new`, `gone`, or empty where both runs have it.
    """

    label: str
    is_index: bool
    state: str
    dtype: Pair
    missing: Pair
    least: Pair
    greatest: Pair

    @property
    def is_changed(self) -> bool:
        """Whether anything of it is marked."""
        pairs = (self.dtype, self.missing, self.least, self.greatest)
        return bool(self.state) or any(pair.is_changed for pair in pairs)


@dataclass
class TableChange:
    """A table and that of the run before.

    Attributes:
        grown: by how many rows, and which share of those before; empty where it is not.
        columns: those of this run in their order, then those that are gone.
        is_reordered: the columns that both have stand in another order.
        not_compared: columns beyond those that are.
    """

    rows: Pair
    grown: str
    width: Pair
    columns: list[ColumnChange] = field(default_factory=list)
    is_reordered: bool = False
    not_compared: int = 0


@dataclass
class LineChange:
    """One expectation whose verdict is another, or that only one of the runs has."""

    state: str
    validation: str
    before: Line | None
    now: Line | None


@dataclass
class VerdictChange:
    """A validation and that of the run before.

    Attributes:
        same: expectations whose verdict is as before.
        not_compared: expectations beyond those that are.
    """

    success: Pair
    met: Pair
    lines: list[LineChange]
    same: int
    not_compared: int


def of_tables(before: Profile, now: Profile) -> TableChange:
    """Compare what the ends of two files say."""
    old, new = _by_name(before.columns), _by_name(now.columns)
    cut = [max(0, one.columns_total - len(one.columns)) for one in (before, now)]
    found = TableChange(
        _pair(_count(before.rows), _count(now.rows)),
        _grown(before.rows, now.rows),
        _pair(_count(before.columns_total), _count(now.columns_total)),
        not_compared=max(cut),
    )
    # What one of them lacks may lie beyond its part that was read: then it is not said to be new.
    found.columns = [
        _column(old.get(name), column) for name, column in new.items() if name in old or not cut[0]
    ]
    if not cut[1]:
        found.columns += [_column(column, None) for name, column in old.items() if name not in new]
    common = [[name for name in one if name in other] for one, other in ((old, new), (new, old))]
    found.is_reordered = common[0] != common[1]
    return found


def of_verdicts(before: Verdict, now: Verdict) -> VerdictChange:
    """Compare two validations expectation by expectation; those that fail now come first."""
    old, new = _by_sentence(before), _by_sentence(now)
    hidden = [sum(part.hidden for part in one.validations) for one in (before, now)]
    lines = [_line(old.get(name), line, name[0]) for name, line in new.items()]
    lines += [_line(line, None, name[0]) for name, line in old.items() if name not in new]
    if hidden[0]:
        lines = [line for line in lines if line.state != "new"]
    if hidden[1]:
        lines = [line for line in lines if line.state != "gone"]
    changed = [line for line in lines if line.state]
    changed.sort(key=lambda line: _ORDER.index(line.state))
    words = {True: "met", False: "failed"}
    return VerdictChange(
        _pair(words[before.success], words[now.success]),
        _pair(*(f"{one.met:,} of {one.met + one.failed:,}" for one in (before, now))),
        changed,
        len(lines) - len(changed),
        max(hidden),
    )


_ORDER = ("fails now", "new", "gone", "met now")


def _line(before: Line | None, now: Line | None, validation: str) -> LineChange:
    if before is None or now is None:
        state = "new" if before is None else "gone"
    else:
        changed = "met now" if now.success else "fails now"
        state = "" if before.success == now.success else changed
    return LineChange(state, validation, before, now)


def _column(before: ColumnView | None, now: ColumnView | None) -> ColumnChange:
    one = now or before
    assert one is not None
    both = before is not None and now is not None
    old, new = ((column and column.figures) or Figures(0) for column in (before, now))
    dtype = _pair(before.dtype if before else None, now.dtype if now else None)
    # Of another type, or another zone, the same text may mean another value, or the reverse.
    comparable = both and not dtype.is_changed
    return ColumnChange(
        one.label,
        one.is_index,
        "" if both else "new" if before is None else "gone",
        dtype,
        _missing(old, new),
        _pair(old.least, new.least, compared=comparable),
        _pair(old.greatest, new.greatest, compared=comparable),
    )


def _pair(before: str | None, now: str | None, *, compared: bool = True) -> Pair:
    is_known = before is not None and now is not None
    return Pair(before, now, compared and is_known and before != now)


def _missing(old: Figures, new: Figures) -> Pair:
    """Return the shares, marked by the counts: two of them may read the same."""
    if old.nulls is None or new.nulls is None:
        is_changed = False
    else:
        is_changed = old.nulls * new.nulls_of != new.nulls * old.nulls_of
    before, now = (None if one.nulls is None else one.nulls_percent for one in (old, new))
    return Pair(before, now, is_changed)


def _count(number: int | None) -> str | None:
    return None if number is None else f"{number:,}"


def _grown(before: int | None, now: int | None) -> str:
    if before is None or now is None or before == now:
        return ""
    share = f", {100 * (now - before) / before:+.3g}%" if before else ""
    return f"{now - before:+,}{share}".replace("-", "−")


def _by_name(columns: Iterable[ColumnView]) -> dict[Named, ColumnView]:
    """Return columns by label; of those with the same label, the first, the second …."""
    return dict(_numbered(((column.label, str(column.is_index)), column) for column in columns))


def _by_sentence(verdict: Verdict) -> dict[Named, Line]:
    return dict(
        _numbered(
            ((validation.name, line.kind, line.sentence), line)
            for validation in verdict.validations
            for line in validation.lines
        )
    )


def _numbered(pairs: Iterable[tuple[Named, T]]) -> Iterator[tuple[Named, T]]:
    seen: Counter[Named] = Counter()
    for name, thing in pairs:
        seen[name] += 1
        yield (*name, str(seen[name])), thing
