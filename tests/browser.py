"""Pages in a real, headless Chromium that talks to this machine and to nobody else, and pictures of them on demand.

``CODERM_TEST_SCREENSHOTS=infra pytest tests/e2e/test_prefect_ui.py tests/e2e/test_mlflow_ui.py`` takes README.md's pictures anew.
Playwright's synchronous interface keeps an event loop in its thread, so a test that holds a page talks to Prefect over plain HTTP.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

from tests.processes import ROOT

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE_MS = 120_000
"""A page of a busy machine may take that long; nothing waits for it where the page is there."""
SCREENSHOTS = os.environ.get("CODERM_TEST_SCREENSHOTS")
LARGEST_BYTES = 150_000
SETTLE_MS = 3000
"""For graphs and charts, which are drawn in steps."""
SHORTEN = "root => document.querySelectorAll('input, textarea').forEach(f => { f.value = f.value.replace(root, '…'); })"
"""Of what fields show and not of what they hold, which is the page's."""


@contextmanager
def open_page(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A page; what it asks of other machines (analytics of the UIs) is refused at once, as in a closed network."""
    with sync_playwright() as play, play.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS) as browser:
        page = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", timezone_id="UTC").new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.route(lambda url: urlsplit(url).hostname not in ("127.0.0.1", None), lambda route: route.abort())
        yield page


def picture(page: Page, name: str) -> None:
    """Write ``name``.png of what is in view, in 128 colours, where pictures are asked for; the checkout's path shows as "…"."""
    if SCREENSHOTS is None:
        return
    from PIL import Image

    page.evaluate(SHORTEN, str(ROOT))
    page.wait_for_timeout(SETTLE_MS)
    path = Path(SCREENSHOTS).resolve() / f"{name}.png"
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128).save(path, optimize=True)
    assert path.stat().st_size < LARGEST_BYTES, f"{path}: {path.stat().st_size} bytes"
