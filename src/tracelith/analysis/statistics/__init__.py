"""Estimators, intervals and tests that analyses share; nothing here knows what a trace is.

intervals, quantiles    proportions and weighted quantiles with their intervals
histograms              buckets of durations that merge by adding
weights                 totals and ratios of sampled traces, and what they are worth
bootstrap, stretches    draws of whole stretches of time; how many independent stretches there are
multiplicity            false discoveries among thousands of pairs
grouping, pairs         rows by several small keys at once; distinct pairs of codes without sorting them
contrasts               what customary methods would say, to show the difference
"""
