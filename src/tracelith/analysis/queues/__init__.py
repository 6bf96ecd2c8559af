"""What traces say about queues.

messages: messages sent and taken in a window. traffic, silence, asking: the facts observed of them: who sends and
takes, when groups took nothing, and requests that ask over a queue. lags: how long messages wait. slopes, waits:
whether requests wait for answers. gaps, stalls, causes: when groups stood still, and why. groups, destinations: what
the document says of each.
"""
