"""Systems with planted truth, written as ordinary OTLP. Knows nothing of the analyses."""
