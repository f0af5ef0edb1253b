"""Bits of quality flags are powers of two, each used once."""

import pytest

from catalog.quality import QUALITY_FLAGS, masks
from catalog.schema.label_table import LABEL_TABLES


def test_every_model_has_flags() -> None:
    assert QUALITY_FLAGS.keys() == LABEL_TABLES.keys()


@pytest.mark.parametrize("model", QUALITY_FLAGS)
def test_every_bit_and_name_is_used_once_and_fits_the_column(model: str) -> None:
    flags = QUALITY_FLAGS[model]
    assert [flag.bit for flag in flags] == list(range(len(flags)))
    assert len({flag.name for flag in flags}) == len(flags) <= 31
    assert masks(model) == {flag.name: 2**flag.bit for flag in flags}


def test_bits_keep_their_meaning() -> None:
    """Stored labels carry these bits: a change here would change what they say."""
    assert masks("scatter_vae") == {
        "flux_from_g_mag": 1, "flux_synthetic": 2, "no_errors": 4, "missing_bp": 8, "missing_rp": 16, "incomplete": 32,
        "poor_reconstruction": 64,
    }  # fmt: skip
    assert masks("forward") == {
        "teff_uncertain": 1, "feh_uncertain": 2, "logg_uncertain": 4, "poor_fit": 8, "unlikely_type": 16, "parallax_off": 32,
    }, "the bits of Table 2 of Zhang, Green & Rix 2023"  # fmt: skip
