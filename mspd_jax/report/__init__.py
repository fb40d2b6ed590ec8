"""Reports on runs: tables, plots, pictures, and the page that holds them all."""

from mspd_jax.report._certificates import certified_section
from mspd_jax.report._certified_plot import certified_curve, certified_plot
from mspd_jax.report._checks import checks_section
from mspd_jax.report._comparison import Tile, amplified, comparison_picture
from mspd_jax.report._patches import patches_section
from mspd_jax.report._plot import Curve, accuracy_plot
from mspd_jax.report._protection import protection_section
from mspd_jax.report._radii import radii_section, radius_curves
from mspd_jax.report._report import Page, write_report
from mspd_jax.report._rows import summary_columns, summary_rows
from mspd_jax.report._section import Section
from mspd_jax.report._summary import table_rows
from mspd_jax.report._tables import csv_table, markdown_table, percent

__all__ = [
    "Curve",
    "Page",
    "Section",
    "Tile",
    "accuracy_plot",
    "amplified",
    "certified_curve",
    "certified_plot",
    "certified_section",
    "checks_section",
    "comparison_picture",
    "csv_table",
    "markdown_table",
    "patches_section",
    "percent",
    "protection_section",
    "radii_section",
    "radius_curves",
    "summary_columns",
    "summary_rows",
    "table_rows",
    "write_report",
]
