"""The vocabulary every other package shares: columns, settings-free values, errors. Imports nothing of ours."""
