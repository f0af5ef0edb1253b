"""How far a run's labels lie from the survey labels that a version could have learnt from, on the stars that its seed held out."""

import numpy as np
import psycopg
from psycopg import sql

from catalog.releases import DataRelease
from catalog.statements import statement, template
from models.evaluation.statistics import Spread
from models.forward.training.sample import held_out
from models.spec import Configuration, Figure

PARAMETERS = {"teff": "K", "feh": "dex", "logg": "dex", "ext": "mag"}
"""What the surveys and the map of the dust say something of, and the units of the figures."""


def run_figures(connection: psycopg.Connection, release: DataRelease, run_id: int, configuration: Configuration, seed: int) -> list[Figure]:
    """Scatter and bias of the labels against LAMOST's and the map's, under the paper's validation cuts (Zhang, Green & Rix 2023, section 4.4).

    Stars are those that the seed holds out, whichever release the version learnt from. No figure where a release has no such stars.
    """
    from models.forward.evaluation.estimates import LOSS_PER_DOF, PARALLAX_SNR  # which reads the model that this is a part of

    rows = template("views/training_forward.sql").format(
        columns=sql.SQL("*"), release_id=sql.Literal(release.release_id), cut_dialect=sql.Literal(release.cut_dialect)
    )
    query = statement("forward_beside_surveys").format(rows=rows)
    found = connection.execute(query, {"run_id": run_id, "release_id": release.release_id}).fetchall()
    (labelled, reliable) = connection.execute(statement("forward_basic_cut"), {"run_id": run_id}).fetchone() or (0, 0)
    figures = [Figure("pass the basic cut (quality_flags < 8)", reliable / labelled, "of the labels", labelled)] if labelled else []
    if not found:
        return figures
    table = np.array(found, object)
    source_id = table[:, 0].astype(np.int64)
    loss, parallax_over_error, *differences = (table[:, i].astype(float) for i in range(1, table.shape[1]))
    chosen = held_out(source_id, float(configuration["held_out_share"]), seed)
    chosen &= (parallax_over_error >= PARALLAX_SNR) & (loss <= LOSS_PER_DOF)
    for (name, unit), difference in zip(PARAMETERS.items(), differences, strict=True):
        spread = Spread.of(difference[chosen])
        if spread.n:
            figures.append(Figure(f"scatter of {name} against surveys, held-out stars", spread.scatter, unit, spread.n))
            figures.append(Figure(f"bias of {name}", spread.bias, unit, spread.n))
    return figures
