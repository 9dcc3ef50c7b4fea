"""Sizes as people read them: one unit system for the logs, the tools and the viewer."""

from __future__ import annotations


def size_text(count: int) -> str:
    """Return bytes in SI units, with one decimal below 10 of a unit: 0 B, 1.5 kB, 154 kB, 12 MB."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB", "EB"):
        if amount < (1000 if unit == "B" else 999.5):  # 999.5 would be shown as 1,000
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.{int(unit != 'B' and amount < 9.95)}f} {unit}"
