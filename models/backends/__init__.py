"""backends: what drives neural models, or replays what they once wrote."""
