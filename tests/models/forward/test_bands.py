"""The flux vector's bands: 61 XP samples as the paper has them, then J, H, Ks, W1, W2."""

from models.forward.bands import BAND_NAMES, N_BANDS, N_XP, NIR_AB_OFFSETS, NIR_BANDS, NIR_WAVELENGTHS, WAVELENGTHS, XP_WAVELENGTHS


def test_there_are_61_samples_from_392_to_992_nm_and_five_infrared_bands() -> None:
    assert (N_XP, N_BANDS) == (61, 66)
    assert XP_WAVELENGTHS[0] == 392
    assert XP_WAVELENGTHS[-1] == 992
    assert set(XP_WAVELENGTHS[1:] - XP_WAVELENGTHS[:-1]) == {10.0}
    assert WAVELENGTHS.tolist() == sorted(WAVELENGTHS.tolist())
    assert len(NIR_BANDS) == len(NIR_WAVELENGTHS) == len(NIR_AB_OFFSETS) == 5


def test_every_band_has_a_name_of_its_own() -> None:
    assert len(set(BAND_NAMES)) == N_BANDS
    assert BAND_NAMES[0] == "392 nm"
    assert BAND_NAMES[60:63] == ("992 nm", "J", "H")
