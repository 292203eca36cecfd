#!/usr/bin/env python3
"""Checks the sizes of files and functions: what does not fit on a screen asks to be divided.
An exception is a line in tools/budget_allow.txt: path or path:function, and the reason."""
import re

import tree

MAX_LINES = {".cpp": 600, ".inl": 600, ".h": 250}
WARN_LINES = 400
MAX_FUNCTION, MAX_PARAMETERS = 60, 5
MAX_KERNEL_FUNCTION, MAX_KERNEL_PARAMETERS = 100, 8  # kernels take raw pointers and sizes; tests read as a list

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                   r"|\b\d[\w']*|'(?:\\.|[^'\\\n])+'|^[ \t]*\#(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE)
TYPE = re.compile(r"^(?:static |const |constexpr |inline |typedef |extern |export )*"
                  r"(?:namespace|class|struct|union|enum|extern)\b")
TEMPLATE = re.compile(r"^template\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>\s*")
ATTRIBUTE = re.compile(r"\[\[.*?\]\]|^(?:public|private|protected)\s*:|\balignas\s*\([^)]*\)")
CONTROL = {"if", "for", "while", "switch", "catch", "return", "do", "else"}
BODY = re.compile(r"(?:\)|\}|\bconst|\bnoexcept|\boverride|\bfinal|\btry|\bmutable|&|HWY_ATTR|->[\s\w:<>,*&]+)$")
NAME = re.compile(r"(operator\s*(?:\(\)|\[\]|[^\s\w(]+|[\w:]+)|~?\w+)\s*\(")


def clean(text):
    """The text without comments, literals and directives, line for line."""
    return NOISE.sub(lambda m: "0" + "\n" * m.group().count("\n") if m.group()[0].isdigit() else
                     '""' * (m.group()[0] in "\"'R") + "\n" * m.group().count("\n"), text)


def parameters(head):
    """(name, number of parameters) of the function whose text before its body this is, or None where it is no function."""
    found = NAME.search(head)
    if not found or found.group(1) in CONTROL:
        return None
    depth, angles, count, used = 0, 0, 1, False
    for c in head[found.end():]:
        if c == ")" and depth == 0:
            break
        depth += (c in "([{") - (c in ")]}")
        angles = max(0, angles + (c == "<") - (c == ">"))
        count += c == "," and depth == 0 and angles == 0
        used = used or not c.isspace()
    return found.group(1), count if used else 0


def functions(text):
    """(name, first line, lines, parameters) of every function body that stands in no other function."""
    text = clean(text)
    stack, start, line, inside = [], 0, 1, 0  # stack: (kind, start of the statement around, name, line, parameters)
    for i, c in enumerate(text):
        if c == "\n":
            line += 1
        elif c == ";" and not (stack and stack[-1][0] == "value"):
            start = i + 1
        elif c == "{":
            head = TEMPLATE.sub("", ATTRIBUTE.sub("", text[start:i]).strip()).strip()
            is_type = bool(TYPE.match(head)) and not re.search(r"[=,(]$", head)
            signature = None if inside or is_type else BODY.search(head) and parameters(head)
            if stack and stack[-1][0] == "value":
                signature, is_type = None, False
            kind = "function" if signature else "block" if inside or is_type or not head else "value"
            stack.append((kind, start, line, signature))
            inside += kind == "function"
            start = i + 1
        elif c == "}" and stack:
            kind, before, first, signature = stack.pop()
            start = before if kind == "value" else i + 1
            if kind == "function":
                inside -= 1
                yield signature[0], first, line - first + 1, signature[1]


def check_file(path, text, allow):
    lines = text.count("\n")
    if lines > MAX_LINES[path.suffix] and str(path) not in allow:
        yield f"{path}: {lines} lines (at most {MAX_LINES[path.suffix]})"
    loose = path.parts[0] in {"tests", "bench", "fuzz"} or path.parts[:2] == ("src", "backend")
    longest, most = (MAX_KERNEL_FUNCTION, MAX_KERNEL_PARAMETERS) if loose else (MAX_FUNCTION, MAX_PARAMETERS)
    for name, first, length, count in functions(text):
        if f"{path}:{name}" in allow:
            continue
        if length > longest:
            yield f"{path}:{first}: {name} has {length} lines (at most {longest})"
        if count > most and not name.isupper():
            yield f"{path}:{first}: {name} has {count} parameters (at most {most}; a Config struct reads better)"


def problems(root=tree.ROOT):
    allow = tree.allowed(root, "budget_allow.txt")
    found = [f"tools/budget_allow.txt: {key} gives no reason" for key, reason in allow.items() if not reason]
    found += [f"tools/budget_allow.txt: {key}: no such file" for key in allow if not (root / key.split(":")[0]).exists()]
    for path in tree.code(root, "src", "include", "apps", "tests", "bench", "fuzz"):
        text = (root / path).read_text(errors="replace")
        found += check_file(path, text, allow)
        if root == tree.ROOT and path.suffix == ".cpp" and WARN_LINES < text.count("\n") <= MAX_LINES[".cpp"]:
            print(f"note: {path} has {text.count(chr(10))} lines; past {MAX_LINES['.cpp']} it must be divided")
    return found


if __name__ == "__main__":
    tree.finish("budgets", problems())
