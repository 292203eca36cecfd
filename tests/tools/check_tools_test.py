#!/usr/bin/env python3
"""Each check of tools/ is given a small tree with one fault at a time, and must find that fault and no other."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_budget
import check_layers
import check_mirror
import check_repo


def tree_of(files):
    """A temporary folder with these files; keeps it alive as long as the object lives."""
    folder = tempfile.TemporaryDirectory()
    for name, text in files.items():
        path = pathlib.Path(folder.name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class CheckCase(unittest.TestCase):
    def found(self, check, files):
        with tree_of(files) as folder:
            return check.problems(pathlib.Path(folder))

    def assert_one(self, check, files, *words):
        problems = self.found(check, files)
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])


class Layers(CheckCase):
    def test_arrows_to_the_left_pass(self):
        self.assertEqual([], self.found(check_layers, {
            "src/models/unet/unet.cpp": '#include "models/unet/unet.h"\n#include "nn/linear.h"\n#include "mezzotint/errors.h"\n',
            "src/pipeline/engine.cpp": '#include "mezzotint/engine.h"\n#include "checkpoint/bundle.h"\n#include "backend/cpu/probe.h"\n',
            "src/backend/cpu/cpu.cpp": '#include "backend/cpu/kernels.h"\n#include <vector>\n#include "hwy/highway.h"\n',
            "apps/cli/main.cpp": '#include "mezzotint/engine.h"\n#include "cli/args.h"\n#include "args.h"\n'}))

    def test_wrong_arrows(self):
        for name, header in {
                "src/models/unet/unet.cpp": "checkpoint/bundle.h",
                "src/sampling/euler.cpp": "models/registry.h",
                "src/ops/conv.cpp": "nn/linear.h",
                "src/text/prompt.cpp": "tensor/tensor.h",
                "src/base/file.cpp": "mezzotint/engine.h",
                "src/nn/linear.cpp": "backend/cpu/kernels.h",
                "src/nn/conv2d.cpp": "linear.h",
                "include/mezzotint/engine.h": "pipeline/state.h",
                "apps/cli/main.cpp": "base/file.h"}.items():
            with self.subTest(name):
                self.assert_one(check_layers, {name: f'#include "{header}"\n'}, name, header)

    def test_unknown_layer(self):
        self.assert_one(check_layers, {"src/extra/a.cpp": '#include "base/log.h"\n'}, "no layer")


class Mirror(CheckCase):
    source = {"src/nn/linear.cpp": "", "tests/nn/linear_test.cpp": ""}

    def test_mirrored(self):
        self.assertEqual([], self.found(check_mirror, self.source))

    def test_one_test_for_all_backends(self):
        self.assertEqual([], self.found(check_mirror, {"src/backend/cpu/norm.cpp": "", "tests/backend/norm_test.cpp": ""}))
        self.assert_one(check_mirror, {"src/backend/norm.cpp": "", "tests/norm_test.cpp": ""}, "tests/backend/norm_test.cpp")

    def test_missing(self):
        self.assert_one(check_mirror, self.source | {"src/nn/norm.cpp": ""}, "tests/nn/norm_test.cpp")

    def test_allowed(self):
        files = self.source | {"src/nn/norm.cpp": "", "tools/mirror_allow.txt": "src/nn/norm.cpp tests/nn/linear_test.cpp same code\n"}
        self.assertEqual([], self.found(check_mirror, files))

    def test_allowed_folder(self):
        files = self.source | {"src/models/a.cpp": "", "src/models/b.cpp": "", "tests/golden/m_test.cpp": "",
                               "tools/mirror_allow.txt": "src/models/ tests/golden/m_test.cpp block by block\n"}
        self.assertEqual([], self.found(check_mirror, files))
        self.assert_one(check_mirror, files | {"src/modelsx.cpp": ""}, "src/modelsx.cpp")

    def test_stale_lines(self):
        for line in ["src/gone/ tests/nn/linear_test.cpp", "src/nn/gone.cpp tests/nn/linear_test.cpp", "src/nn/linear.cpp tests/nn/linear_test.cpp"]:
            self.assert_one(check_mirror, self.source | {"tools/mirror_allow.txt": line + "\n"}, "mirror_allow")
        self.assert_one(check_mirror, self.source | {"src/nn/norm.cpp": "", "tools/mirror_allow.txt": "src/nn/norm.cpp later\n"},
                        "does not exist")


class Budget(CheckCase):
    LONG = "  step();\n"

    def test_long_function(self):
        text = "int f(int a) {\n" + self.LONG * 60 + "}\n"
        self.assert_one(check_budget, {"src/nn/a.cpp": text}, "src/nn/a.cpp:1", "62 lines")
        self.assertEqual([], self.found(check_budget, {"tests/nn/a_test.cpp": text, "src/backend/cpu/a.cpp": text}))

    def test_names_and_parameters(self):
        text = """
namespace mezzo {
namespace {
const Row kRows[] = {{"a", 1, {2, 3}}, {"b", 2, {}}};  // { " {
struct Point { int x = 0, y = 0; int sum() const { return x + y; } };
}  // namespace
template <class T, class U = std::vector<T>>
Foo<T>::Foo(int a, std::map<int, int> b) : a_{a}, b_(std::move(b)), c_{1'000} { run(); }
auto operator()(const Tensor& x) -> std::pair<int, int> { if (x) { for (;;) { } } return {1, 2}; }
std::string text(std::function<int(int, int)> f) { return R"({)" + f('{', '\\''); }
static void none() { auto g = [&](int a, int b, int c, int d, int e, int f) { return a; }; }
}
"""
        got = [(name, line, count) for name, line, _, count in check_budget.functions(text)]
        self.assertEqual(got, [("sum", 5, 0), ("Foo", 8, 2), ("operator()", 9, 1), ("text", 10, 1), ("none", 11, 0)])

    def test_many_parameters(self):
        self.assert_one(check_budget, {"src/nn/a.cpp": "void f(int a, int b, int c, int d, int e, int f) {}\n"}, "6 parameters")

    def test_long_files(self):
        self.assert_one(check_budget, {"src/nn/a.cpp": "\n" * 601}, "601 lines")
        self.assert_one(check_budget, {"src/nn/a.h": "\n" * 251}, "251 lines")

    def test_exceptions_need_a_reason_and_a_file(self):
        long_header = {"src/nn/a.h": "\n" * 251}
        self.assertEqual([], self.found(check_budget, long_header | {"tools/budget_allow.txt": "src/nn/a.h a table\n"}))
        self.assert_one(check_budget, long_header | {"tools/budget_allow.txt": "src/nn/a.h\n"}, "no reason")
        self.assert_one(check_budget, {"tools/budget_allow.txt": "src/nn/b.h a table\n"}, "no such file")


class Repo(CheckCase):
    def found(self, check, files):
        with tree_of(files | {name: "" for name in check_repo.EXECUTABLE}) as folder:
            for name in check_repo.EXECUTABLE:
                pathlib.Path(folder, name).chmod(0o755)
            return check.problems(pathlib.Path(folder))

    def test_clean(self):
        self.assertEqual([], self.found(check_repo, {"README.md": "[a](docs/a.md#part) [b](https://example.org/x)\n", "docs/a.md": "x\n"}))

    def test_faults(self):
        for name, text, word in [
                ("src/a.cpp", "// TO" "DO: finish\n", "unfinished"),
                ("apps/a.cpp", 'fail("not imple' 'mented");\n', "unfinished"),
                ("docs/a.md", "see /wo" "rk/main\n", "one machine"),
                ("tools/a.py", "url = 'https://registry.npm" "js.org/x'\n", "registry"),
                ("README.md", "[a](docs/gone.md)\n", "leads nowhere"),
                ("README.md", "x\n" * 151, "151 lines")]:
            with self.subTest(text[:40]):
                self.assert_one(check_repo, {name: text}, name, word)

    def test_size(self):
        self.assert_one(check_repo, {"models/a.gguf": "x" * (check_repo.MAX_TREE + 1)}, "MiB")

    def test_not_executable(self):
        with tree_of({name: "" for name in check_repo.EXECUTABLE}) as folder:
            self.assertEqual(len(check_repo.problems(pathlib.Path(folder))), len(check_repo.EXECUTABLE))


if __name__ == "__main__":
    unittest.main()
