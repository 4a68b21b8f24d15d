"""Bytes in, voxel files out; masks in, ModelOutput bytes out. Knows the messages, nothing of jobs or networks."""
