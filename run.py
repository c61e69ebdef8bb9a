#!/usr/bin/env python3
"""The door of the command line and nothing else; its verbs are in `cli`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

if __name__ == "__main__":

    def _end(number: int, frame: FrameType | None) -> None:
        """End on Ctrl-C while modules are imported, before anything has begun.

        An exception would not do: what is half imported may swallow it, or make another of it.
        """
        os.write(2, b"interrupted: nothing was kept\n")
        os._exit(1)

    heard = signal.getsignal(signal.SIGINT)  # ignored, if a shell started it in the background
    if heard is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)

    from core.environment import enter, leave

    enter(sys.argv)

from cli.app import app, main

__all__ = ["app", "main"]

if __name__ == "__main__":
    signal.signal(signal.SIGINT, heard)
    leave(main(sys.argv[1:]))
