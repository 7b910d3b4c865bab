"""The report: one self-contained page of words, tables and figures."""

from motet.record.report.page import compare_report, run_report

__all__ = ["compare_report", "run_report"]
