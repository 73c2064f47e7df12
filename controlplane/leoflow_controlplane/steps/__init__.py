"""What can happen, one function for each: steps change the book, in the writer's thread.

A step may be run again from the beginning, so it starts nothing: what has to be started or
stopped is what it returns, and that is done once it is durable.
"""
