#!/usr/bin/env python3
"""Lists the public API of hio from its source, one dotted name a line: `docs/from-hio.md` has a row for each.

    pip download --no-deps --ignore-requires-python hio==0.7.20 && tar xzf hio-0.7.20.tar.gz
    python3 tests/interop/list_hio_api.py hio-0.7.20/src > tests/data/hio_api.txt

The source is read, not run, so any Python 3.9+ will do. Listed are classes, functions, methods, properties,
class attributes, attributes set in a constructor, and constructor parameters that are no attribute: `Class(name)`.
"""
import ast
import pathlib
import sys

MODULES = ["hio.base.tyming", "hio.base.doing", "hio.core.tcp.tcping", "hio.core.tcp.clienting", "hio.core.tcp.serving"]


def public(name):
    return not name.startswith("_")


def set_in(constructor):
    """Public attributes of self that a constructor assigns."""
    for node in ast.walk(constructor):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == "self":
                yield target.attr


def members(cls):
    names, parameters = [], []
    for node in cls.body:
        if isinstance(node, ast.FunctionDef):
            if public(node.name) or node.name == "__call__":
                names.append(node.name)
            elif node.name == "__init__":
                names += [n for n in set_in(node) if public(n)]
                parameters = [a.arg for a in node.args.args[1:] + node.args.kwonlyargs]
        elif isinstance(node, ast.AsyncFunctionDef) and public(node.name):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [t.id for t in node.targets if isinstance(t, ast.Name) and public(t.id)]
    known = dict.fromkeys(names)
    return ["." + n for n in known] + ["(%s)" % p for p in parameters if p not in known]


def names(module, tree):
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from (module + "." + node.name + member for member in [""] + members(node))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield module + "." + node.name
        elif isinstance(node, ast.Assign):
            yield from (module + "." + t.id for t in node.targets if isinstance(t, ast.Name) and public(t.id))


def main():
    root = pathlib.Path(sys.argv[1])
    for module in MODULES:
        source = (root / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        for name in names(module.split(".")[-1], ast.parse(source)):
            if not name.endswith(".logger"):
                print(name)


if __name__ == "__main__":
    main()
