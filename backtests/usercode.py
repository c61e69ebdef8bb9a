"""A user's own strategy file: finding its class, and saying where it went wrong."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

from core.config_fields import is_file_name, split_file_name
from core.errors import ConfigError, StrategyError, near_name

__all__ = ["blame", "is_file_name", "load_strategy", "split_file_name"]


def load_strategy(name: str) -> type[Any]:
    """Return the Backtrader strategy class named by `path/to/file.py:Class`.

    The class may be left out if the file defines exactly one strategy.

    Raises
    ------
    ConfigError : no such file or class, or it is no Backtrader strategy.
    StrategyError : the file itself raises while it is read; names its line.
    """
    import backtrader as bt

    file, wanted = split_file_name(name)
    path = Path(file)
    if not path.is_file():
        siblings = [str(near) for near in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ConfigError(f"--strategy {name}: no file {file}" + near_name(file, siblings))
    module = _read_module(path)
    own = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, bt.Strategy)
        and value.__module__ == module.__name__
    }
    if not wanted and len(own) == 1:
        return next(iter(own.values()))
    if wanted in own:
        return own[wanted]
    if not own:
        raise ConfigError(f"--strategy {name}: {file} defines no backtrader.Strategy")
    asked = f"no strategy '{wanted}' in {file}" if wanted else f"name one class of {file}"
    raise ConfigError(f"--strategy {name}: {asked}" + near_name(wanted, own))


def _read_module(path: Path) -> Any:
    name = f"user_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--strategy {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise StrategyError(f"{path}:{error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:  # whatever it is, the user's to mend
        del sys.modules[name]
        raise blame(error, path, "while the file was read") from error
    return module


def blame(error: BaseException, source: Path, when: str) -> StrategyError:
    """Return a StrategyError that names the strategy's own line an exception came through.

    Parameters
    ----------
    error : BaseException
        What the strategy raised.
    source : Path
        The file that defines the strategy.
    when : str
        Which bar was at hand.
    """
    wanted = source.resolve()
    line = next(
        (
            frame.lineno
            for frame in reversed(traceback.extract_tb(error.__traceback__))
            if Path(frame.filename).resolve() == wanted
        ),
        None,
    )
    place = f"{source}:{line}" if line is not None else str(source)
    return StrategyError(f"{place}: {type(error).__name__}: {error} ({when})")
