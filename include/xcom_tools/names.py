"""What the command line names: a wrong name is told at once, a shortened run id completed.

    owner = names.narrow(arguments, names.in_store(store))

`ls`, `du`, `cat`, `uri` and `sweep` look the names up in the store, where a DAG whose values are
all small has none; `verify` asks Airflow.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import unquote

from include.xcom_store import keys
from include.xcom_store.keys import Owner
from include.xcom_tools import listing, output
from include.xcom_tools.errors import FOUND, ToolError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from include.xcom_store.stores.base import Store
    from include.xcom_tools.airflow_api import AirflowApi

_SHOWN = 5


class NotThereError(ToolError):
    """Nothing of that name; the message has the nearest ones."""

    exit_code = FOUND


class Names(NamedTuple):
    """Where names are looked up.

    Attributes:
        place: for messages.
        has: whether there is anything of an owner, whose DAG is set.
        dags: all there are.
        runs: of a DAG, the newest last.
        within: what an owner has of a field that is not set, such as the task ids of a run.
    """

    place: str
    has: Callable[[Owner], bool]
    dags: Callable[[], Iterable[str]]
    runs: Callable[[str], Iterable[str]]
    within: Callable[[Owner, str], Iterable[str]]


def narrow(arguments: argparse.Namespace, known: Names) -> Owner:
    """Return whose values are asked for, with the whole run id.

    Raises:
        NotThereError: there is no such DAG, run, task, map index or key.
        ToolError: a shortened run id fits several runs.
    """
    wanted = _with_whole_run(arguments, known)
    if wanted.dag_id and any(part is not None for part in wanted[2:]) and not known.has(wanted):
        _tell_what_is_wrong(wanted, known)
    return wanted


def _tell_what_is_wrong(wanted: Owner, known: Names) -> NoReturn:
    """Raise NotThereError for the first of its fields, from the task on, that nothing has."""
    owner = Owner(*wanted[:2])
    for name in Owner._fields[2:]:
        narrower = owner._replace(**{name: getattr(wanted, name)})
        if narrower == wanted or not known.has(narrower):
            break
        owner = narrower
    asked = str(getattr(wanted, name))
    what = name.removesuffix("_id").replace("_", " ")
    there = sorted(set(known.within(owner, name)))
    raise NotThereError(
        f"no {what} {asked!r} of {owner} in {known.place}. {_nearest(asked, there)}"
    )


def _with_whole_run(arguments: argparse.Namespace, known: Names) -> Owner:
    wanted = listing.selected(arguments)
    if arguments.latest and not wanted.dag_id:
        raise ToolError("--latest is the latest run of a DAG: add --dag-id.")
    if not wanted.dag_id:
        return wanted
    dag_id, asked = wanted.dag_id, wanted.run_id
    if not known.has(Owner(dag_id, None)):
        raise NotThereError(f"no DAG {dag_id!r} in {known.place}. {_nearest(dag_id, known.dags())}")
    if arguments.latest:
        return _completed(wanted, [*known.runs(dag_id)][-1:])
    if asked is None or known.has(Owner(dag_id, asked)):
        return wanted
    runs = [*dict.fromkeys(known.runs(dag_id))]
    fitting = [run_id for run_id in runs if asked in run_id]
    if len(fitting) == 1:
        return _completed(wanted, fitting)
    if not fitting:
        raise NotThereError(
            f"no run {asked!r} of {dag_id} in {known.place}. {_nearest(asked, runs)}"
        )
    newest = ", ".join(fitting[: -_SHOWN - 1 : -1])
    raise ToolError(
        f"{asked!r} fits {len(fitting)} runs of {dag_id}: name more of one, or use --latest. The "
        f"newest: {newest}"
    )


def in_store(store: Store) -> Names:
    """Look names up in the store; they are told from objects' keys."""

    def has(owner: Owner) -> bool:
        return next(listing.objects(store, owner), None) is not None

    def dags() -> Iterator[str]:
        after = None  # behind all that is under a DAG, so one request finds the next one
        while found := next(store.list("", after), None):
            place = listing.parse(found.key)
            if place:
                yield unquote(place.dag_id)
            after = f"{found.key.partition('/')[0]}/~" if "/" in found.key else found.key

    def runs(dag_id: str) -> list[str]:
        newest: dict[str, float] = {}
        for each in listing.objects(store, Owner(dag_id, None)):
            assert each.place
            run, written = each.place.run_id, each.info.modified.timestamp()
            newest[run] = max(written, newest.get(run, written))
        whole = ((unquote(run), run) for run in sorted(newest, key=lambda run: newest[run]))
        # Over-long ones are cut in keys: they can only be named as Airflow has them.
        return [said for said, run in whole if keys.encoded(said) == run]

    def within(owner: Owner, name: str) -> Iterator[str]:
        for each in listing.objects(store, owner):
            assert each.place
            yield each.place.shown()[name]

    place = f"{store.uri()} (small values lie in Airflow's database only)"
    return Names(place, has, dags, runs, within)


def in_airflow(api: AirflowApi) -> Names:
    """Look names up in Airflow, of which only those are there that the token may read."""

    def has(owner: Owner) -> bool:
        if any(part is not None for part in owner[2:]):
            return next(api.owners(owner), None) is not None
        if owner.run_id is None:
            return owner.dag_id in [*api.dag_ids()]
        return owner.run_id in runs(str(owner.dag_id))

    def within(owner: Owner, name: str) -> Iterator[str]:
        return (str(getattr(each, name)) for each in api.owners(owner))

    def runs(dag_id: str) -> list[str]:
        return [str(run.run_id) for run in api.runs(dag_id)]

    return Names(f"Airflow at {api.url}", has, api.dag_ids, runs, within)


def _completed(wanted: Owner, run_ids: list[str]) -> Owner:
    if not run_ids:
        raise NotThereError(f"no run of {wanted.dag_id} that can be told from its keys.")
    output.say(f"Run {run_ids[0]}")
    return wanted._replace(run_id=run_ids[0])


def _nearest(asked: str, there: Iterable[str]) -> str:
    names = [*there]
    near = difflib.get_close_matches(asked, names, _SHOWN, 0.5)
    if near:
        return f"The nearest: {', '.join(near)}"
    return (
        f"There are: {', '.join(names[:_SHOWN])}{' …' * (len(names) > _SHOWN)}"
        if names
        else "There are no others."
    )
