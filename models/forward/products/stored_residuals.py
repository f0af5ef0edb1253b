"""Flux residuals of stars that a run has labelled, recomputed from the stored version and the stored labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import psycopg
from astropy import units
from astropy.table import Table
from jaxtyping import Int64
from matplotlib.figure import Figure
from psycopg import sql

from catalog.errors import DataError, UsageError
from catalog.releases import DataRelease, release_named
from catalog.runs import Run, read_run
from catalog.statements import statement
from catalog.store.model_store import LoadableVersion, read_version
from catalog.store.star_store import read_stars
from models.evaluation.drawing import BLUE, GREY, Drawing
from models.forward.bands import BAND_NAMES, N_XP, WAVELENGTHS
from models.forward.flux_residuals import FluxResiduals, flux_residuals
from models.forward.model import ForwardModel, load
from models.forward.parameters import PARAMETERS

MODEL = "forward"


@dataclass(frozen=True, eq=False)
class RunResiduals:
    """The residuals of a run's stars, and the asked-for sources of which it has none, each with the reason.

    ``simulated`` tells what kind of stars they are, whatever the version learnt from.
    """

    run: Run
    simulated: bool
    version: LoadableVersion
    residuals: FluxResiduals
    without_label: Mapping[int, str]

    def table(self) -> Table:
        """One row a star and band that was measured."""
        found = self.residuals
        star, band = np.nonzero(found.present)
        table = Table()
        table["source_id"] = found.source_id[star]
        table["band"] = np.array(BAND_NAMES)[band]
        table["wavelength"] = WAVELENGTHS[band]
        table["wavelength"].unit = "nm"
        for name in ("observed", "error", "predicted"):
            table[name] = getattr(found, name)[star, band]
            table[name].unit = units.Unit("W m-2 nm-1")
        table["residual"] = found.normalised[star, band]
        table["residual"].description = "Predicted minus observed flux over the error of the observation (Eq. 2 included)"
        table.meta = {"model": self.version.model, "version": self.version.version, "run": self.run.run_id, "simulated": self.simulated}
        return table


def run_residuals(connection: psycopg.Connection, run_id: int | None, source_id: Sequence[int]) -> RunResiduals:
    """The residuals of some sources in a run, or in the published (else the newest whole) one.

    UsageError if there is no run of the forward model or the run is another model's; DataError if none of the sources has a label in it.
    """
    if run_id is None:
        row = connection.execute(statement("newest_run"), {"model": MODEL}).fetchone()
        if row is None:
            raise UsageError("there is no whole run of the forward model: `kiel run create forward`, then `kiel run work RUN`.")
        run_id = int(row[0])
    run = read_run(connection, run_id)
    if run.model != MODEL:
        raise UsageError(f"run {run_id} is of {run.model}, not of {MODEL}.")
    stored = read_version(connection, run.model_version_id)
    model = load(stored.weights, stored.configuration)
    names = (*PARAMETERS, "xi") if model.version.flux_model.has_xi else PARAMETERS
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in ("source_id", *names))
    wanted = sorted(set(source_id))
    asked = {"run_id": run_id, "source_ids": wanted}
    rows = connection.execute(statement("labels_to_recompute").format(columns=columns), asked).fetchall()
    reasons: dict[int, str] = dict(connection.execute(statement("reasons_of"), asked).fetchall())
    labelled = {int(row[0]): row[1:] for row in rows}
    without = {each: reasons.get(each, "is not a source of the run") for each in wanted if each not in labelled}
    if not labelled:
        raise DataError(f"run {run_id} has no label of {', '.join(f'{each} ({why})' for each, why in without.items())}.")
    ids = np.array(sorted(labelled), np.int64)
    release = release_named(connection, run.release)
    parts = list(_residuals(connection, release, model, ids, labelled))
    seen = {int(each) for part in parts for each in part.source_id}
    without |= {each: "it has a label, but its spectrum is gone or cannot be fitted any more" for each in labelled if each not in seen}
    if not seen:
        raise DataError(
            f"run {run_id} has labels, but the release no spectrum that can be fitted any more, of {', '.join(str(each) for each in labelled)}."
        )
    whole = FluxResiduals(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(FluxResiduals)))
    return RunResiduals(run, release.simulated, stored, whole, without)


def _residuals(
    connection: psycopg.Connection,
    release: DataRelease,
    model: ForwardModel,
    ids: Int64[np.ndarray, " n"],
    labelled: Mapping[int, Sequence[float]],
) -> Iterator[FluxResiduals]:
    """Block by block, of the stars that the version can see."""
    for batch in read_stars(connection, release, int(ids[0]), int(ids[-1]), only=ids):
        vectors = model.vectors(batch)
        here = batch.spectra.source_id[vectors.kept]
        yield flux_residuals(model.version, here, vectors.observations, np.array([labelled[int(each)] for each in here], np.float64))


def residuals_figure(found: RunResiduals) -> Drawing:
    """Observed and predicted fluxes of each star (the first six), and its residuals."""
    shown = min(len(found.residuals.source_id), 6)

    def paint(figure: Figure) -> None:
        axes = figure.subplots(shown, 2, squeeze=False, width_ratios=(3, 2))
        for row in range(shown):
            left, right = axes[row]
            flux = found.residuals
            present = flux.present[row]
            left.errorbar(
                WAVELENGTHS[present],
                flux.observed[row, present],
                flux.error[row, present],
                fmt=".",
                color=GREY,
                ms=4,
                lw=0.8,
                label="observed",
            )
            left.plot(WAVELENGTHS[:N_XP], flux.predicted[row, :N_XP], "-", color=BLUE, lw=1.2, label="predicted")
            left.plot(WAVELENGTHS[N_XP:], flux.predicted[row, N_XP:], "_", color=BLUE, ms=8)
            left.set(xscale="log", yscale="log", ylabel="W m$^{-2}$ nm$^{-1}$", title=f"{flux.source_id[row]}")
            right.plot(np.flatnonzero(present), flux.normalised[row, present], ".-", color=BLUE, ms=4, lw=0.8)
            right.axhline(0, color="black", lw=0.7)
            right.set(ylabel="residual / error", xlabel="band" if row == shown - 1 else "")
        axes[0, 0].legend(fontsize=8)
        axes[-1, 0].set_xlabel("wavelength [nm]")

    kind = "Simulated stars" if found.simulated else "Real stars"
    more = "" if shown == len(found.residuals.source_id) else f" The first {shown} stars."
    caption = f"Observed and predicted fluxes, and residuals (predicted minus observed) over the errors, recomputed from the labels.{more}"
    title = f"Flux residuals of run {found.run.run_id}, {MODEL} version {found.version.version}. {kind}."
    return Drawing("flux_residuals", title, caption, paint, (11.0, 2.8 * shown))
