"""Processes of other interpreters than the server's own, which the setting `interpreters` names.

`outside` is the server's side, `inside` what such a process does before it knows any model.
"""
