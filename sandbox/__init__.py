"""sandbox: running code that we do not trust."""
