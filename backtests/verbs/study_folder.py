"""The folder of a study that is no run of its own: an audit, odds. It is written anew each time."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backtests.verbs.commands import RUNS, DrawStudy
from core.errors import TolaError
from core.results import write_json


def study_folder(kind: str, of: str) -> Path:
    """Return where a study of a plan or run lies."""
    return RUNS / f"{kind}-{of}"


def write_study(
    kind: str,
    folder: Path,
    told: Mapping[str, Any],
    content: Mapping[str, Any],
    draw: DrawStudy | None,
) -> dict[str, Any]:
    """Write a study in its folder, in the place of the one before; return the files.

    Parameters
    ----------
    kind : "audit" or "odds"; also the name of its document. told : that document.
    content : of its page. draw : draws the page and the pictures; None leaves them out.

    Raises
    ------
    TolaError : the folder cannot be written.
    """
    document = folder / f"{kind}.json"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        files = {} if draw is None else dict(draw(content, folder))
        files[kind] = document.as_posix()
        write_json(document, {**told, "files": files})
    except OSError as error:
        raise TolaError(
            f"{folder}: the {kind} could not be written ({error.strerror}); free space, or make it "
            "writable"
        ) from error
    return files
