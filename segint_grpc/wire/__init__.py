"""Bytes in, voxel files out; masks in, ModelOutput bytes out.

Knows the messages, but nothing of jobs, networks or databases.
"""
