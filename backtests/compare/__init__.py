"""Finished runs side by side: settings, figures, trades, equity."""
