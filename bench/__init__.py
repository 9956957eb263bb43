"""Measurements of orderstate against its budgets, as ratios inside one run. `python -m bench --help` says how."""
