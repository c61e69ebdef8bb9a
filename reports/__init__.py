"""Turn a finished run folder into figures and tables: one offline HTML page and PNG plots.

Reports read runs through core/results and change nothing in them but their own files
(report.html, plots/). They know no strategy, broker or feed.
"""

from reports.figures import write_plots
from reports.html import write_report

__all__ = ["write_plots", "write_report"]
