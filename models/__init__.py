"""models: what things are and what the numbers mean. Records, configuration, the reward model, budgets, metrics."""
