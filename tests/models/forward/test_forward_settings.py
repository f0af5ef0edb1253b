"""The forward model's settings: the paper's and ours, by name, each with its reason."""

import pytest

from catalog.releases import KNOWN_RELEASES
from catalog.version import ROOT
from models.forward.settings import CHOICES, chosen

OF_FLUX_VECTORS = (
    *("error_scaling", "parallax_zero_point", "independent_error", "zero_point_error", "band_zero_point_error", "eigenvalue_floor"),
    *("two_mass_norm_dg", "unwise_norm_dg"),
)
DR3, SIMULATED = KNOWN_RELEASES["gaia_dr3"], KNOWN_RELEASES["sim_dr3"]


def test_each_setting_has_one_name_one_kind_of_value_and_a_sentence() -> None:
    assert len({choice.name for choice in CHOICES}) == len(CHOICES)
    for choice in CHOICES:
        assert type(choice.ours) is type(choice.paper)
        assert choice.words.endswith(".")


def test_of_what_makes_flux_vectors_ours_differs_from_the_papers_in_error_scaling_and_parallax_zero_point() -> None:
    ours, paper = chosen(DR3), chosen(DR3, "paper")
    assert {name: (ours[name], paper[name]) for name in OF_FLUX_VECTORS if ours[name] != paper[name]} == {
        "error_scaling": ("standard_deviation", "off"),
        "parallax_zero_point": ("lindegren2021", "none"),
    }


@pytest.mark.parametrize("name", OF_FLUX_VECTORS)
def test_the_models_page_tells_of_every_setting_of_the_flux_vectors(name: str) -> None:
    page = (ROOT / "docs" / "models" / "forward.md").read_text()
    table = page[page.index("| setting | ours | paper |") :]  # columns of the label table, further up, may bear the same names
    row = next(line for line in table.splitlines() if line.startswith(f"| `{name}` |"))
    ours, paper = (cell.strip(" `") for cell in row.split("|")[2:4])
    told = next(choice for choice in CHOICES if choice.name == name)
    for written, value in ((ours, told.ours), (paper, told.paper)):
        assert (written if isinstance(value, str) else float(written)) == value


def test_the_terms_of_eq_2_and_the_floor_are_the_papers() -> None:
    paper = chosen(DR3, "paper")
    assert (paper["independent_error"], paper["zero_point_error"], paper["band_zero_point_error"]) == (0.005, 0.005, 0.001)
    assert paper["eigenvalue_floor"] == 1e-9
    assert (paper["two_mass_norm_dg"], paper["unwise_norm_dg"]) == (-5.0, -10.0)


def test_a_simulated_sky_has_one_zero_point_and_no_other_exception() -> None:
    simulated, real = chosen(SIMULATED), chosen(DR3)
    assert {name for name in real if real[name] != simulated[name]} == {"parallax_zero_point"}
    assert simulated["parallax_zero_point"] == "-0.03"
    assert chosen(SIMULATED, "paper")["parallax_zero_point"] == "none"
