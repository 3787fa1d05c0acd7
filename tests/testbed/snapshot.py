"""`python -m testbed.snapshot --endpoint URL --account ID [--region REGION] [--mapped]`: an account as text."""

from __future__ import annotations

import argparse
import sys
import urllib.parse
import urllib.request


def main() -> int:
    parser = argparse.ArgumentParser(prog="testbed.snapshot", description="Prints everything in an account.")
    parser.add_argument("--endpoint", required=True, help="address of the bed")
    parser.add_argument("--account", required=True)
    parser.add_argument("--region", help="only this Region")
    parser.add_argument("--mapped", action="store_true", help="names that do not vary in place of ids and times")
    options = parser.parse_args()
    query = {name: value for name, value in (("region", options.region), ("mapped", "1" if options.mapped else None))
             if value}
    url = f"{options.endpoint}/testbed/accounts/{options.account}/dump?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url) as answer:
        sys.stdout.write(answer.read().decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
