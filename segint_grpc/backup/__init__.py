"""Backups: the archive, how it is sealed with a passphrase, and how a home is made of one again."""
