"""The benchmark: a real server's jobs, held against what one Python process needs for the same work.

`bash scripts/bench.sh --help` says how to run it; docs/performance.md what came of it. A measurement is a
function of `Lab` that gives `Row`s; `catalogue.py` lists them all.
"""
