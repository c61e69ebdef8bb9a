"""How much to trade: never more than the risk, the largest position or the margin allows."""

from __future__ import annotations

from core.compile import kernel, shared
from core.prices import quantity_to_steps


@kernel
def size_steps(
    risk_money: float,
    stop_distance: float,
    point_value: float,
    lot: float,
    max_quantity: float,
    free_margin: float,
    margin_per_unit: float,
) -> int:
    """Return the number of whole lot steps to trade; 0 means the setup is refused `size_zero`.

    Parameters
    ----------
    risk_money : account currency at risk between entry and stop.
    stop_distance : |planned entry - initial stop| in price units, > 0.
    point_value : account money per 1.0 price move of 1.0 quantity (multiplier x fx).
    lot : quantity step.
    max_quantity : largest quantity allowed (inf: no limit).
    free_margin, margin_per_unit : account currency; per 1.0 of quantity (0: no margin limit).

    Notes
    -----
    Steps are floor(quantity / lot + 1e-9): never rounded up to the smallest lot.
    """
    loss_per_unit = stop_distance * point_value
    if loss_per_unit <= 0.0 or risk_money <= 0.0:
        return 0
    steps = quantity_to_steps(risk_money / loss_per_unit, lot)
    if max_quantity < steps * lot:
        steps = min(steps, quantity_to_steps(max_quantity, lot))
    if margin_per_unit > 0.0:
        steps = min(steps, quantity_to_steps(free_margin / margin_per_unit, lot))
    return max(steps, 0)


@shared
def margin_per_unit(fixed: float, rate: float, price: float, multiplier: float) -> float:
    """Return the initial margin per 1.0 of quantity at a price, in quote currency."""
    return fixed + rate * price * multiplier


def cash_needed(
    stop_distance: float,
    point_value: float,
    lot: float,
    risk_share: float,
    margin_per_unit: float = 0.0,
) -> float:
    """Return the equity at which one lot step would pass: the figure shown with `size_zero`.

    Parameters
    ----------
    risk_share : share of equity at risk per trade (0.005 = 0.5 %), > 0.
    stop_distance, point_value, lot, margin_per_unit : as in `size_steps`.

    Returns
    -------
    float
        Account currency: the larger of what the risk rule and the margin ask for one step.
    """
    return max(stop_distance * point_value * lot / risk_share, margin_per_unit * lot)
