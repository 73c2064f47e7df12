"""The images of leoflow itself: the control plane, and the agents for images that lack one.

They are made of the same bases, locked wheels and layers as the images of DAGs, and know no DAG.
"""
