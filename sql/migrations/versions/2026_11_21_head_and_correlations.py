"""The payload of a spectrum becomes two columns: the head (coefficients and errors) in the row, the correlations outside it.

Both ways rewrite every spectrum in one transaction, which takes as much disk again until the next vacuum, and readers of spectra wait.

Revision ID: head_and_correlations
Revises: ledger_counts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "head_and_correlations"
down_revision = "ledger_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_xp_array()
    op.alter_column("xp_spectrum", "payload", new_column_name="head", schema="store")
    op.add_column("xp_spectrum", sa.Column("correlations", postgresql.BYTEA(), nullable=True), schema="store")
    op.execute("ALTER TABLE store.xp_spectrum ALTER COLUMN head SET STORAGE MAIN, ALTER COLUMN correlations SET STORAGE EXTERNAL")
    op.execute(
        """
        UPDATE store.xp_spectrum AS x
        SET head = substring(x.head FOR n.bytes), correlations = CASE WHEN x.layout & 48 <> 0 THEN substring(x.head FROM n.bytes + 1) END
        FROM (
            SELECT s.release_id, s.source_id,
                4 * (((s.layout & 1) + (s.layout >> 2 & 1)) * r.n_bp + ((s.layout >> 1 & 1) + (s.layout >> 3 & 1)) * r.n_rp) AS bytes
            FROM store.xp_spectrum AS s JOIN store.release AS r USING (release_id)
        ) AS n
        WHERE n.release_id = x.release_id AND n.source_id = x.source_id
        """
    )


def downgrade() -> None:
    drop_xp_array()
    op.execute("ALTER TABLE store.xp_spectrum ALTER COLUMN head SET STORAGE EXTERNAL")
    op.execute("UPDATE store.xp_spectrum SET head = head || coalesce(correlations, '')")
    op.drop_column("xp_spectrum", "correlations", schema="store")
    op.alter_column("xp_spectrum", "head", new_column_name="payload", schema="store")


def drop_xp_array() -> None:
    """Drop the function that finds an array in a spectrum, and the public views that would give wrong arrays by it.

    Functions and views are made anew at the end of an upgrade. Never by CASCADE: a view of somebody's own on them stops the migration.
    """
    op.execute(
        """
        DO $$
        DECLARE public_view regclass;
        BEGIN
            FOR public_view IN
                SELECT DISTINCT r.ev_class FROM pg_depend AS d JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                WHERE d.refclassid = 'pg_proc'::regclass
                  AND d.refobjid = to_regprocedure('functions.xp_array(bytea, smallint, integer, integer, integer)')
            LOOP
                EXECUTE format('DROP VIEW %s', public_view);
            END LOOP;
            DROP FUNCTION IF EXISTS functions.xp_array(bytea, smallint, integer, integer, integer);
        END
        $$
        """
    )
