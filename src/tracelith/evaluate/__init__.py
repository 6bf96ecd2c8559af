"""How right every analysis is: the real pipeline on systems with planted truth, beside what others would say.

claims, detectors     the contract: cases, evidence, claims, truths; what is asked of every method
pipeline              one case: OTLP bytes in, evidence and truth out
truth/                what is true of a simulated system, from its description and from large reference runs
tracelith_claims      what our own document claims; baselines/ what others would
judging, scoring      claims beside truths; rates, coverage and errors with their intervals
sets, thresholds      which cases are run, and what must hold
running, recording    many cases in processes of their own; finished ones as lines of a file
"""
