"""Renders templates with plain jinja2, which the engines of this project are held against. JSON in, JSON out."""

import json
import sys

import jinja2

KINDS = {"strict": jinja2.StrictUndefined, "chainable": jinja2.ChainableUndefined, "default": jinja2.Undefined}


def render(case):
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(case["files"]),
        trim_blocks=case["trimBlocks"],
        lstrip_blocks=case["lstripBlocks"],
        keep_trailing_newline=case["keepTrailingNewline"],
        undefined=KINDS[case["undefined"]],
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    try:
        return {"text": environment.get_template(case["path"]).render(json.loads(json.dumps(case["context"])))}
    except Exception as error:
        return {"error": type(error).__name__ + ": " + str(error)}


json.dump([render(case) for case in json.load(sys.stdin)], sys.stdout)
