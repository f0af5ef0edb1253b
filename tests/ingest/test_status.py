"""What ``kiel ingest status`` prints."""

import pytest

from ingest.product import Product
from ingest.registry import PRODUCTS
from ingest.status import Total


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_words_stand_apart_whatever_the_product(product: Product) -> None:
    words = Total(product.name, "loaded", 3, 10**6, 5, 5, 4, 1).line().split()
    assert words[:4] == ["loaded", product.name, "3", "files,"]
