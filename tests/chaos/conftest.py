"""One product with one embedded server for all kills of a pytest process: a server outlives its engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.product import Product, wait_until


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The command line with an empty home. Afterwards its server is stopped, and no process of it may be left."""
    product = Product(tmp_path_factory.mktemp("killed"))
    try:
        yield product
    finally:
        product.call("down")
    wait_until(lambda: not product.processes(), "every process has ended")
