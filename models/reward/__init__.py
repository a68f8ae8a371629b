"""reward: which rule picks the winner. One file a selector family; all take a boolean matrix and return a ranking."""
