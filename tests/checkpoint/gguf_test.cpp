#include "checkpoint/gguf.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "support/goldens.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GgufTest : public ::testing::Test {
 protected:
  static GgufWriter::Fill from(const TensorSource& source, std::size_t index, DType type) {
    return [&source, index, type](std::span<std::byte> out) {
      const Tensor t = cast(source.load(source.tensors()[index].name), type);
      std::ranges::copy(std::span(t.data<std::byte>(), t.bytes()), out.begin());
    };
  }
  fs::path folder_ = test::scratch_dir("gguf");
};

TEST_F(GgufTest, ValuesRoundTrip) {
  GgufWriter w;
  w.set("text", std::string_view("häuser\0x", 9));
  w.set("count", std::uint32_t{4'000'000'000});
  w.set("scale", 0.25f);
  w.set("flag", true);
  w.set("words", std::vector<std::string>{"a", "", "b"});
  w.set("numbers", std::vector<std::int32_t>{-1, 2});
  w.write(folder_ / "v.gguf");
  const auto g = open_gguf(folder_ / "v.gguf");
  EXPECT_EQ(g->string("text"), std::string("häuser\0x", 9));
  EXPECT_EQ(g->integer("count"), 4'000'000'000);
  EXPECT_EQ(g->number("scale"), 0.25);
  EXPECT_EQ(g->number("count"), 4e9);
  EXPECT_EQ(g->integer("flag"), 1);
  EXPECT_EQ(g->strings("words"), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(g->integers("numbers"), (std::vector<std::int64_t>{-1, 2}));
  EXPECT_EQ(g->string("count"), std::nullopt);
  EXPECT_EQ(g->integer("text"), std::nullopt);
  EXPECT_EQ(g->strings("numbers"), std::nullopt);
}

TEST_F(GgufTest, EveryShapeRoundTrips) {
  const test::MadeSource made({{"conv", {4, 32, 3, 3}},
                               {"deep", {2, 1, 3, 1, 2}},
                               {"matrix", {2, 64}},
                               {"none", {0, 3}},
                               {"odd", {5, 7}},
                               {"scalar", {}}});
  GgufWriter w;
  for (std::size_t i = 0; i < made.tensors().size(); ++i) {
    TensorInfo t = made.tensors()[i];
    if (t.name == "conv" || t.name == "matrix") t.dtype = DType::kQ8_0;
    if (t.name == "odd") t.dtype = DType::kBF16;
    w.add(t, from(made, i, t.dtype));
  }
  w.write(folder_ / "t.gguf");
  const auto g = open_gguf(folder_ / "t.gguf");
  ASSERT_EQ(g->tensors().size(), made.tensors().size());
  for (const auto& t : made.tensors()) {
    SCOPED_TRACE(t.name);
    const Tensor x = cast(g->load(t.name), DType::kF32), y = made.load(t.name);
    ASSERT_EQ(x.shape(), y.shape());
    for (std::int64_t i = 0; i < x.numel(); ++i)
      ASSERT_NEAR(x.data<float>()[i], y.data<float>()[i],
                  0.005 * std::fabs(y.data<float>()[i]) + 0.005 * 1e3)
          << i;
  }
  EXPECT_EQ(g->load("deep").data<float>()[11], made.load("deep").data<float>()[11]);
}

TEST_F(GgufTest, RefusesWhatItCannotHold) {
  EXPECT_FALSE(GgufWriter::can_hold(DType::kQ8_0, {3, 33}));
  EXPECT_FALSE(GgufWriter::can_hold(DType::kQ8_0, {}));
  EXPECT_FALSE(GgufWriter::can_hold(DType::kF8E4M3, {32}));
  EXPECT_TRUE(GgufWriter::can_hold(DType::kQ8_0, {4, 32, 3, 3}));
  GgufWriter w;
  EXPECT_THROW(w.add({"x", DType::kQ8_0, {3, 33}}, {}), UsageError);
}

TEST_F(GgufTest, AnErrorWhileWritingLeavesNoFile) {
  GgufWriter w;
  w.add({"x", DType::kF32, {4}}, [](std::span<std::byte>) { fail<LoadError>("the source broke"); });
  EXPECT_THROW(w.write(folder_ / "e.gguf"), LoadError);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(GgufTest, AnEmptyKeyIsRefused) {  // 37 bytes that ended llama.cpp by an assertion
  using test::little_endian;
  const std::string bytes = "GGUF" + little_endian(3, 4) + little_endian(0, 8) +
                            little_endian(1, 8) + little_endian(0, 8) + little_endian(0, 4) + "x";
  ASSERT_EQ(bytes.size(), 37u);
  EXPECT_THAT(test::message_of([&] { open_gguf(test::write_file(folder_ / "k.gguf", bytes)); }),
              HasSubstr("empty key"));
}

TEST_F(GgufTest, ShapesThatLieAreRefused) {
  for (const std::string shapes :
       {R"({"x":[5]})", R"({"x":[-4]})", R"({"x":["4"]})", R"({"x":4})",
        R"({"x":[1,1,1,1,1,1,1,1,4]})", R"({"x":[4294967296,4294967296]})", "{"}) {
    GgufWriter w;
    w.set(std::string(kGgufShapesKey), std::string_view(shapes));
    w.add({"x", DType::kF32, {4}},
          [](std::span<std::byte> out) { std::ranges::fill(out, std::byte{0}); });
    w.write(folder_ / "s.gguf");
    EXPECT_NE(test::message_of([&] { open_gguf(folder_ / "s.gguf"); }), "") << shapes;
  }
}

// ComfyUI-GGUF stores matrices whose rows are no whole blocks as rows of 256 and writes the true
// shape beside them: their rows begin inside blocks, so that no row can be read alone.
TEST_F(GgufTest, MatricesWithRowsInsideBlocksAreHandedOutAsFloat16) {
  const test::MadeSource made({{"conv", {9, 32}}, {"m", {3, 64}}, {"padded", {3, 64}}});
  GgufWriter w;
  w.set("comfy.gguf.orig_shape.conv", std::vector<std::int32_t>{8, 4, 3, 3});
  w.set("comfy.gguf.orig_shape.m", std::vector<std::int32_t>{12, 16});
  w.set("comfy.gguf.orig_shape.padded", std::vector<std::int32_t>{12, 16, 1, 1});
  for (std::size_t i = 0; i < 3; ++i)
    w.add({made.tensors()[i].name, DType::kQ8_0, made.tensors()[i].shape},
          from(made, i, DType::kQ8_0));
  w.write(folder_ / "m.gguf");
  const auto g = open_gguf(folder_ / "m.gguf");
  EXPECT_EQ(g->tensors()[0].dtype, DType::kQ8_0);  // convolutions are only ever read whole
  for (const auto* name : {"m", "padded"}) {
    const Tensor t = g->load(name);
    ASSERT_TRUE(byte_size(t.dtype(), t.dim(1))) << name << ": a row that is no whole blocks";
    EXPECT_EQ(t.dtype(), DType::kF16);
    EXPECT_EQ(t.dim(0), 12);
    const Tensor values = cast(t, DType::kF32), expected = made.load(name);
    for (std::int64_t i = 0; i < values.numel(); ++i)
      ASSERT_NEAR(values.data<float>()[i], expected.data<float>()[i], 10) << name << " " << i;
  }
}

TEST_F(GgufTest, RecordedShapesOfTooManyDimensionsAreNotRead) {
  GgufWriter w;
  w.set("comfy.gguf.orig_shape.x", std::vector<std::int32_t>(100'000, 1));
  w.add({"x", DType::kF32, {1}},
        [](std::span<std::byte> out) { std::ranges::fill(out, std::byte{0}); });
  w.write(folder_ / "d.gguf");
  EXPECT_THAT(test::message_of([&] { open_gguf(folder_ / "d.gguf"); }),
              HasSubstr("100000 dimensions, at most 8"));
}

TEST_F(GgufTest, NoByteFlipCrashes) {
  GgufWriter w;
  w.set("a.key", std::string_view("value"));
  w.set("list", std::vector<std::string>{"x", "y"});
  w.add({"m", DType::kQ8_0, {2, 32}},
        [](std::span<std::byte> out) { std::ranges::fill(out, std::byte{1}); });
  w.write(folder_ / "f.gguf");
  const std::string bytes = read_text_file(folder_ / "f.gguf");
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const int flip : {1, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      try {
        const auto g = open_gguf(test::write_file(folder_ / "g.gguf", changed));
        for (const auto& t : g->tensors()) g->load(t.name);
      } catch (const LoadError&) {
        continue;
      }
    }
}

}  // namespace
}  // namespace mezzo
