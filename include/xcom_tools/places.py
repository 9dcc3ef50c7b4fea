"""The stores that are set: `[xcom_store] url`, and those of `also_read`.

Each is looked at by itself: with its own URL in the first place, and the others, in which a row may
lead as well, behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.xcom_tools.errors import ToolError

if TYPE_CHECKING:
    from include.xcom_store.settings import Settings


def each(options: Settings) -> list[Settings]:
    """Return the settings once for each store, the one that is written to first."""
    urls = list(filter(None, [options.url, *options.also_read.split()]))
    return [
        options._replace(url=url, also_read=" ".join(other for other in urls if other != url))
        for url in urls
    ] or [options]


def named(options: Settings, url: str | None) -> Settings:
    """Return the settings for one of the stores; for None for the one that is written to.

    Raises:
        ToolError: it is not one of those that are set.
    """
    if url is None:
        return options
    for found in each(options):
        if found.url == url:
            return found
    known = ", ".join(str(found.url) for found in each(options))
    raise ToolError(f"{url} is none of those in [xcom_store] url and also_read: {known}.")
