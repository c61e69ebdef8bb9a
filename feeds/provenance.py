"""What a file of ours says about itself: whose prices they are, read how, changed in what.

Kept as one JSON object: in Parquet's metadata under `tola`, in a text as its first line,
`# tola: {...}`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feeds.kinds import Kind

MARK = "# tola: "
KEY = b"tola"
_HEAD_BYTES = 65_536
_SOURCE_FACTS = (
    "sha256", "dialect", "rows", "timeframe", "zone", "zone_known", "stamp", "stamp_known",
    "price_side", "encoding", "packing", "member", "columns", "dropped", "order", "synthetic",
)  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """Where the rows of a file of ours come from.

    made_by : the command. tool : program and version. made : ISO 8601 UTC.
    symbol, timeframe, price_side, rows : of the file itself.
    sources : name, sha256, dialect, zone and how it was found, row count of each source.
    changes : how many rows were changed, by kind and action.
    checked : findings of the last look at the rows, by severity.
    kind : how the file is to be read, see `feeds.kinds.Kind`.
    """

    made_by: str
    tool: str
    made: str
    symbol: str
    timeframe: str
    price_side: str
    rows: int
    sources: list[dict[str, Any]]
    changes: dict[str, int] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)
    synthetic: bool = False
    kind: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return this as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)

    def facts(self) -> dict[str, Any]:
        """Return what a loaded series reports of its origin."""
        return {"provenance": asdict(self), "synthetic": self.synthetic}

    def reading(self) -> Kind:
        """Return how the file is to be read."""
        known = {f.name for f in fields(Kind)}
        return Kind(**{name: value for name, value in self.kind.items() if name in known})


def now_text() -> str:
    """Return the time of making, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def source_facts(path: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a source: its name without folders and how it was read.

    A source that was itself a file of ours brings its own sources along.
    """
    kept = {name: facts[name] for name in _SOURCE_FACTS if name in facts}
    earlier = facts.get("provenance")
    return {"name": Path(path).name, **kept} | ({"made_from": earlier} if earlier else {})


def parse(text: str) -> Provenance | None:
    """Return a provenance from its JSON, None where it is none of ours."""
    try:
        found = json.loads(text)
        return Provenance(**found)
    except (ValueError, TypeError):
        return None


def from_comments(comments: list[str]) -> Provenance | None:
    """Return the provenance among a text's comment lines."""
    for comment in comments:
        if comment.startswith(MARK):
            return parse(comment[len(MARK) :])
    return None


def stated(path: Path) -> Provenance | None:
    """Return a file's own provenance from its head or metadata alone, None where it has none."""
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return _of_parquet(path)
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return None
    if head[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(_HEAD_BYTES)
        except (OSError, EOFError, zlib.error):
            return None
    if not head.startswith(MARK.encode()):
        return None
    return from_comments(head.decode("utf-8", "replace").splitlines()[:1])


def _of_parquet(path: Path) -> Provenance | None:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return parse(metadata[KEY].decode()) if KEY in metadata else None
