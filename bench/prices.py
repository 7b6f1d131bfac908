"""What AWS charges: us-east-1, on demand, without the free tier. Dollars. Taken from the Price List API's offer files
of August 2026; check them before you rely on a sum."""

AS_OF = "2026-08"
MILLION = 1_000_000

SQS_REQUEST = 0.40 / MILLION
"""A batch of at most ten messages and 64 kB is one."""
DYNAMODB_READ_UNIT = 0.125 / MILLION
"""4 kB consistently, or 8 kB eventually."""
DYNAMODB_WRITE_UNIT = 0.625 / MILLION
"""1 kB."""
LOGS_BYTE = 0.50 / 10**9
"""Taken in; keeping it a month costs less than a hundredth of that, compressed."""
LOGS_OVERHEAD = 26
"""Bytes that each event of a log counts for besides its message."""
API_REQUEST = 1.00 / MILLION
"""Of an HTTP API, the first 300 million."""
LAMBDA_REQUEST = 0.20 / MILLION
KMS_REQUEST = 0.03 / 10_000
S3_PUT = 0.005 / 1_000
