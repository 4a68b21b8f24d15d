"""HTTP in, HTTP out: Velocity's requests become RPCs of the core, and the answers go back, both streamed.

A pure gRPC client without a database. A request passes `front` (checks, errors), its handler (a function
named in `routes`), and `answers`.
"""
