"""flows: when. The order of the steps, as a reader would tell it."""
