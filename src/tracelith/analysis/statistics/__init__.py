"""Estimators, intervals and tests that analyses share; nothing here knows what a trace is."""
