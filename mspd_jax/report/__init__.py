"""Reports on runs: tables, plots, pictures, and the page that holds them all."""

from mspd_jax.report._album import album_section as album_section
from mspd_jax.report._protection import protection_section as protection_section
from mspd_jax.report._report import Page, write_report
from mspd_jax.report._section import Section as Section
from mspd_jax.report._tables import csv_table as csv_table
from mspd_jax.report._tables import markdown_table as markdown_table
from mspd_jax.report._tables import percent as percent
from mspd_jax.report._transfer import transfer_cells as transfer_cells
from mspd_jax.report._transfer_table import transfer_csv as transfer_csv

# What users call; other rooms may import the rest.
__all__ = ["Page", "write_report"]
