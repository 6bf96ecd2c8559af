"""The evaluation as one HTML page.

html            the page from the evaluation's document
sections        what it shows: sentences, tables, a section per question
misses          what was wrong, and what nothing was said of
degradation     how figures change with sampling, lost spans, skew, weeks and trains
words           how figures read
plots           what is drawn
"""

from tracelith.evaluate.page.html import content_security_policy, render_page

__all__ = ["content_security_policy", "render_page"]
