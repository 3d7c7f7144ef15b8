"""Prints the features of the facade, a line each."""

import json
import subprocess

METADATA = ["cargo", "metadata", "--format-version=1", "--no-deps", "--locked"]

packages = json.loads(subprocess.check_output(METADATA))["packages"]
[facade] = [package for package in packages if package["name"] == "tower-vitals"]
print("\n".join(sorted(facade["features"])))
