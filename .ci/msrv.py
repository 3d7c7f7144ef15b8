"""Checks that the Rust version which the workspace declares is the newest that its default features need."""

import json
import subprocess
import sys

METADATA = ["cargo", "metadata", "--format-version=1", "--locked"]
TREE = ["cargo", "tree", "-p", "tower-vitals", "-e", "normal", "--prefix=none", "--format={p}", "--locked"]


def number(version):
    return tuple(int(part) for part in version.split(".")[:2])


needed = {tuple(line.split()[:2]) for line in subprocess.check_output(TREE, text=True).splitlines() if line}
packages = [
    package
    for package in json.loads(subprocess.check_output(METADATA))["packages"]
    if (package["name"], "v" + package["version"]) in needed
]
[declared] = {package["rust_version"] for package in packages if package["name"] == "tower-vitals"}
for package in packages:
    if package["rust_version"] and number(package["rust_version"]) > number(declared):
        sys.exit(f"{package['name']} {package['version']} needs Rust {package['rust_version']}, but {declared} is declared")
# Edition 2024, in which these crates are written, came with 1.85.
if number(declared) != (1, 85):
    sys.exit(f"Rust {declared} is declared, but edition 2024 and the dependencies need 1.85")
print(f"Rust {declared}: {len(packages)} crates agree")
