"""How failures travel: observed per request, judged per edge, entry operation and stretch of time.

tables          the fact tables
units           caller requests with the callees they waited for, and which of those failed
origins         which failed request is whose doing: the last one down the chain of failed calls
callers         facts about callers and their callees
minutes         facts by the minute, while something fails
observing       facts of a view
edges           whether the failure of a callee fails its caller
sampled         whether a sampler kept failed requests first, without saying so
incidents       how much the failures of one incident are alike
stretches       stretches of time in which something fails beyond its usual share
timelines       how much came between two moments, of many services at once
observed        what was seen to fail in the bad time of a node
spreading       what failed with an origin, in its stretches
cascades        the same told as a story
radius          what fails if all calls to a service fail
entries         availability and hidden errors of entry operations
retrying        attempts per call, and storms of them
waiting         where calls are cut off
together        services that fail in the same stretches of time on their own account
request_clock   time measured in requests instead of hours
claims          findings
"""
