"""Which services ever need another number of instances than others: do they answer to one load?

facts         requests and instances of each service, and who causes whose requests
loads         rates of all services over time, and stretches in which a service handles about equally much
ratios        whether two rates keep their ratio, and by how much one follows the other
contrast      which services differ from most others
instances     how many instances ran, and whether two services change theirs together
pairs         each pair of which one causes the requests of the other
document      the part of the analysis document
"""
