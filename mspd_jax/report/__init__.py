"""Reports on runs: tables, plots, pictures, and the page that holds them all."""

from mspd_jax.report._certificates import certified_section as certified_section
from mspd_jax.report._certified_plot import certified_curve, certified_plot
from mspd_jax.report._checks import checks_section as checks_section
from mspd_jax.report._comparison import Tile, amplified, comparison_picture
from mspd_jax.report._patches import patches_section as patches_section
from mspd_jax.report._plot import Curve, accuracy_plot
from mspd_jax.report._protection import protection_section as protection_section
from mspd_jax.report._radii import radii_section as radii_section
from mspd_jax.report._radii import radius_curves as radius_curves
from mspd_jax.report._report import Page, write_report
from mspd_jax.report._rows import summary_columns as summary_columns
from mspd_jax.report._rows import summary_rows as summary_rows
from mspd_jax.report._section import Section as Section
from mspd_jax.report._summary import table_rows as table_rows
from mspd_jax.report._tables import csv_table, markdown_table, percent

# What users call; other rooms may import the rest.
__all__ = [
    "Curve",
    "Page",
    "Tile",
    "accuracy_plot",
    "amplified",
    "certified_curve",
    "certified_plot",
    "comparison_picture",
    "csv_table",
    "markdown_table",
    "percent",
    "write_report",
]
