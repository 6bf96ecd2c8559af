"""The shape of the system, from the graph of awaited calls and from the paths of requests through it.

facts       work of services and operations, and paths that come back to a service
graph       degrees, density, circles and concentration of a graph of services
cycles      circles, and whether the same request closes them
services    what each service is like: hub, very small, very large
size        whether there are too many services for what they do
findings    what of it is worth a finding
"""
