"""A scan as its model was trained to see it, and the masks back on the grid that was sent.

`grids.py` says where voxels shall lie, `resampling.py` brings values from one grid to another and back,
`intensity.py` turns values into those that the model knows, `preparing.py` does all of it to a scan;
`modes.py`, `windows.py` and `slices.py` run the model; `scores.py` keeps what it returned, `cleaning.py` and
`restoring.py` make masks of that, structure by structure. Model processes alone use this package.

Positions are those of voxel centres (domain/geometry.py). A grid is a `Geometry`, so what was turned,
resampled, cropped or padded is undone by resampling between two geometries: there is no second record that
could differ.
"""
