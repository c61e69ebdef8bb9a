#!/usr/bin/env python3
"""The door of the command line and nothing else; its verbs are in `cli`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from core.environment import enter, leave

    enter(sys.argv)

from cli.app import app, main

__all__ = ["app", "main"]

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
