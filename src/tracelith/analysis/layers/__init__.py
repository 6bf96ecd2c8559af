"""Which services only hand requests on, and systems cut by technical layer.

facts         what requests add to what they call, and which entry operations use which calls
operations    how much each operation passes on
services      each service from its operations, and why some that pass on are not accused
contraction   hops and time that would go without a service
splits        services through which nearly every request passes in the same order
findings      what is said about them
"""
