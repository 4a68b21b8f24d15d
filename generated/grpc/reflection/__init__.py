"""Machine output of scripts/generate_protos.py; never edited."""
