"""A small simulated sky with the files of its surveys, and checks of one file's rows without a database."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog.releases import KNOWN_RELEASES
from ingest.product import CheckedRows, FileContext, Product
from ingest.reader import blocks_of, open_table
from ingest.sky.gaia_rows import true_magnitudes
from ingest.sky.options import StarOptions
from ingest.sky.stars import draw_stars
from ingest.sky.survey_files import survey_input, write_surveys
from ingest.sky.surveys.inputs import SurveyInput
from ingest.source_file import SIMULATED_SKY, SourceFile

Check = Callable[[Path, Product], CheckedRows]


@pytest.fixture(scope="session")
def stars_of_surveys() -> SurveyInput:
    """600 bright simulated stars, as surveys get them."""
    drawn = draw_stars(600, np.random.default_rng(5), StarOptions.demanding(max_g=14.0))
    noise = np.random.default_rng(6).standard_normal(len(drawn))
    return survey_input(drawn, true_magnitudes(drawn), noise, "dr3", 1.0)


@pytest.fixture(scope="session")
def survey_sky(stars_of_surveys: SurveyInput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the survey files of those stars."""
    folder = tmp_path_factory.mktemp("sky")
    (folder / SIMULATED_SKY).write_text("{}")
    write_surveys(stars_of_surveys, folder, 3)
    return folder / "surveys"


@pytest.fixture(scope="session")
def checked() -> Check:
    """Reads the only table of a file of few rows as real data of gaia_dr3, and asks the product's rules."""

    def check(path: Path, product: Product) -> CheckedRows:
        with open_table(SourceFile(path)) as reader:
            product.compare(reader.tables[0], reader.units[0])
            (block,) = list(blocks_of(SourceFile(path), reader, [0], product.fields_in(reader.tables[0])))
        return product.check(block, FileContext(KNOWN_RELEASES["gaia_dr3"], str(path)))

    return check
