"""Zip archives as SegInt reads and writes them: packages of models, and models that are many files."""
