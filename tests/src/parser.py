"""Parses expositions for parser.rs.

Reads `<format> <bytes>\\n` and that many bytes of text, answers with one line of
JSON. Numbers go as text, since JSON has neither NaN nor infinities.
"""

import json
import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text004

PARSERS = {
    "openmetrics": openmetrics.text_string_to_metric_families,
    "text": text004.text_string_to_metric_families,
}


def number(value):
    return None if value is None else repr(float(value))


def exemplar(found):
    if found is None:
        return None
    return {
        "labels": found.labels,
        "value": number(found.value),
        "timestamp": number(found.timestamp),
    }


def sample(found):
    return {
        "name": found.name,
        "labels": found.labels,
        "value": number(found.value),
        "timestamp": number(found.timestamp),
        "exemplar": exemplar(found.exemplar),
    }


def family(found):
    return {
        "name": found.name,
        "kind": found.type,
        "help": found.documentation,
        "unit": found.unit,
        "samples": [sample(s) for s in found.samples],
    }


def check_lines(kind, text, families):
    """Refuses what the parsers let pass: a torn last line (OpenMetrics ends
    with its EOF), metadata given twice, and samples that they drop."""
    if kind == "text" and text and not text.endswith("\n"):
        raise ValueError("the last line has no end")
    metadata = set()
    samples = 0
    for line in text.split("\n"):
        words = line.split(" ", 3)
        if line.startswith("# ") and words[1] in ("HELP", "TYPE", "UNIT"):
            about = tuple(words[1:3])
            if about in metadata:
                raise ValueError("given twice: " + line)
            metadata.add(about)
        elif line and not line.startswith("#"):
            samples += 1
    kept = sum(len(f["samples"]) for f in families)
    if kept != samples:
        raise ValueError(f"{samples} samples, of which the parser kept {kept}: a series is there twice")


def answer(kind, text):
    try:
        families = [family(f) for f in PARSERS[kind](text)]
        check_lines(kind, text, families)
        return {"families": families}
    except Exception as error:  # The parsers raise all kinds on bad input.
        return {"error": f"{type(error).__name__}: {error}"}


while header := sys.stdin.buffer.readline():
    kind, length = header.split()
    text = sys.stdin.buffer.read(int(length)).decode("utf-8")
    print(json.dumps(answer(kind.decode(), text)), flush=True)
