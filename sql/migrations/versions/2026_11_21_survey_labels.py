"""The tables of the surveys' labels and spectra, and of reference labels.

Revision ID: survey_labels
Revises: spectrum_flags
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "survey_labels"
down_revision = "spectrum_flags"
branch_labels = None
depends_on = None

_TYPES = {
    "s": sa.SmallInteger(), "i": sa.Integer(), "l": sa.BigInteger(), "f": sa.REAL(), "d": sa.DOUBLE_PRECISION(), "t": sa.Text(),
    "b": postgresql.BYTEA(), "j": postgresql.JSONB(),
}  # fmt: skip

_TABLES = {
    "apogee": """
        survey_id:t! survey_release:t apogee_id:t apstar_id:t target_id:t aspcap_id:t file:t telescope:t location_id:i field:t alt_id:t ra:d
        dec:d position_key:l glon:d glat:d j:f j_err:f h:f h_err:f k:f k_err:f src_h:t ak_targ:f ak_targ_method:t ak_wise:f sfd_ebv:f
        apogee_target1:l apogee_target2:l apogee2_target1:l apogee2_target2:l apogee2_target3:l apogee2_target4:l targflags:t survey:t
        programname:t nvisits:i snr:f snrev:f starflag:l starflags:t andflag:l andflags:t vhelio_avg:f vscatter:f verr:f rv_teff:f rv_logg:f
        rv_feh:f rv_alpha:f rv_carb:f rv_chi2:f rv_ccfwhm:f rv_autofwhm:f rv_flag:l n_components:i gaiaedr3_source_id:l gaia_source_id:l
        gaiaedr3_parallax:f gaiaedr3_parallax_error:f gaiaedr3_pmra:f gaiaedr3_pmra_error:f gaiaedr3_pmdec:f gaiaedr3_pmdec_error:f
        gaiaedr3_phot_g_mean_mag:f gaiaedr3_phot_bp_mean_mag:f gaiaedr3_phot_rp_mean_mag:f gaiaedr3_dr2_radial_velocity:f
        gaiaedr3_dr2_radial_velocity_error:f gaiaedr3_r_med_geo:f gaiaedr3_r_lo_geo:f gaiaedr3_r_hi_geo:f gaiaedr3_r_med_photogeo:f
        gaiaedr3_r_lo_photogeo:f gaiaedr3_r_hi_photogeo:f aspcap_grid:t aspcap_chi2:f aspcapflag:l aspcapflags:t paramflag_teff:l
        paramflag_logg:l paramflag_log10vdop:l paramflag_metals:l paramflag_c:l paramflag_n:l paramflag_alpha:l paramflag_lgvsini:l
        paramflag_o:l frac_badpix:f frac_lowsnr:f frac_sigsky:f extratarg:l memberflag:l member:t teff:f teff_err:f logg:f logg_err:f m_h:f
        m_h_err:f alpha_m:f alpha_m_err:f vmicro:f vmacro:f vsini:f teff_spec:f logg_spec:f c_fe:f c_fe_err:f c_fe_spec:f c_fe_flag:l ci_fe:f
        ci_fe_err:f ci_fe_spec:f ci_fe_flag:l n_fe:f n_fe_err:f n_fe_spec:f n_fe_flag:l o_fe:f o_fe_err:f o_fe_spec:f o_fe_flag:l na_fe:f
        na_fe_err:f na_fe_spec:f na_fe_flag:l mg_fe:f mg_fe_err:f mg_fe_spec:f mg_fe_flag:l al_fe:f al_fe_err:f al_fe_spec:f al_fe_flag:l
        si_fe:f si_fe_err:f si_fe_spec:f si_fe_flag:l p_fe:f p_fe_err:f p_fe_spec:f p_fe_flag:l s_fe:f s_fe_err:f s_fe_spec:f s_fe_flag:l
        k_fe:f k_fe_err:f k_fe_spec:f k_fe_flag:l ca_fe:f ca_fe_err:f ca_fe_spec:f ca_fe_flag:l ti_fe:f ti_fe_err:f ti_fe_spec:f ti_fe_flag:l
        tiii_fe:f tiii_fe_err:f tiii_fe_spec:f tiii_fe_flag:l v_fe:f v_fe_err:f v_fe_spec:f v_fe_flag:l cr_fe:f cr_fe_err:f cr_fe_spec:f
        cr_fe_flag:l mn_fe:f mn_fe_err:f mn_fe_spec:f mn_fe_flag:l fe_h:f fe_h_err:f fe_h_spec:f fe_h_flag:l co_fe:f co_fe_err:f co_fe_spec:f
        co_fe_flag:l ni_fe:f ni_fe_err:f ni_fe_spec:f ni_fe_flag:l cu_fe:f cu_fe_err:f cu_fe_spec:f cu_fe_flag:l ce_fe:f ce_fe_err:f
        ce_fe_spec:f ce_fe_flag:l yb_fe:f yb_fe_err:f yb_fe_spec:f yb_fe_flag:l
    """,
    "apogee_spectrum": """
        survey_id:t! survey_release:t apogee_id:t telescope:t field:t snr:f flux_kind:t flux:b! flux_error:b! mask:b
    """,
    "astronn": """
        survey_id:t! survey_release:t apogee_id:t telescope:t location_id:i field:t ra:d dec:d position_key:l ra_apogee:d dec_apogee:d
        ref_epoch:f given_source_id:l teff:f teff_err:f teff_model_err:f logg:f logg_err:f logg_model_err:f c_h:f c_h_err:f c_h_model_err:f
        ci_h:f ci_h_err:f ci_h_model_err:f n_h:f n_h_err:f n_h_model_err:f o_h:f o_h_err:f o_h_model_err:f na_h:f na_h_err:f na_h_model_err:f
        mg_h:f mg_h_err:f mg_h_model_err:f al_h:f al_h_err:f al_h_model_err:f si_h:f si_h_err:f si_h_model_err:f p_h:f p_h_err:f
        p_h_model_err:f s_h:f s_h_err:f s_h_model_err:f k_h:f k_h_err:f k_h_model_err:f ca_h:f ca_h_err:f ca_h_model_err:f ti_h:f ti_h_err:f
        ti_h_model_err:f tiii_h:f tiii_h_err:f tiii_h_model_err:f v_h:f v_h_err:f v_h_model_err:f cr_h:f cr_h_err:f cr_h_model_err:f mn_h:f
        mn_h_err:f mn_h_model_err:f fe_h:f fe_h_err:f fe_h_model_err:f co_h:f co_h_err:f co_h_model_err:f ni_h:f ni_h_err:f ni_h_model_err:f
        dist:f dist_error:f dist_model_error:f nn_parallax:f nn_parallax_error:f nn_parallax_model_error:f fakemag:f fakemag_error:f
        weighted_dist:f weighted_dist_error:f age:f age_linear_correct:f age_lowess_correct:f age_total_error:f age_model_error:f vhelio_avg:f
        galr:f galr_err:f galphi:f galphi_err:f galz:f galz_err:f galvr:f galvr_err:f galvt:f galvt_err:f galvz:f galvz_err:f e:f e_err:f
        zmax:f zmax_err:f rperi:f rperi_err:f rap:f rap_err:f jr:f jr_err:f lz:f lz_err:f jz:f jz_err:f omega_r:f omega_r_err:f omega_phi:f
        omega_phi_err:f omega_z:f omega_z_err:f theta_r:f theta_r_err:f theta_phi:f theta_phi_err:f theta_z:f theta_z_err:f rl:f rl_err:f
        energy:f energy_err:f eminusec:f eminusec_err:f
    """,
    "lamost": """
        survey_id:t! survey_release:t obsid:l obsdate:t lmjd:i mjd:i planid:t spid:s fiberid:s snru:f snrg:f snrr:f snri:f snrz:f class:t
        subclass:t z:f z_err:f gaia_source_id:l teff:f teff_err:f logg:f logg_err:f feh:f feh_err:f rv:f rv_err:f ra:d dec:d position_key:l
        uid:t gp_id:t designation:t ra_obs:d dec_obs:d gaia_g_mean_mag:f fibertype:t offsets:l offsets_v:f fibermask:l alpha_m:f alpha_m_err:f
        vsini_lasp:f
    """,
    "hot_payne": """
        survey_id:t! survey_release:t specid:t ra:d dec:d position_key:l gaia_source_id:l snrg:f teff:f e_teff:f logg:f e_logg:f vsini:f
        e_vsini:f vmic:f e_vmic:f he:f e_he:f fe_h:f e_fe_h:f c_h:f e_c_h:f n_h:f e_n_h:f o_h:f e_o_h:f si_h:f e_si_h:f s_h:f e_s_h:f chi2:f
        flag:l
    """,
    "galah": """
        survey_id:t! survey_release:t sobject_id:l star_id:t dr2_source_id:l dr3_source_id:l survey_name:t field_id:l flag_repeat:l
        wg4_field:t wg4_pipeline:t ra:d dec:d position_key:l flag_sp:l teff:f e_teff:f irfm_teff:f irfm_ebv:f irfm_ebv_ref:t logg:f e_logg:f
        fe_h:f e_fe_h:f flag_fe_h:l fe_h_atmo:f e_fe_h_atmo:f vmic:f vbroad:f e_vbroad:f chi2_sp:f alpha_fe:f e_alpha_fe:f nr_alpha_fe:f
        flag_alpha_fe:l flux_a_fe:f chi_a_fe:f li_fe:f e_li_fe:f nr_li_fe:f flag_li_fe:l c_fe:f e_c_fe:f nr_c_fe:f flag_c_fe:l o_fe:f e_o_fe:f
        nr_o_fe:f flag_o_fe:l na_fe:f e_na_fe:f nr_na_fe:f flag_na_fe:l mg_fe:f e_mg_fe:f nr_mg_fe:f flag_mg_fe:l al_fe:f e_al_fe:f nr_al_fe:f
        flag_al_fe:l si_fe:f e_si_fe:f nr_si_fe:f flag_si_fe:l k_fe:f e_k_fe:f nr_k_fe:f flag_k_fe:l ca_fe:f e_ca_fe:f nr_ca_fe:f flag_ca_fe:l
        sc_fe:f e_sc_fe:f nr_sc_fe:f flag_sc_fe:l sc2_fe:f e_sc2_fe:f nr_sc2_fe:f flag_sc2_fe:l ti_fe:f e_ti_fe:f nr_ti_fe:f flag_ti_fe:l
        ti2_fe:f e_ti2_fe:f nr_ti2_fe:f flag_ti2_fe:l v_fe:f e_v_fe:f nr_v_fe:f flag_v_fe:l cr_fe:f e_cr_fe:f nr_cr_fe:f flag_cr_fe:l cr2_fe:f
        e_cr2_fe:f nr_cr2_fe:f flag_cr2_fe:l mn_fe:f e_mn_fe:f nr_mn_fe:f flag_mn_fe:l co_fe:f e_co_fe:f nr_co_fe:f flag_co_fe:l ni_fe:f
        e_ni_fe:f nr_ni_fe:f flag_ni_fe:l cu_fe:f e_cu_fe:f nr_cu_fe:f flag_cu_fe:l zn_fe:f e_zn_fe:f nr_zn_fe:f flag_zn_fe:l rb_fe:f
        e_rb_fe:f nr_rb_fe:f flag_rb_fe:l sr_fe:f e_sr_fe:f nr_sr_fe:f flag_sr_fe:l y_fe:f e_y_fe:f nr_y_fe:f flag_y_fe:l zr_fe:f e_zr_fe:f
        nr_zr_fe:f flag_zr_fe:l mo_fe:f e_mo_fe:f nr_mo_fe:f flag_mo_fe:l ru_fe:f e_ru_fe:f nr_ru_fe:f flag_ru_fe:l ba_fe:f e_ba_fe:f
        nr_ba_fe:f flag_ba_fe:l la_fe:f e_la_fe:f nr_la_fe:f flag_la_fe:l ce_fe:f e_ce_fe:f nr_ce_fe:f flag_ce_fe:l nd_fe:f e_nd_fe:f
        nr_nd_fe:f flag_nd_fe:l sm_fe:f e_sm_fe:f nr_sm_fe:f flag_sm_fe:l eu_fe:f e_eu_fe:f nr_eu_fe:f flag_eu_fe:l parallax_dr2:f
        parallax_error_dr2:f r_est_dr2:f r_lo_dr2:f r_hi_dr2:f r_len_dr2:f rv_galah:f e_rv_galah:f rv_gaia_dr2:f e_rv_gaia_dr2:f red_flag:l
        ebv:f snr_c1_iraf:f snr_c2_iraf:f snr_c3_iraf:f snr_c4_iraf:f flag_guess:l v_jk:f j_m:f j_msigcom:f h_m:f h_msigcom:f ks_m:f
        ks_msigcom:f ph_qual_tmass:t w2mpro:f w2mpro_error:f ph_qual_wise:t a_ks:f e_a_ks:f bc_ks:f ruwe_dr2:f mass:f lbol:f age:f
    """,
    "reference_label": """
        set_name:t! survey_id:t! given_source_id:l id_system:t apogee_id:t tmass_id:t sobject_id:l ra:d dec:d position_key:l teff:f e_teff:f
        logg:f e_logg:f feh:f e_feh:f mh:f e_mh:f alpha_m:f e_alpha_m:f c_fe:f e_c_fe:f n_fe:f e_n_fe:f distance:f e_distance:f extinction:f
        e_extinction:f cluster:t native:j
    """,
}
"""name:type, with ! where it is never null; release_id stands before them, file_id and row_number behind."""


_INDEXES = {
    "apogee": ("position_key", "apogee_id"), "apogee_spectrum": ("apogee_id",), "astronn": ("position_key", "apogee_id"),
    "lamost": ("position_key",), "hot_payne": ("position_key", "specid"), "galah": ("position_key",),
    "reference_label": ("position_key", "given_source_id", "apogee_id", "tmass_id"),
}  # fmt: skip


def _column(word: str) -> "sa.Column[object]":
    name, _, kind = word.partition(":")
    return sa.Column(name, _TYPES[kind[0]], nullable=not kind.endswith("!"))


def upgrade() -> None:
    for table, words in _TABLES.items():
        key = ("release_id", *(("set_name",) if table == "reference_label" else ()), "survey_id")
        op.create_table(
            table,
            sa.Column("release_id", sa.SmallInteger(), nullable=False),
            *map(_column, words.split()),
            sa.Column("file_id", sa.Integer(), nullable=False),
            sa.Column("row_number", sa.Integer(), nullable=True),
            sa.PrimaryKeyConstraint(*key, name=f"{table}_pkey"),
            schema="store",
            postgresql_partition_by="LIST (release_id)",
        )
        for column in _INDEXES[table]:
            op.create_index(f"{table}_{column}_idx", table, [column], schema="store")
    op.execute("ALTER TABLE store.apogee_spectrum ALTER COLUMN flux SET STORAGE EXTERNAL, ALTER COLUMN flux_error SET STORAGE EXTERNAL")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table, schema="store")
