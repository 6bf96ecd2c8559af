"""From bytes to durable rows: decode, describe, intern, commit, and the two OTLP transports."""
