"""Source + stream + tool + sink: the only place that wires, for every front end."""

from ftracepy.pipeline.requests import Common, RecordRequest, ReportRequest, Stop

__all__ = ["Common", "RecordRequest", "ReportRequest", "Stop", "record", "report", "run_tool"]


def __getattr__(name: str) -> object:
    """Load the half that a command needs, and no more: start-up is what users feel first."""
    if name == "run_tool":
        from ftracepy.pipeline.tool import run_tool

        return run_tool
    if name == "record":
        from ftracepy.pipeline.record import record

        return record
    if name == "report":
        from ftracepy.pipeline.report import report

        return report
    raise AttributeError(name)
