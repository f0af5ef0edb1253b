"""Initial tables: releases, the ingest ledger, gaia_source and XP spectra, models, runs, labels, publications.

Revision ID: 0001_initial_tables
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_initial_tables"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gaia_source",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("solution_id", sa.BigInteger(), nullable=True),
        sa.Column("random_index", sa.BigInteger(), nullable=True),
        sa.Column("ref_epoch", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("ra", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column("ra_error", sa.REAL(), nullable=True),
        sa.Column("dec", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column("dec_error", sa.REAL(), nullable=True),
        sa.Column("parallax", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("parallax_error", sa.REAL(), nullable=True),
        sa.Column("parallax_over_error", sa.REAL(), nullable=True),
        sa.Column("pm", sa.REAL(), nullable=True),
        sa.Column("pmra", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("pmra_error", sa.REAL(), nullable=True),
        sa.Column("pmdec", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("pmdec_error", sa.REAL(), nullable=True),
        sa.Column("astrometric_params_solved", sa.SmallInteger(), nullable=True),
        sa.Column("nu_eff_used_in_astrometry", sa.REAL(), nullable=True),
        sa.Column("pseudocolour", sa.REAL(), nullable=True),
        sa.Column("ecl_lat", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("ruwe", sa.REAL(), nullable=True),
        sa.Column("phot_g_mean_flux", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("phot_g_mean_flux_error", sa.REAL(), nullable=True),
        sa.Column("phot_g_mean_mag", sa.REAL(), nullable=True),
        sa.Column("phot_bp_mean_flux", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("phot_bp_mean_flux_error", sa.REAL(), nullable=True),
        sa.Column("phot_bp_mean_mag", sa.REAL(), nullable=True),
        sa.Column("phot_rp_mean_flux", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("phot_rp_mean_flux_error", sa.REAL(), nullable=True),
        sa.Column("phot_rp_mean_mag", sa.REAL(), nullable=True),
        sa.Column("phot_bp_rp_excess_factor", sa.REAL(), nullable=True),
        sa.Column("bp_rp", sa.REAL(), nullable=True),
        sa.Column("bp_g", sa.REAL(), nullable=True),
        sa.Column("g_rp", sa.REAL(), nullable=True),
        sa.Column("radial_velocity", sa.REAL(), nullable=True),
        sa.Column("radial_velocity_error", sa.REAL(), nullable=True),
        sa.Column("rv_template_teff", sa.REAL(), nullable=True),
        sa.Column("rv_template_logg", sa.REAL(), nullable=True),
        sa.Column("rv_template_fe_h", sa.REAL(), nullable=True),
        sa.Column("vbroad", sa.REAL(), nullable=True),
        sa.Column("grvs_mag", sa.REAL(), nullable=True),
        sa.Column("rvs_spec_sig_to_noise", sa.REAL(), nullable=True),
        sa.Column("phot_variable_flag", sa.Text(), nullable=True),
        sa.Column("l", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("b", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("non_single_star", sa.SmallInteger(), nullable=True),
        sa.Column("has_xp_continuous", sa.Boolean(), nullable=True),
        sa.Column("has_xp_sampled", sa.Boolean(), nullable=True),
        sa.Column("has_rvs", sa.Boolean(), nullable=True),
        sa.Column("teff_gspphot", sa.REAL(), nullable=True),
        sa.Column("logg_gspphot", sa.REAL(), nullable=True),
        sa.Column("mh_gspphot", sa.REAL(), nullable=True),
        sa.Column("distance_gspphot", sa.REAL(), nullable=True),
        sa.Column("azero_gspphot", sa.REAL(), nullable=True),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", "source_id", name="gaia_source_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )
    op.create_table(
        "label_scatter_vae",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("latent", postgresql.BYTEA(), nullable=False),
        sa.Column("e_latent", postgresql.BYTEA(), nullable=False),
        sa.Column("chi2", sa.REAL(), nullable=True),
        sa.Column("chi2_scatter", sa.REAL(), nullable=True),
        sa.Column("n_coefficients", sa.SmallInteger(), nullable=False),
        sa.Column("flux_scale", sa.REAL(), nullable=False),
        sa.Column("quality_flags", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "source_id", name="label_scatter_vae_pkey"),
        schema="store",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "model_weights",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("safetensors", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="model_weights_pkey"),
        schema="store",
    )
    op.create_table(
        "no_label",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "source_id", name="no_label_pkey"),
        schema="store",
        postgresql_partition_by="LIST (run_id)",
    )
    op.create_table(
        "publication",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("schemas", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dropped", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("serial", name="publication_pkey"),
        schema="store",
    )
    op.create_table(
        "release",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("suffix", sa.Text(), nullable=False),
        sa.Column("epoch", sa.DOUBLE_PRECISION(), nullable=False),
        sa.Column("n_bp", sa.SmallInteger(), nullable=False),
        sa.Column("n_rp", sa.SmallInteger(), nullable=False),
        sa.Column("bp_basis_function_id", sa.SmallInteger(), nullable=False),
        sa.Column("rp_basis_function_id", sa.SmallInteger(), nullable=False),
        sa.Column("cut_dialect", sa.Text(), nullable=False),
        sa.Column("largest_pixel_offset", sa.DOUBLE_PRECISION(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("release_id", name="release_pkey"),
        sa.UniqueConstraint("name", name="release_name_key"),
        sa.UniqueConstraint("suffix", name="release_suffix_key"),
        schema="store",
    )
    op.create_table(
        "tap_columns",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("datatype", sa.Text(), nullable=False),
        sa.Column("arraysize", sa.Text(), nullable=True),
        sa.Column("xtype", sa.Text(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("utype", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("ucd", sa.Text(), nullable=True),
        sa.Column("indexed", sa.Integer(), nullable=False),
        sa.Column("principal", sa.Integer(), nullable=False),
        sa.Column("std", sa.Integer(), nullable=False),
        sa.Column("column_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("serial", "table_name", "column_name", name="tap_columns_pkey"),
        schema="store",
    )
    op.create_table(
        "tap_key_columns",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("from_column", sa.Text(), nullable=False),
        sa.Column("target_column", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("serial", "key_id", "from_column", name="tap_key_columns_pkey"),
        schema="store",
    )
    op.create_table(
        "tap_keys",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("from_table", sa.Text(), nullable=False),
        sa.Column("target_table", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("utype", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("serial", "key_id", name="tap_keys_pkey"),
        schema="store",
    )
    op.create_table(
        "tap_schemas",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("utype", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("schema_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("serial", "schema_name", name="tap_schemas_pkey"),
        schema="store",
    )
    op.create_table(
        "tap_tables",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("table_type", sa.Text(), nullable=False),
        sa.Column("utype", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("table_index", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("serial", "table_name", name="tap_tables_pkey"),
        schema="store",
    )
    op.create_table(
        "xp_spectrum",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        # Beside release_id, in bytes that alignment would leave empty: so eight whole spectra fill a page, not seven.
        sa.Column("layout", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("solution_id", sa.BigInteger(), nullable=True),
        sa.Column("bp_basis_function_id", sa.SmallInteger(), nullable=True),
        sa.Column("bp_degrees_of_freedom", sa.SmallInteger(), nullable=True),
        sa.Column("bp_n_parameters", sa.SmallInteger(), nullable=True),
        sa.Column("bp_n_measurements", sa.SmallInteger(), nullable=True),
        sa.Column("bp_n_rejected_measurements", sa.SmallInteger(), nullable=True),
        sa.Column("bp_standard_deviation", sa.REAL(), nullable=True),
        sa.Column("bp_chi_squared", sa.REAL(), nullable=True),
        sa.Column("bp_n_relevant_bases", sa.SmallInteger(), nullable=True),
        sa.Column("bp_relative_shrinking", sa.REAL(), nullable=True),
        sa.Column("rp_basis_function_id", sa.SmallInteger(), nullable=True),
        sa.Column("rp_degrees_of_freedom", sa.SmallInteger(), nullable=True),
        sa.Column("rp_n_parameters", sa.SmallInteger(), nullable=True),
        sa.Column("rp_n_measurements", sa.SmallInteger(), nullable=True),
        sa.Column("rp_n_rejected_measurements", sa.SmallInteger(), nullable=True),
        sa.Column("rp_standard_deviation", sa.REAL(), nullable=True),
        sa.Column("rp_chi_squared", sa.REAL(), nullable=True),
        sa.Column("rp_n_relevant_bases", sa.SmallInteger(), nullable=True),
        sa.Column("rp_relative_shrinking", sa.REAL(), nullable=True),
        sa.Column("payload", postgresql.BYTEA(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", "source_id", name="xp_spectrum_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )
    op.create_table(
        "displaced_source",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("offset_deg", sa.DOUBLE_PRECISION(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="displaced_source_release_id_fkey"),
        sa.PrimaryKeyConstraint("release_id", "source_id", name="displaced_source_pkey"),
        schema="store",
    )
    op.create_table(
        "ingest_file",
        sa.Column("file_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("header", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("rows_in", sa.BigInteger(), nullable=True),
        sa.Column("rows_loaded", sa.BigInteger(), nullable=True),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=True),
        sa.Column("added", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code_version", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'verified', 'loading', 'loaded', 'failed', 'not_a_product')", name="ingest_file_state_check"
        ),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="ingest_file_release_id_fkey"),
        sa.PrimaryKeyConstraint("file_id", name="ingest_file_pkey"),
        sa.UniqueConstraint("release_id", "sha256", name="ingest_file_release_id_sha256_key"),
        schema="store",
    )
    op.create_table(
        "model_version",
        sa.Column("model_version_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("weights_sha256", sa.Text(), nullable=False),
        sa.Column("configuration", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("configuration_sha256", sa.Text(), nullable=False),
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("training_query", sa.Text(), nullable=False),
        sa.Column("training_count", sa.BigInteger(), nullable=False),
        sa.Column("training_sha256", sa.Text(), nullable=False),
        sa.Column("trained_on", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("trained_on IN ('real', 'simulated')", name="model_version_trained_on_check"),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="model_version_release_id_fkey"),
        sa.ForeignKeyConstraint(["weights_sha256"], ["store.model_weights.sha256"], name="model_version_weights_sha256_fkey"),
        sa.PrimaryKeyConstraint("model_version_id", name="model_version_pkey"),
        sa.UniqueConstraint("configuration_sha256", name="model_version_configuration_sha256_key"),
        sa.UniqueConstraint("model", "version", name="model_version_model_version_key"),
        schema="store",
    )
    op.create_table(
        "ingest_reject",
        sa.Column("reject_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("winner_file_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["file_id"], ["store.ingest_file.file_id"], name="ingest_reject_file_id_fkey"),
        sa.ForeignKeyConstraint(["winner_file_id"], ["store.ingest_file.file_id"], name="ingest_reject_winner_file_id_fkey"),
        sa.PrimaryKeyConstraint("reject_id", name="ingest_reject_pkey"),
        schema="store",
    )
    op.create_index("ingest_reject_file_id_idx", "ingest_reject", ["file_id"], unique=False, schema="store")
    op.create_index("ingest_reject_source_id_idx", "ingest_reject", ["source_id"], unique=False, schema="store")
    op.create_table(
        "run",
        sa.Column("run_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("configuration", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("configuration_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'created'"), nullable=False),
        sa.Column("sources", sa.BigInteger(), nullable=False),
        sa.Column("labelled", sa.BigInteger(), nullable=True),
        sa.Column("unlabelled", sa.BigInteger(), nullable=True),
        sa.Column("simulated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('created', 'working', 'complete', 'failed', 'published', 'withdrawn', 'retired')", name="run_state_check"
        ),
        sa.ForeignKeyConstraint(["model_version_id"], ["store.model_version.model_version_id"], name="run_model_version_id_fkey"),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="run_release_id_fkey"),
        sa.PrimaryKeyConstraint("run_id", name="run_pkey"),
        schema="store",
    )
    op.create_table(
        "published",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("published", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="published_release_id_fkey"),
        sa.ForeignKeyConstraint(["run_id"], ["store.run.run_id"], name="published_run_id_fkey"),
        sa.PrimaryKeyConstraint("model", "release_id", name="published_pkey"),
        schema="store",
    )
    op.create_table(
        "run_chunk",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("first_source_id", sa.BigInteger(), nullable=False),
        sa.Column("last_source_id", sa.BigInteger(), nullable=False),
        sa.Column("sources", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("labelled", sa.Integer(), nullable=True),
        sa.Column("unlabelled", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.REAL(), nullable=True),
        sa.Column("residual_sums", postgresql.ARRAY(sa.DOUBLE_PRECISION()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('planned', 'claimed', 'done', 'failed')", name="run_chunk_state_check"),
        sa.ForeignKeyConstraint(["run_id"], ["store.run.run_id"], name="run_chunk_run_id_fkey"),
        sa.PrimaryKeyConstraint("run_id", "chunk", name="run_chunk_pkey"),
        schema="store",
    )
    # Coefficients and weights do not compress: TOAST compression would be pure cost (measured).
    op.execute("ALTER TABLE store.xp_spectrum ALTER COLUMN payload SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE store.model_weights ALTER COLUMN safetensors SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("run_chunk", schema="store")
    op.drop_table("published", schema="store")
    op.drop_table("run", schema="store")
    op.drop_index("ingest_reject_source_id_idx", table_name="ingest_reject", schema="store")
    op.drop_index("ingest_reject_file_id_idx", table_name="ingest_reject", schema="store")
    op.drop_table("ingest_reject", schema="store")
    op.drop_table("model_version", schema="store")
    op.drop_table("ingest_file", schema="store")
    op.drop_table("displaced_source", schema="store")
    op.drop_table("xp_spectrum", schema="store")
    op.drop_table("tap_tables", schema="store")
    op.drop_table("tap_schemas", schema="store")
    op.drop_table("tap_keys", schema="store")
    op.drop_table("tap_key_columns", schema="store")
    op.drop_table("tap_columns", schema="store")
    op.drop_table("release", schema="store")
    op.drop_table("publication", schema="store")
    op.drop_table("no_label", schema="store")
    op.drop_table("model_weights", schema="store")
    op.drop_table("label_scatter_vae", schema="store")
    op.drop_table("gaia_source", schema="store")
