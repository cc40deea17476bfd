"""How far a long step is, as a value, and as a line between a child process and its parent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

__all__ = ["Progress", "Report"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is.

    Attributes:
        step: What is being done, in words for the reader.
        done: How much of it, in `unit`.
        total: How much there is; 0 when nobody knows.
        unit: "bytes", "tensors" or "" when there is nothing to count.
    """

    step: str
    done: int
    total: int
    unit: str

    def line(self) -> str:
        """Return this as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str) -> Progress | None:
        """Read one line back; None when the line is something else, such as a library's own output."""
        try:
            fields = json.loads(line)
            return cls(str(fields["step"]), int(fields["done"]), int(fields["total"]), str(fields["unit"]))
        except (ValueError, TypeError, KeyError):
            return None


Report = Callable[[Progress], None]
"""Takes each progress as it comes; called from the thread that does the work."""
