"""From versions and reports to deployments, and from deployments to what coincides beyond the calendar."""
