"""From versions and reports to deployments, and from deployments to what coincides beyond the calendar.

version_sightings, events   versions seen in traces; with what people told, when each service was deployed
coincidence                 how often two services deploy together, against pooled base rates
rhythm, surprise            the chance of a single coincidence by rhythm alone; how surprising all of them are
docket, pair_search         pairs judged deployment by deployment; all pairs tested, and groups made of what remains
lockstep                    whether services ever deploy alone, and release trains
lead_lag                    which of two goes first
cochange, curveball         release sessions and co-change measures for display; a second opinion that keeps their sizes
findings, document          what to tell; the section of the analysis document
"""
