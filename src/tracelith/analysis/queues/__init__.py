"""What traces say about queues.

messages        messages sent and taken in a window
traffic         who sends and takes, and how long messages wait
silence         when groups took nothing
asking          requests that send messages, and what came of it
slopes, waits   whether requests wait for answers
gaps, stalls    when groups stood still
causes          and why
groups          what the document says of each consumer group
destinations    and of each destination
"""
