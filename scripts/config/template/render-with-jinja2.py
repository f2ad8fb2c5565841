"""Renders one template with the jinja2 of the person's own python3: the other engine of render-template.ts.

Reads a request as JSON from stdin and writes the answer as JSON to stdout. Nothing of the context goes into an error:
a message names what the template itself says, or a type.
"""

import base64
import hashlib
import ipaddress
import json
import os
import re
import sys
import traceback


def answer(value):
    sys.stdout.buffer.write(json.dumps(value).encode("utf-8"))
    sys.exit(0)


try:
    import jinja2
    from jinja2 import lexer, nodes  # noqa: F401
    from jinja2.ext import Extension  # noqa: F401
except ImportError:
    answer({"missing": "jinja2"})


class Trouble(Exception):
    """A helper's own message, which holds no value."""


def marker(template, line):
    return "".join("".join(chr(0xF0000 + int(d)) for d in str(n)) + "\U000FFFFD" for n in (template, line))


class Loader(jinja2.BaseLoader):
    """Files below the root, links resolved; with marks where the output is asked for its origin."""

    def __init__(self, root, marked):
        self.root = os.path.realpath(root)
        self.marked = marked
        self.paths = []

    def get_source(self, environment, name):
        real = os.path.realpath(os.path.join(self.root, name))
        if not real.startswith(self.root + os.sep):
            raise Trouble("outside", name)
        # a pipe would be waited for
        if not os.path.isfile(real):
            raise jinja2.TemplateNotFound(name)
        try:
            with open(real, "r", encoding="utf-8", newline="") as file:
                source = re.sub("\r\n?", "\n", file.read())
        except (OSError, UnicodeDecodeError):
            raise jinja2.TemplateNotFound(name)
        if name not in self.paths:
            self.paths.append(name)
        if self.marked:
            source = mark(environment, source, self.paths.index(name))
        return source, name, None


def mark(environment, source, number):
    """Puts a mark before the first text or printed value of every line. Where the lexer trims, nothing is marked."""
    at = 0
    result = []
    variable = environment.variable_start_string
    tokens = list(environment.lex(source))
    for index, (line, kind, text) in enumerate(tokens):
        found = source.find(text, at)
        if found < 0:
            found = at
        # What the lexer left out is whitespace that a tag eats.
        result.append(source[at:found])
        at = found + len(text)
        first = "\n" not in "".join(result[-2:]) and "".join(result).rpartition("\n")[2].strip() == ""
        if kind == "data":
            lines = text.split("\n")
            for offset, part in enumerate(lines):
                blank = part[: len(part) - len(part.lstrip())]
                if part.strip():
                    lines[offset] = blank + marker(number, source.count("\n", 0, found) + 1 + offset) + part[len(blank):]
            text = "\n".join(lines)
        elif kind == "variable_begin" and text == variable:
            if first or "".join(result).rpartition("\n")[2].strip() == "":
                text = marker(number, source.count("\n", 0, found) + 1) + text
        result.append(text)
    result.append(source[at:])
    return "".join(result)


def text(value, helper):
    if isinstance(value, str):
        return value
    if isinstance(value, jinja2.Undefined):
        str(value)
    raise Trouble(f"{helper} takes a string, and this is {article(type_name(value))}")


def article(name):
    if name in ("none", "undefined"):
        return name
    return ("an " if name[0] in "aeiou" else "a ") + name


def type_name(value):
    if value is None:
        return "none"
    if isinstance(value, jinja2.Undefined):
        return "undefined"
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "list", tuple: "list", dict: "map"}
    return names.get(type(value), "value")


PLAIN = re.compile(r"^[A-Za-z_/][\w./@+:-]*( [\w./@+-]+)*$", re.ASCII)
WORDS = re.compile(r"^(true|false|yes|no|on|off|y|n|null)$", re.I)


def yaml_text(value):
    if PLAIN.match(value) and not value.endswith("\n") and not re.search(r":( |$)", value) and not WORDS.match(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def yaml_lines(value, indent):
    if isinstance(value, jinja2.Undefined):
        str(value)
        raise Trouble("an undefined value is no YAML")
    if isinstance(value, (list, tuple)) and value:
        lines = []
        for item in value:
            first, *rest = yaml_lines(item, indent)
            lines += ["- " + first] + ["  " + line for line in rest]
        return lines
    if isinstance(value, dict) and value:
        lines = []
        for key, item in value.items():
            inner = yaml_lines(item, indent)
            if isinstance(item, (dict, list, tuple)) and item:
                lines += [yaml_text(key) + ":"] + [" " * indent + line for line in inner]
            else:
                lines.append(yaml_text(key) + ": " + inner[0])
        return lines
    if isinstance(value, dict):
        return ["{}"]
    if isinstance(value, (list, tuple)):
        return ["[]"]
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str):
        return [yaml_text(value)]
    return [repr(value)]


def to_yaml(value, indent=2):
    if isinstance(indent, bool) or not isinstance(indent, (int, float)):
        raise Trouble("to_yaml takes a number as indent")
    return "\n".join(yaml_lines(value, indent))


def from_yaml(value):
    source = text(value, "from_yaml")
    try:
        import yaml
    except ImportError:
        raise Trouble("from_yaml needs PyYAML", "pip install pyyaml")

    class Core(yaml.SafeLoader):
        """The core schema of YAML 1.2, as the rest of this project reads YAML."""

        yaml_implicit_resolvers = {}

    for tag, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
        ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+)$", list("-+0123456789.")),
        ("merge", r"^(?:<<)$", ["<"]),
    ):
        Core.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))

    def integer(loader, node):
        raw = loader.construct_scalar(node)
        return int(raw[2:], 8) if raw.startswith("0o") else int(raw[2:], 16) if raw.startswith("0x") else int(raw)

    Core.add_constructor("tag:yaml.org,2002:int", integer)
    try:
        return whole(yaml.load(source, Core))
    except yaml.YAMLError:
        raise Trouble("from_yaml: the value is no YAML")


def whole(value):
    """A float that is a whole number comes out of JavaScript without its point, so it is one nowhere."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): whole(item) for key, item in value.items()}
    return value


def to_json(value, indent=None):
    if isinstance(value, jinja2.Undefined):
        str(value)
        raise Trouble("an undefined value is no JSON")
    return json.dumps(value, indent=indent)


def from_json(value, helper="from_json"):
    try:
        return whole(json.loads(text(value, helper)))
    except ValueError:
        raise Trouble(helper + ": the value is no JSON")


def b64encode(value):
    return base64.b64encode(text(value, "b64encode").encode("utf-8")).decode("ascii")


def b64decode(value):
    source = re.sub(r"[^A-Za-z0-9+/_-]", "", text(value, "b64decode").split("=")[0]).replace("-", "+").replace("_", "/")
    return base64.b64decode(source + "=" * (-len(source) % 4)).decode("utf-8", "replace")


def basename(value):
    name = text(value, "basename").rstrip("/").split("/")[-1]
    dot = name.rfind(".")
    return name[:dot] if 0 < dot < len(name) - 1 else name


def network_of(value, helper):
    try:
        return ipaddress.ip_interface(value) if isinstance(value, str) and prefixed(value) else None
    except ValueError:
        return None


def prefixed(value):
    return re.fullmatch(r"[^/%]+(/\d{1,3})?", value, re.ASCII)


def must_be_network(value, helper):
    found = network_of(value, helper)
    if found is None:
        raise Trouble(helper + ": the value is no network")
    return found


def place(query, helper):
    if isinstance(query, bool) or not isinstance(query, int):
        raise Trouble(helper + " takes a whole number")
    return query


def nthhost(value, query):
    found = network_of(value, "nthhost")
    query = place(query, "nthhost")
    if found is None or not 0 <= query < found.network.num_addresses:
        return False
    return str(found.network[query])


def cidr_host(value, query):
    network = must_be_network(value, "cidr_host").network
    query = place(query, "cidr_host")
    if not -network.num_addresses <= query < network.num_addresses:
        raise Trouble("cidr_host: the network has no such host")
    return str(network[query])


def ip_network(value):
    return str(must_be_network(value, "ip_network").network)


def ipaddr(value, query="address"):
    found = must_be_network(value, "ipaddr")
    network = found.network
    parts = {
        "address": lambda: str(found.ip),
        "network": lambda: str(network.network_address),
        "netmask": lambda: str(network.netmask),
        "prefix": lambda: network.prefixlen,
        "size": lambda: network.num_addresses,
        "version": lambda: network.version,
        "broadcast": lambda: str(network.broadcast_address),
    }
    if query not in parts:
        raise Trouble("ipaddr knows address, network, netmask, prefix, size, version and broadcast")
    return parts[query]()


def regex_replace(value, pattern, replacement=""):
    try:
        return re.sub(text(pattern, "regex_replace"), text(replacement, "regex_replace"), text(value, "regex_replace"))
    except re.error:
        raise Trouble("regex_replace: the pattern is no regular expression")


def sha256(value):
    return hashlib.sha256(text(value, "sha256").encode("utf-8")).hexdigest()


def talos_patches_of(root):
    def talos_patches(value):
        folder = text(value, "talos_patches")
        if not re.fullmatch(r"[\w.-]+", folder, re.ASCII) or re.fullmatch(r"\.+", folder):
            raise Trouble("talos_patches takes the name of a folder")
        for base in ("patches", "config/talos/patches", "templates/config/talos/patches", "talos/patches", "templates/patches"):
            try:
                names = sorted(os.listdir(os.path.join(root, base, folder)))
            except OSError:
                continue
            fits = lambda name: name.endswith(".yaml.j2") and not name.startswith(".") and os.path.isfile(os.path.join(root, base, folder, name))
            found = [f"{base}/{folder}/{name}" for name in names if fits(name)]
            if found:
                return found
        return []

    return talos_patches


def helpers_of(root):
    return {
        "to_yaml": to_yaml,
        "from_yaml": from_yaml,
        "to_json": to_json,
        "from_json": from_json,
        "fromjson": lambda value: from_json(value, "fromjson"),
        "b64encode": b64encode,
        "b64decode": b64decode,
        "basename": basename,
        "nthhost": nthhost,
        "cidr_host": cidr_host,
        "ip_network": ip_network,
        "ipaddr": ipaddr,
        "regex_replace": regex_replace,
        "sha256": sha256,
        "talos_patches": talos_patches_of(root),
    }


class Missing(Exception):
    """An undefined value that was used: its name as the template has it, and the names there are instead."""


def strict_undefined():
    class Named(jinja2.StrictUndefined):
        def _fail_with_undefined_error(self, *args, **kwargs):
            owner = self._undefined_obj
            known = None
            if owner is jinja2.utils.missing:
                known = "context"
            elif isinstance(owner, dict):
                known = [key for key in owner if isinstance(key, str)]
            raise Missing(self._undefined_name, known, self._undefined_message)

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _fail_with_undefined_error
        __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pos__ = __neg__ = _fail_with_undefined_error
        __call__ = __getitem__ = __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = _fail_with_undefined_error
        __complex__ = __pow__ = __rpow__ = __iter__ = __str__ = __len__ = _fail_with_undefined_error
        __eq__ = __ne__ = __bool__ = __hash__ = __contains__ = _fail_with_undefined_error

        def __getattr__(self, name):
            if name[:2] == "__":
                raise AttributeError(name)
            self._fail_with_undefined_error()

    return Named


def line_of(error, loader):
    """The last template line on the way to the error."""
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in loader.paths:
            found = (frame.filename, frame.lineno or 1)
    return found


def main():
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    options = request["options"]
    settings = {
        "trim_blocks": options["trimBlocks"],
        "lstrip_blocks": options["lstripBlocks"],
        "keep_trailing_newline": options["keepTrailingNewline"],
        "undefined": {"strict": strict_undefined(), "chainable": jinja2.ChainableUndefined, "default": jinja2.Undefined}[options["undefined"]],
        "autoescape": False,
        "extensions": ["jinja2.ext.do", "jinja2.ext.loopcontrols"],
    }
    for name, ends in (options.get("delimiters") or {}).items():
        settings[name + "_start_string"], settings[name + "_end_string"] = ends
    loader = Loader(request["root"], request["marked"])
    environment = jinja2.Environment(loader=loader, **settings)
    helpers = helpers_of(loader.root)
    environment.filters.update(helpers)
    environment.globals.update(helpers)
    path = request["path"]

    def place(error):
        found = line_of(error, loader)
        return {"path": found[0], "line": found[1]} if found else {"path": path, "line": 1}

    try:
        rendered = environment.get_template(path).render(request["context"])
        answer({"text": rendered, "paths": loader.paths})
    except Missing as error:
        name, known, message = error.args
        answer({"kind": "undefined", "name": str(name) if name is not None else "", "known": known, "empty": message is not None, **place(error)})
    except jinja2.TemplateSyntaxError as error:
        answer({"kind": "syntax", "message": error.message or "", "path": error.name or path, "line": error.lineno})
    except jinja2.TemplatesNotFound as error:
        answer({"kind": "absent", "names": [str(name) for name in error.templates], **place(error)})
    except jinja2.TemplateNotFound as error:
        answer({"kind": "absent", "names": [str(error.name)], **place(error)})
    except Trouble as error:
        message, *rest = error.args
        if message == "outside":
            answer({"kind": "outside", "names": rest, **place(error)})
        answer({"kind": "helper", "message": message, "hint": rest[0] if rest else None, **place(error)})
    except jinja2.UndefinedError as error:
        answer({"kind": "soft", **place(error)})
    except RecursionError as error:
        answer({"kind": "recursion", **place(error)})
    except ZeroDivisionError as error:
        answer({"kind": "zero", **place(error)})
    except TypeError as error:
        answer({"kind": "type", "message": str(error), **place(error)})
    except Exception as error:
        answer({"kind": "other", "message": type(error).__name__, **place(error)})


sys.setrecursionlimit(2000)
main()
