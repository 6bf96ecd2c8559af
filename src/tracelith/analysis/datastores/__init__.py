"""Who owns which data: parts of the analysis data_ownership.

facts           what is asked of datastores in a window, with examples, and calls that took far too long
statements      tables of a statement, and what it does to them
systems         kinds of datastores, proxies and tables, told by their names
identity        which names mean the same server, database and table, and how surely
uses            who uses which table, how often and how regularly
ownership       whose table it is
sharing         how far others use it, with intervals
releases        services that are processes of one release, and share their data as such
joins           statements across the tables of several owners
pairs           how far two services use the same tables
contention      stretches of time in which services waited for one table, and why
document        the part of the analysis document
findings        what is worth telling
"""
