"""A run's trades, fills, orders and equity as files for tax and journal."""
