"""What the tail analysis observes per hop and edge, and how it splits the tail's excess among hops.

facts             what is observed: time per hop and latency, the calls and requests behind each edge
spent             time on the critical path, per chain and hop
hop_tables        the merged facts of one entry operation as arrays
attribution       the exact split of the tail's excess among hops
share_intervals   how sure that split is
edges             how slow calls reach their callers
hop_shares        each hop's contribution, as metrics, with the edge that leads into it
"""
