"""The weekly report as JSON (schema ``tracelith.report/1``): for other programs; keys are promises."""

import json
from dataclasses import asdict
from typing import Any

from tracelith.report.comparison import Standing
from tracelith.report.weekly import WeeklyReport

__all__ = ["SCHEMA", "render_json", "report_object"]

SCHEMA = "tracelith.report/1"


def report_object(report: WeeklyReport) -> dict[str, Any]:
    """The JSON-ready form; ``analysis`` is the whole analysis document, ``changes`` refer to findings by id.

    Findings of the week before that are not repeated are not in ``analysis`` and so come with their whole content.
    """
    return {
        "schema": SCHEMA,
        "week": str(report.week),
        "start": f"{report.week.monday}T00:00:00Z",
        "end": f"{report.week.end:%Y-%m-%dT%H:%M:%SZ}",
        "deployments_since": f"{report.deployments_since.monday}T00:00:00Z",
        "generated_at": f"{report.generated_at:%Y-%m-%dT%H:%M:%SZ}",
        "environment": report.document["environment"],
        "partial": report.partial,
        "compared_with": None if report.compared_with is None else str(report.compared_with),
        "headline": report.headline,
        "answers": [asdict(answer) for answer in report.answers],
        "changes": [
            {
                "id": change.finding["id"],
                "standing": str(change.standing),
                "note": change.note,
                **({"finding": change.finding} if change.standing in {Standing.GONE, Standing.UNMEASURED} else {}),
            }
            for change in report.changes
        ],
        "moved": [asdict(movement) for movement in report.moved],
        "analysis": report.document,
    }


def render_json(report: WeeklyReport) -> str:
    """The object as text, one trailing newline."""
    return json.dumps(report_object(report), indent=2, ensure_ascii=False) + "\n"
