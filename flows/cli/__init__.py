"""cli: the commands that users script against, one file a group."""
