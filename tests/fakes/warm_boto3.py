"""Loaded once by the process that the scripts under test are forked from: boto3 above all, and what it knows of S3."""

import argparse  # noqa: F401
import fnmatch  # noqa: F401
import urllib.request  # noqa: F401

import boto3
import boto3.s3.transfer

# In boto3's default session: its credentials and its settings are still looked for in each process's own environment.
boto3.client("s3", region_name="us-west-2", aws_access_key_id="none", aws_secret_access_key="none")
