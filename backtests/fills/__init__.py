"""The brokers of a backtest: our fill rules and Backtrader's own, and the account behind them."""
