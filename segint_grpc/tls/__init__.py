"""Certificates: read and checked, watched for change, made. The one place that knows `cryptography`."""
