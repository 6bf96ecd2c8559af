"""The weekly coupling report: one model, rendered as HTML, Markdown or JSON."""
