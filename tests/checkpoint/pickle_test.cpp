// Pickles written by hand, opcode by opcode (names as in CPython's pickletools), and PyTorch files
// made of them.
#include "checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "checkpoint/torch_pickle.h"
#include "checkpoint/torch_tensors.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using test::little_endian;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;

std::string text(const std::string& s) { return "X"s + little_endian(s.size(), 4) + s; }
std::string number(int n) { return "J"s + little_endian(static_cast<std::uint32_t>(n), 4); }

std::string problem(const std::string& bytes) {
  return test::message_of([&] { Pickle(bytes, "test"); });
}

TEST(PickleMachine, ReadsValues) {
  // {"a": (1, -2), "b": [True, None], 3: "x"}
  const std::string bytes = "\x80\x02}("s + text("a") + "K\x01"s + number(-2) + "\x86"s +
                            text("b") + "](\x88Ne"s + "K\x03"s + text("x") + "u.";
  const Pickle p(bytes, "test");
  const auto a = p.get(p.root(), "a");
  ASSERT_EQ(p.kind(a), Pickle::Kind::kTuple);
  EXPECT_EQ(p.integer(p.items(a)[0]), 1);
  EXPECT_EQ(p.integer(p.items(a)[1]), -2);
  const auto b = p.get(p.root(), "b");
  ASSERT_EQ(p.kind(b), Pickle::Kind::kList);
  EXPECT_TRUE(p.boolean(p.items(b)[0]));
  EXPECT_EQ(p.kind(p.items(b)[1]), Pickle::Kind::kNone);
  EXPECT_EQ(p.get(p.root(), "c"), Pickle::kAbsent);
  EXPECT_EQ(p.consumed(), bytes.size());
}

TEST(PickleMachine, ReadsIntegersOfEveryLength) {
  const auto value = [](const std::string& bytes) {
    const Pickle p(bytes, "test");
    return p.integer(p.root());
  };
  EXPECT_EQ(value("\x8a\x00."s), 0);
  EXPECT_EQ(value("\x8a\x01\xff."s), -1);
  EXPECT_EQ(value("\x8a\x02\xff\x00."s), 255);
  EXPECT_EQ(value("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."s),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(value("I-12\n."), -12);
  EXPECT_EQ(value("L34L\n."), 34);
  EXPECT_EQ(value("M\x01\x02."), 0x201);
}

TEST(PickleMachine, SharesByReference) {
  // Thirty times: a tuple of the value before and itself. Copies would need 2^30 values.
  std::string bytes = "N";
  for (int i = 0; i < 30; ++i) bytes += "2\x86";
  EXPECT_EQ(problem(bytes + "."), "");
  EXPECT_EQ(problem(")"s + std::string(200'000, '\x85') + "."), "");
}

TEST(PickleMachine, MemoSlotsMayBeSparse) {
  const std::string bytes =
      "K\x05r\xff\xff\xff\xff"
      "0j\xff\xff\xff\xff."s;
  const Pickle p(bytes, "test");
  EXPECT_EQ(p.integer(p.root()), 5);
  // Slot 1 first, then slots 0 and 1 in order: the later value counts.
  const std::string again =
      "K\x05q\x01"
      "0K\x06q\x00"
      "0K\x07q\x01"
      "0h\x01."s;
  const Pickle q(again, "test");
  EXPECT_EQ(q.integer(q.root()), 7);
}

TEST(PickleMachine, CallsAreOnlyWrittenDown) {
  const std::string bytes = "cos\nsystem\n"s + text("touch PWNED") + "\x85R.";
  const Pickle p(bytes, "test");
  EXPECT_THAT(p.called(), ElementsAre("os.system"));
  EXPECT_EQ(p.kind(p.root()), Pickle::Kind::kCall);
  const std::string named = "cos\nsystem\n.";
  EXPECT_THAT(Pickle(named, "test").called(), ElementsAre());
  EXPECT_THAT(Pickle(named, "test").named(), ElementsAre("os.system"));
}

TEST(PickleMachine, RefusesNonsense) {
  for (const std::string& bytes : {""s,
                                   "."s,
                                   "N"s,
                                   "t."s,
                                   "0."s,
                                   "N(R."s,
                                   "Na."s,
                                   "}K\x01s."s,
                                   "(K\x01"
                                   "d."s,
                                   "K\x01K\x02"
                                   "b."s,
                                   "\x82\x01."s,
                                   "\xff."s,
                                   "\x80\x06N."s,
                                   "X\xff\xff\xff\xff"
                                   "a"s,
                                   "\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"
                                   "a"s,
                                   "h\x00."s,
                                   "Ix\n."s,
                                   "Sx\n."s,
                                   "K\x01K\x02\x93."s,
                                   "(o."s,
                                   "K\x01K\x02"
                                   "a."s,
                                   "\x97."s,
                                   "(K\x01"
                                   "1N1."s})
    EXPECT_NE(problem(bytes), "") << testing::PrintToString(bytes);
}

TEST(PickleMachine, StopsAtItsLimits) {
  EXPECT_THAT(problem(std::string(600'000, ']') + "."), HasSubstr("500000"));
  EXPECT_THAT(problem("N"s + std::string(5'000'000, '2') + "."), HasSubstr("too many"));
  std::string busy = "N";
  for (int i = 0; i < 5'100'000; ++i) busy += "20";
  EXPECT_THAT(problem(busy + "."), HasSubstr("10 million"));
}

TEST(PickleMachine, LimitsNamesMarksAndMemory) {
  const std::string most(1024, 'm'), more(1025, 'm');
  EXPECT_EQ(problem("c"s + most + "\n" + most + "\n."), "");
  EXPECT_THAT(problem("c"s + more + "\nf\n."), HasSubstr("1024"));
  EXPECT_THAT(problem("cm\n"s + more + "\n."), HasSubstr("1024"));
  EXPECT_THAT(problem("(im\n"s + more + "\n."), HasSubstr("1024"));
  EXPECT_THAT(problem(text("m") + text(more) + "\x93."s), HasSubstr("1024"));
  EXPECT_THAT(problem(std::string(5'000'000, '(') + "N."), HasSubstr("too many"));
  EXPECT_THAT(problem("N"s + std::string(600'000, '\x94') + "."), HasSubstr("memo"));
  std::string sparse = "N";
  for (std::uint32_t i = 0; i < 600'000; ++i) sparse += "r" + little_endian(0xffffffff - i, 4);
  EXPECT_THAT(problem(sparse + "."), HasSubstr("memo"));
}

TEST(PickleMachine, SaysWhenMoreBytesMayHelp) {
  const std::string bytes = "\x80\x02"s + text("hello") + ".";
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_TRUE(Pickle(std::string_view(bytes).substr(0, n), "t", true).cut_off());
  EXPECT_FALSE(Pickle(bytes, "t", true).cut_off());
}

TEST(TorchNames, DangerIsToldFromHabit) {
  for (const auto* g : {"os.system", "posix.system", "builtins.eval", "__builtin__.getattr",
                        "subprocess.Popen", "io.open", "runpy.run_path"})
    EXPECT_TRUE(is_dangerous(g)) << g;
  for (const auto* g : {"builtins.set", "__builtin__.set", "collections.OrderedDict", "numpy.dtype",
                        "_codecs.encode", "pathlib.PosixPath",
                        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
                        "torch._utils._rebuild_tensor_v2"})
    EXPECT_FALSE(is_dangerous(g)) << g;
}

// A legacy file (torch.save before 1.6) with one storage of float32 0 1 2 3 4 5 and one view of it.
class LegacyFile : public ::testing::Test {
 protected:
  std::string tensor(const std::string& shape, const std::string& stride, int offset,
                     int elements = 6) {
    return "ctorch._utils\n_rebuild_tensor_v2\n(("s + text("storage") + "ctorch\nFloatStorage\n"s +
           text("7") + text("cpu") + number(elements) + "NtQ"s + number(offset) + shape + stride +
           "\x89"
           "ccollections\nOrderedDict\n)RtR";
  }
  std::string file(const std::string& object) {
    std::string data = little_endian(6, 8);
    for (int i = 0; i < 6; ++i) {
      const auto v = static_cast<float>(i);
      data.append(reinterpret_cast<const char*>(&v), 4);
    }
    return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
           "\x80\x02M\xe9\x03."
           "\x80\x02}"s +
           text("little_endian") + "\x88s." + "\x80\x02"s + object + ".\x80\x02]("s + text("7") +
           "e."s + data;
  }
  std::string one(const std::string& t) { return "}"s + text("w") + t + "s"; }
  fs::path write(const std::string& bytes) { return test::write_file(folder_ / "m.pt", bytes); }
  std::vector<float> values(const TensorSource& s, const std::string& name) {
    const Tensor t = s.load(name);
    return {t.data<float>(), t.data<float>() + t.numel()};
  }
  fs::path folder_ = test::scratch_dir("pickle");
};

TEST_F(LegacyFile, ViewsAreGathered) {
  const auto plain = open_torch(write(file(one(tensor("K\x02K\x03\x86", "K\x03K\x01\x86", 0)))));
  EXPECT_THAT(values(*plain, "w"), ElementsAre(0, 1, 2, 3, 4, 5));
  const auto turned = open_torch(write(file(one(tensor("K\x03K\x02\x86", "K\x01K\x03\x86", 0)))));
  EXPECT_THAT(values(*turned, "w"), ElementsAre(0, 3, 1, 4, 2, 5));
  const auto part = open_torch(write(file(one(tensor("K\x02\x85", "K\x02\x85", 1)))));
  EXPECT_THAT(values(*part, "w"), ElementsAre(1, 3));
  const auto scalar = open_torch(write(file(one(tensor(")", ")", 5)))));
  EXPECT_THAT(values(*scalar, "w"), ElementsAre(5));
}

TEST_F(LegacyFile, NestedNamesAreJoined) {
  const std::string t = tensor("K\x06\x85", "K\x01\x85", 0);
  const auto s = open_torch(write(file("}"s + text("state_dict") + "}("s + text("a") + "}"s +
                                       text("b") + t + "s"s + text("c") + "]("s + t + "eus")));
  ASSERT_EQ(s->tensors().size(), 2u);
  EXPECT_EQ(s->tensors()[0].name, "a.b");
  EXPECT_EQ(s->tensors()[1].name, "c.0");
}

TEST_F(LegacyFile, LongNamesAreRefused) {
  const std::string t = tensor("K\x06\x85", "K\x01\x85", 0);
  const auto named = [&](std::size_t n) {
    return write(file("}"s + text(std::string(n, 'w')) + t + "s"));
  };
  EXPECT_EQ(open_torch(named(1024))->tensors().size(), 1u);
  EXPECT_THAT(test::message_of([&] { open_torch(named(1025)); }), HasSubstr("1024"));
  const auto nested = write(
      file("}"s + text(std::string(600, 'a')) + "}"s + text(std::string(600, 'b')) + t + "ss"));
  EXPECT_THAT(test::message_of([&] { open_torch(nested); }), HasSubstr("1024"));
}

TEST_F(LegacyFile, LongStorageKeysAreRefused) {
  std::string bytes = file(one(tensor("K\x06\x85", "K\x01\x85", 0)));
  for (std::size_t at; (at = bytes.find(text("7"))) != std::string::npos;)
    bytes.replace(at, text("7").size(), text(std::string(1025, 'k')));
  EXPECT_THAT(test::message_of([&] { open_torch(write(bytes)); }), HasSubstr("storage key"));
}

TEST_F(LegacyFile, ViewsOutsideTheirStorageAreRefused) {
  const auto refused = [&](const std::string& t) {
    return test::message_of([&] { open_torch(write(file(one(t)))); });
  };
  EXPECT_THAT(refused(tensor("K\x06\x85", "K\x01\x85", 1)), HasSubstr("beyond"));
  EXPECT_THAT(refused(tensor("K\x02\x85", "K\x06\x85", 0)), HasSubstr("beyond"));
  EXPECT_THAT(refused(tensor("K\x06\x85", number(-1) + "\x85", 5)), HasSubstr("negative stride"));
  EXPECT_THAT(refused(tensor("K\x07\x85", "K\x00\x85"s, 0)), HasSubstr("more than"));
  EXPECT_THAT(refused(tensor(number(-6) + "\x85", "K\x01\x85", 0)), HasSubstr("impossible"));
  EXPECT_THAT(refused(tensor("K\x06\x85", "K\x01\x85", -1)), HasSubstr("storage"));
  EXPECT_THAT(refused(tensor("K\x06\x85", "K\x01\x85", 0, 9)), HasSubstr("24 bytes"));
}

TEST_F(LegacyFile, RequestsAreReportedAndDangerRefused) {
  const std::string t = tensor("K\x06\x85", "K\x01\x85", 0);
  const fs::path strange =
      write(file("}("s + text("w") + t + text("extra") + "cmy.package\nThing\n)Ru"));
  EXPECT_THAT(pickle_requests(strange).called, ElementsAre("my.package.Thing"));
  EXPECT_EQ(open_torch(strange)->tensors().size(),
            1u);  // the tensors load, the request stays a note
  const fs::path hostile = write(
      file("}("s + text("w") + t + text("x") + "cos\nsystem\n"s + text("touch PWNED") + "\x85Ru"));
  EXPECT_THAT(pickle_requests(hostile).dangerous, ElementsAre("os.system"));
  EXPECT_THAT(test::message_of([&] { open_torch(hostile); }), HasSubstr("os.system"));
}

}  // namespace
}  // namespace mezzo
