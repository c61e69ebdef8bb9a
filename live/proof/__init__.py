"""Proofs of sessions: what was recorded, decided and filled once more.

`verify` proves what was filled on paper or at a sandbox: a backtest over the record must trade the
same. `verify_fed` proves what a real market filled: its fills are given, every decision must
follow.
"""

from live.proof.fed import FedProof, verify_fed
from live.proof.paper import Verified, verify
from live.proof.record import Finding

__all__ = ["FedProof", "Finding", "Verified", "verify", "verify_fed"]
