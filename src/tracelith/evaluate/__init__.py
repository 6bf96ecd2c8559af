"""How right every analysis is: the real pipeline on systems with planted truth, beside what others would say.

claims, detectors     the contract: cases, evidence, claims, truths; what is asked of every method
pipeline, naming      a run from OTLP bytes to evidence; what its services are called there
truth                 what is true of a simulated system, from its description and from large reference runs
our_claims, baselines what our own document claims; what others would
judging, scoring      claims beside truths; rates, coverage and errors with their intervals
one_case              all of that for one case
flaws                 what becomes of spans on their way
sets, thresholds      which cases are run, and what must hold
running, recording    many cases in processes of their own; finished ones as lines of a file
summary, page         the whole result as one document, and as a page for people
"""
