"""One product with one embedded server for all end-to-end tests of a pytest process, gone at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.product import Product, wait_until


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The command line with an empty home. Afterwards its server is stopped, and no process of it may be left."""
    product = Product(tmp_path_factory.mktemp("product"))
    try:
        yield product
    finally:
        product.call("down")
    wait_until(lambda: not product.processes(), "every process has ended")
