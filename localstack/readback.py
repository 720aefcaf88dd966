#!/usr/bin/env python3
"""Reads a stream back with the AWS API and compares it with a file, line by line.

Waits until as many events are there as the file has lines, or until the time is up. Exit codes:
0 equal and in order, 1 not. Owns the comparison; ships nothing. Needs boto3, which
target/tools/localstack/bin/python has.
"""

import argparse
import collections
import sys
import time
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions


def main() -> int:
    options = arguments()
    lines = Path(options.file).read_bytes().decode("utf-8", "replace").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    client = boto3.client(
        "logs",
        endpoint_url=options.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        # A proxy named in the environment has nothing to do with a service on loopback.
        config=botocore.config.Config(proxies={}, retries={"max_attempts": 2}),
    )
    deadline = time.monotonic() + options.timeout
    while True:
        read = messages(client, options.group, options.stream)
        if len(read) >= len(lines) or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    found = differences(lines, read)
    print(f"{len(lines)} lines written, {len(read)} read back")
    print("\n".join(found) or "equal, in order")
    return 1 if found else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="of LocalStack")
    parser.add_argument("--group", required=True)
    parser.add_argument("--stream", required=True)
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait (60)")
    parser.add_argument("file", help="what was shipped")
    return parser.parse_args()


def messages(client, group: str, stream: str) -> list:
    """All messages of the stream; none while group or stream do not exist yet."""
    read, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        try:
            answer = client.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, **more
            )
        except client.exceptions.ResourceNotFoundException:
            return []
        read += [event["message"] for event in answer["events"]]
        # An empty page is not the end; the same token again is.
        if answer["nextForwardToken"] == token:
            return read
        token = answer["nextForwardToken"]


def differences(written: list, read: list) -> list:
    if written == read:
        return []
    missing = collections.Counter(written) - collections.Counter(read)
    extra = collections.Counter(read) - collections.Counter(written)
    found = [f"missing {sum(missing.values())}, too many {sum(extra.values())}"]
    found += [f"  missing: {line!r}" for line in list(missing)[:3]]
    found += [f"  too many: {line!r}" for line in list(extra)[:3]]
    if not missing and not extra:
        at = next(i for i, pair in enumerate(zip(written, read)) if pair[0] != pair[1])
        found = [f"another order from line {at + 1} on: {read[at]!r} instead of {written[at]!r}"]
    return found


if __name__ == "__main__":
    sys.exit(main())
