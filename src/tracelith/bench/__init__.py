"""Figures on this machine: what receiving, keeping and analysing a million spans costs."""
