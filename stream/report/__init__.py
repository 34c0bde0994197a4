"""The defect report of a seller: each shipment that the VTR counts as a defect, why, and what to do about it."""

from stream.report.defects import DefectReport, Selection, defect_report
from stream.report.deployment import report_of_deployment
from stream.report.history import report_of_history
from stream.report.judged import Window
from stream.report.spreadsheet import csv_of

__all__ = [
    "DefectReport",
    "Selection",
    "Window",
    "csv_of",
    "defect_report",
    "report_of_deployment",
    "report_of_history",
]
