"""tasks: effects. Each task opens a resource, calls one function from below and returns a record."""
