"""A whole simulated sky in a folder, as the archives would ship it: ``make_sky``.

    DIR/gaia_source/GaiaSource_000000-003111.csv.gz ...         and _MD5SUM.txt
    DIR/xp_continuous_mean_spectrum/XpContinuousMeanSpectrum_...
    DIR/rvs_mean_spectrum/RvsMeanSpectrum_...
    DIR/surveys/...                                             the surveys on the ground (survey_files)
    DIR/dr3_neighbourhood/...                                   for the mock DR4: which source of DR3 is which of DR4
    DIR/truth.parquet, survey_truth.parquet                     what is true; neither ingest nor training nor prediction ever reads them
    DIR/information.parquet                                     how well it could be known at best; as little read (information)
    DIR/sky.json                                                the settings that made it

Stars are drawn at once (they are small), then each range of level-8 pixels is observed and written by a process of its own, block by block, so
memory does not grow with the sky. Every block draws its noise from a generator of its own, so the same settings give the same bytes on any
number of processes. Files are complete or absent, and a range whose files are there already is not made again. One process at a time makes
a folder, and its workers end with it, however it ends: no worker left behind writes into a sky that is being finished.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from catalog.errors import DataError, TransientError, UsageError
from catalog.spectra import Band
from catalog.version import VERSION
from ingest.sky.bulk_ecsv import BulkColumn, file_name, pixel_ranges, write_bulk, write_md5_list
from ingest.sky.bulk_tables import RVS_MEAN, XP_CONTINUOUS
from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.fisher import population_information
from ingest.sky.gaia_rows import EPOCHS, gaia_source_columns, observe_block, true_magnitudes
from ingest.sky.information import information_columns, information_sample, information_table
from ingest.sky.options import StarOptions
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.survey_files import SURVEY_TRUTH, survey_input, write_surveys
from ingest.sky.surveys.inputs import SurveyInput
from ingest.sky.surveys.neighbourhood import NeighbourhoodOptions, draw_mock_dr4, unused_source_ids, write_neighbourhood
from ingest.sky.truth import truth_table, write_truth
from ingest.sky.xp_forward import BANDS, Release
from ingest.sky.xp_noise import draw_transits

BLOCK_STARS = 2_000
"""Stars observed at a time in one process: some 120 MB."""
MOST_STARS_A_FILE = 4_000
LEAST_STARS_A_FILE = 100
NEW_IN_DR4 = 0.02
"""Stars of the mock DR4 that DR3 lacks, as a share of DR3's."""
SETTINGS = "sky.json"
TRUTH = "truth.parquet"
INFORMATION = "information.parquet"
INFORMATION_BLOCK = 512
"""Stars whose bounds one process calculates at a time; fixed, so that the bytes do not depend on the number of processes."""

Report = Callable[[int, int], None]
"""Hears of the stars written so far, and of all."""


@dataclass(frozen=True)
class SkySettings:
    """Everything that makes a simulated sky what it is."""

    stars: int
    seed: int
    release: Release = "dr3"
    alpha_gain: float = ALPHA_GAIN
    """Strength of the alpha elements' features in XP; 0 is the negative control, in which XP spectra know next to nothing of alpha."""
    inflate: float = 1.0
    """True noise over stated errors."""
    max_g: float = 17.65
    rv_scatter: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.stars <= 10_000_000:
            raise UsageError(f"a simulated sky has 1 to 10,000,000 stars, not {self.stars}.")
        if self.alpha_gain < 0 or self.inflate <= 0:
            raise UsageError("--alpha-gain is zero or more, --inflate more than zero.")

    def options(self) -> StarOptions:
        """The options of the draw: every trouble that real data have."""
        return StarOptions.demanding(max_g=self.max_g, rv_scatter=self.rv_scatter)


@dataclass(frozen=True)
class Table:
    """One of the bulk tables: its folder, the first word of its files' names, and its columns."""

    folder: str
    prefix: str
    columns: tuple[BulkColumn, ...]


@dataclass(frozen=True)
class MadeSky:
    """What stands in the folder: stars, files with their sizes in bytes, and how many files this call had to write."""

    folder: Path
    stars: int
    files: int
    written: int
    size: int


def tables(release: Release) -> tuple[Table, Table, Table]:
    """The bulk tables of a release: gaia_source, XP continuous, RVS mean."""
    return (
        Table("gaia_source", "GaiaSource", gaia_source_columns(release)),
        Table("xp_continuous_mean_spectrum", "XpContinuousMeanSpectrum", XP_CONTINUOUS),
        Table("rvs_mean_spectrum", "RvsMeanSpectrum", RVS_MEAN),
    )


def make_sky(settings: SkySettings, folder: Path, *, workers: int | None = None, report: Report = lambda done, stars: None) -> MadeSky:
    """Make a simulated sky in ``folder``; the same settings again only finish what is missing.

    DataError where the folder holds a sky of other settings: two skies in one folder would be no sky. TransientError while another process
    makes this one, or when a worker was killed; the same call then goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        _keep_settings(settings, folder)
        try:
            return _make(settings, folder, workers or os.cpu_count() or 1, report)
        except BrokenProcessPool as error:
            raise TransientError(
                f"a process that made files of {folder} was killed, perhaps for want of memory; the same command goes on, with fewer --workers."
            ) from error


def _make(settings: SkySettings, folder: Path, workers: int, report: Report) -> MadeSky:
    # One generator for the stars; the ranges' own follow from the seed and their first pixel.
    # A larger sky begins with the stars of a smaller one: those beyond the DR3 sky of the same seed are the mock DR4's new ones.
    n_new = round(NEW_IN_DR4 * settings.stars) if settings.release == "dr4" else 0
    whole = draw_stars(settings.stars + n_new, np.random.default_rng(settings.seed), settings.options())
    drawn, new = whole.take(slice(0, settings.stars)), whole.take(slice(settings.stars, None))
    drawn = drawn.take(np.argsort(drawn.source_id, kind="stable"))
    noise = np.random.default_rng([settings.seed, 3]).standard_normal(len(drawn))
    with _pool(workers) as pool:
        magnitudes = _magnitudes(pool, drawn, settings)
    seen = survey_input(drawn, magnitudes, noise, settings.release, settings.inflate)
    stars, noise = (drawn, noise) if settings.release == "dr3" else _mock_dr4(drawn, new, seen, noise, settings, folder)
    # Some files even for a small sky, so that several processes have work; by the number of stars alone, so that the bytes do not change.
    ranges = pixel_ranges(stars.source_id, min(MOST_STARS_A_FILE, max(LEAST_STARS_A_FILE, settings.stars // 4)))
    pixel = stars.source_id >> 43
    checksums: dict[str, dict[str, str]] = {table.folder: _checksums(folder / table.folder) for table in tables(settings.release)}
    done = written = 0
    with _pool(workers) as pool:
        jobs = {}
        for first, last in ranges:
            mine = (pixel >= first) & (pixel <= last)
            missing = [t for t in tables(settings.release) if not _is_whole(folder, t, first, last, checksums)]
            if missing:
                jobs[pool.submit(write_range, stars.take(mine), noise[mine], settings, folder, first, last)] = int(mine.sum())
            else:
                done += int(mine.sum())
        report(done, len(stars))
        for job in as_completed(jobs):
            for table, name, digest in job.result():
                checksums[table][name] = digest
                written += 1
            done += jobs[job]
            report(done, len(stars))
            for table in checksums:
                write_md5_list(folder / table, checksums[table])
        if not (folder / INFORMATION).is_file():
            write_truth(_information(pool, stars, _transits(stars, ranges, settings), settings), folder / INFORMATION)
    if settings.release == "dr3" and not (folder / SURVEY_TRUTH).is_file():
        write_surveys(seen, folder, settings.seed)
    if not (folder / TRUTH).is_file():
        write_truth(truth_table(stars), folder / TRUTH)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return MadeSky(folder, len(stars), len(files), written, sum(path.stat().st_size for path in files))


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _magnitudes(pool: ProcessPoolExecutor, stars: Stars, settings: SkySettings) -> Float64[np.ndarray, "n 8"]:
    """G, BP, RP, J, H, Ks, W1, W2 of all stars without noise."""
    blocks = [stars.take(slice(start, start + BLOCK_STARS)) for start in range(0, len(stars), BLOCK_STARS)]
    return np.concatenate(list(pool.map(partial(true_magnitudes, alpha_gain=settings.alpha_gain), blocks)))


def _mock_dr4(
    stars: Stars, new: Stars, seen: SurveyInput, noise: Float64[np.ndarray, " n"], settings: SkySettings, folder: Path
) -> tuple[Stars, Float64[np.ndarray, " m"]]:
    """The sources of the mock DR4 in the order of their new numbers, at its epoch, and their parallax noise; writes the neighbourhood.

    ``new`` are stars that DR3 lacks, and so does the neighbourhood.
    """
    rng = np.random.default_rng([settings.seed, 4])
    mock = draw_mock_dr4(seen, rng, NeighbourhoodOptions(new=0.0))
    place = folder / "dr3_neighbourhood"
    place.mkdir(exist_ok=True)
    write_neighbourhood(place, mock)
    sources = stars.take(mock.star)
    # A spurious source, split off its star, shows a fainter copy of its light.
    faded = sources.radius * 10.0 ** (-0.2 * mock.magnitude_offset)
    sources = replace(sources, source_id=mock.source_id, ra=mock.ra, dec=mock.dec, radius=faded)
    numbers = unused_source_ids(new.source_id, np.concatenate([stars.source_id, mock.source_id]), rng)
    both = Stars.concatenate([sources, replace(new.after(EPOCHS["dr4"] - EPOCHS["dr3"]), source_id=numbers)])
    order = np.argsort(both.source_id, kind="stable")
    return both.take(order), np.concatenate([noise[mock.star], rng.standard_normal(len(new))])[order]


def write_range(
    stars: Stars, noise: Float64[np.ndarray, " n"], settings: SkySettings, folder: Path, first: int, last: int
) -> list[tuple[str, str, str]]:
    """Observe the stars of one range and write its three files; (table folder, file name, MD5) of each."""
    blocks = list(_observed(stars, noise, settings, first))
    done = []
    for i, table in enumerate(tables(settings.release)):
        name = file_name(table.prefix, first, last)
        rows: Iterator[Mapping[str, np.ndarray]] = (block[i] for block in blocks)
        done.append((table.folder, name, write_bulk(folder / table.folder, name, table.columns, rows)))
    return done


def _observed(
    stars: Stars, noise: Float64[np.ndarray, " n"], settings: SkySettings, first: int
) -> Iterator[tuple[Mapping[str, np.ndarray], ...]]:
    for start in range(0, len(stars), BLOCK_STARS):
        block = slice(start, start + BLOCK_STARS)
        rows = observe_block(
            stars.take(block), noise[block], _noise_generator(settings, first, start),
            release=settings.release, alpha_gain=settings.alpha_gain, inflate=settings.inflate,
        )  # fmt: skip
        yield rows.gaia_source, rows.xp_continuous, rows.rvs_mean


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds the folder against other makers; the system lets go of it when the process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TransientError(f"another process makes the simulated sky in {folder}; wait for it, or give another folder.") from error
        yield
    finally:
        os.close(descriptor)


def _end_with_parent() -> None:
    """A worker ends when its parent does, even when that was killed: it would wait for work for ever, or write on."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _noise_generator(settings: SkySettings, first: int, start: int) -> np.random.Generator:
    """The generator of a block's noise: that of the stars from number ``start`` of the range that begins at the pixel ``first``."""
    return np.random.default_rng([settings.seed, 1, first, start])


def _transits(stars: Stars, ranges: list[tuple[int, int]], settings: SkySettings) -> dict[Band, Float64[np.ndarray, " n"]]:
    """The transits that the files' spectra have: the first that ``observe_block`` draws of a block, drawn again."""
    transits: dict[Band, Float64[np.ndarray, " n"]] = {band: np.empty(len(stars)) for band in BANDS}
    for first, last in ranges:
        mine = np.flatnonzero((stars.source_id >> 43 >= first) & (stars.source_id >> 43 <= last))
        for start in range(0, len(mine), BLOCK_STARS):
            block = mine[start : start + BLOCK_STARS]
            drawn = draw_transits(len(block), _noise_generator(settings, first, start), release=settings.release)
            for band in BANDS:
                transits[band][block] = drawn[band]
    return transits


def _information(
    pool: ProcessPoolExecutor, stars: Stars, transits: Mapping[Band, Float64[np.ndarray, " n"]], settings: SkySettings
) -> pa.Table:
    """The bounds of the sample, in the order of their source_id."""
    sample = information_sample(stars, settings.seed)
    blocks = [sample[start : start + INFORMATION_BLOCK] for start in range(0, len(sample), INFORMATION_BLOCK)]
    columns = partial(
        information_columns,
        release=settings.release,
        alpha_gain=settings.alpha_gain,
        inflate=settings.inflate,
        rv_scatter=settings.rv_scatter,
    )
    seen = [{band: transits[band][block] for band in BANDS} for block in blocks]
    population = population_information(stars.take(sample))
    known = [population[start : start + INFORMATION_BLOCK] for start in range(0, len(sample), INFORMATION_BLOCK)]
    return information_table(list(pool.map(columns, [stars.take(block) for block in blocks], seen, known)))


def _keep_settings(settings: SkySettings, folder: Path) -> None:
    """Write the settings down, or refuse a folder that was made with others."""
    path = folder / SETTINGS
    wanted = asdict(settings) | {"simulated": True, "kiel": VERSION}
    if path.is_file():
        found = json.loads(path.read_text())
        if found != wanted:
            changed = ", ".join(f"{name} {found.get(name)!r}" for name in wanted if found.get(name) != wanted[name])
            raise DataError(f"{folder} holds a simulated sky of other settings ({changed}); give another folder, or remove that one.")
        return
    part = path.with_suffix(".part")
    if any(each != part for each in folder.iterdir()):
        raise DataError(f"{folder} holds other files; give an empty or a new folder.")
    part.write_text(json.dumps(wanted, indent=1, sort_keys=True) + "\n")
    part.rename(path)


def _checksums(folder: Path) -> dict[str, str]:
    """The checksum list of a folder, empty where there is none yet."""
    path = folder / "_MD5SUM.txt"
    if not path.is_file():
        return {}
    return {name: digest for digest, name in (line.split("  ", 1) for line in path.read_text().splitlines())}


def _is_whole(folder: Path, table: Table, first: int, last: int, checksums: Mapping[str, Mapping[str, str]]) -> bool:
    name = file_name(table.prefix, first, last)
    return name in checksums[table.folder] and (folder / table.folder / name).is_file()
