"""The DuckDB file: migrations, spans, facts, deployments, findings. The only package that imports duckdb."""
