"""Results as one self-contained page: `write_report`."""

from scalebridge.study.report.write import write_report

__all__ = ["write_report"]
