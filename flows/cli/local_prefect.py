"""What a command that runs a flow needs of Prefect on this machine, made before Prefect is imported."""

from pathlib import Path


def open_prefect() -> Path:
    """Prefect's home. An ephemeral server, where Prefect starts one, ends with this process, however that ends."""
    from tasks.settings import load_settings, prefect_home

    home = prefect_home(load_settings())
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value() is None:
        from tasks.ephemeral_server import GuardedServer

        GuardedServer()
    return home
