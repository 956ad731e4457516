"""Imported once by the process that scripts under test are forked from: mainly boto3 and its S3 model."""

import argparse  # noqa: F401
import fnmatch  # noqa: F401
import urllib.request  # noqa: F401

import boto3
import boto3.s3.transfer

# In boto3's default session. Each process still reads its credentials and settings from its own environment.
boto3.client("s3", region_name="us-west-2", aws_access_key_id="none", aws_secret_access_key="none")
