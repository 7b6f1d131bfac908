"""What AWS charges: us-east-1, on demand, without the free tier. Dollars, each with the date and the place it was read;
check them before you rely on a sum.

*Offer file*: of the AWS Price List API, https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html
"""

AS_OF = "2026-08"
MILLION = 1_000_000

SQS_REQUEST = 0.40 / MILLION
"""A batch of at most ten messages and 64 kB is one. Offer file AWSQueueService, 2026-08-16."""
DYNAMODB_READ_UNIT = 0.125 / MILLION
"""4 kB consistently, or 8 kB eventually. Offer file AmazonDynamoDB, 2026-08-16."""
DYNAMODB_WRITE_UNIT = 0.625 / MILLION
"""1 kB. Offer file AmazonDynamoDB, 2026-08-16."""
LOGS_BYTE = 0.50 / 10**9
"""Taken in; keeping it a month costs less than a hundredth of that, compressed. Offer file AmazonCloudWatch,
2026-08-16."""
LOGS_OVERHEAD = 26
"""Bytes that each event of a log counts for besides its message.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutLogEvents.html"""
API_REQUEST = 1.00 / MILLION
"""Of an HTTP API, the first 300 million. https://aws.amazon.com/api-gateway/pricing/, 2026-09-20."""
LAMBDA_REQUEST = 0.20 / MILLION
"""Offer file AWSLambda, 2026-09-19."""
LAMBDA_GB_S = 0.0000133334
"""Of arm64, the first 7.5 billion of a month. Offer file AWSLambda, 2026-09-19."""
LAMBDA_VCPU_MB = 1_769
"""With so much memory a function has one processor, with less its part of one.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
KMS_REQUEST = 0.03 / 10_000
"""Read from the Price List API on 2026-06-12."""
S3_PUT = 0.005 / 1_000
"""S3 Standard. Offer file AmazonS3, 2026-08-16."""
TRACE = 5.00 / MILLION
"""AWS X-Ray, one recorded. https://aws.amazon.com/xray/pricing/, 2026-11; the naive design's alone."""

# ---------------------------------------------------------------- by the month

KMS_KEY = 1.00
"""Each version of the key; the first two rotations add one each. Read from the Price List API on 2026-06-12."""
SECRET = 0.40
"""Offer file AWSSecretsManager, 2026-08-04."""
ALARM = 0.10
"""For each metric that a standard alarm looks at. Offer file AmazonCloudWatch, 2026-08-16."""
METRIC = 0.30
"""Of our own, in each set of dimensions, the first 10,000. Offer file AmazonCloudWatch, 2026-08-16."""
DASHBOARD = 3.00
"""https://aws.amazon.com/cloudwatch/pricing/, 2026-11; no offer file was read for it."""

FREE = {
    "alarms": 10,
    "SQS": MILLION,
    "KMS": 20_000,
    "Lambda requests": MILLION,
    "GB-s": 400_000,
    "log bytes": 5 * 10**9,
}
"""Of each month, for ever. https://aws.amazon.com/free/ and the offer files above."""
