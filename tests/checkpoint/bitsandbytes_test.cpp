#include "checkpoint/bitsandbytes.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "tensor/blocks.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using test::ByteSource;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr auto kState = "a.weight.quant_state.bitsandbytes__nf4";

void put_state(ByteSource& s, const std::string& text) {
  s.put(kState, DType::kU8, {static_cast<std::int64_t>(text.size())}, text);
}

Json plain_state(std::vector<std::int64_t> shape, int block = 64) {
  return {{"quant_type", "nf4"}, {"blocksize", block}, {"dtype", "float32"}, {"shape", shape}};
}

/// [3, 128] values in blocks of `block`: code (7 i) % 16 times the block's number plus one.
std::shared_ptr<ByteSource> weight(int block = 64) {
  auto s = std::make_shared<ByteSource>();
  std::vector<std::uint8_t> codes(3 * 128 / 2);
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint8_t>((14 * i % 16) << 4 | (14 * i + 7) % 16);
  std::vector<float> absmax(static_cast<std::size_t>(3 * 128 / block));
  for (std::size_t i = 0; i < absmax.size(); ++i) absmax[i] = static_cast<float>(i + 1);
  s->put("a.weight", DType::kU8, {static_cast<std::int64_t>(codes.size()), 1}, codes);
  s->put("a.weight.absmax", DType::kF32, {static_cast<std::int64_t>(absmax.size())}, absmax);
  s->put("a.weight.quant_map", DType::kF32, {16},
         std::vector<float>(kNF4Codes.begin(), kNF4Codes.end()));
  s->put("b", DType::kF32, {1}, std::vector<float>{5});
  put_state(*s, plain_state({3, 128}, block).dump());
  return s;
}

void expect_values(const TensorSource& s, int block) {
  const Tensor t = cast(s.load("a.weight"), DType::kF32);
  for (std::size_t i = 0; i < 3 * 128; ++i)
    ASSERT_EQ(t.data<float>()[i],
              kNF4Codes[7 * i % 16] * static_cast<float>(i / static_cast<std::size_t>(block) + 1))
        << i;
}

TEST(Bitsandbytes, BecomesOneTensorOfBlocks) {
  for (const int block : {64, 128, 384}) {
    SCOPED_TRACE(block);
    const auto s = with_bitsandbytes(weight(block));
    ASSERT_EQ(s->tensors().size(), 2u);
    EXPECT_EQ(s->tensors()[0].name, "a.weight");
    EXPECT_EQ(s->tensors()[0].dtype, DType::kNF4);
    EXPECT_EQ(s->tensors()[0].shape, (Shape{3, 128}));
    EXPECT_EQ(s->load("b").data<float>()[0], 5);
    expect_values(*s, block);
  }
}

TEST(Bitsandbytes, UndoesDoubleQuantisation) {
  const auto s = weight();
  std::vector<float> map(256);
  for (std::size_t i = 0; i < 256; ++i) map[i] = static_cast<float>(i) / 8;
  // map[code] * nested + offset = 1, 2, ... 6
  s->put("a.weight.absmax", DType::kU8, {6}, std::vector<std::uint8_t>{0, 4, 8, 12, 8, 10});
  s->put("a.weight.nested_absmax", DType::kF32, {2}, std::vector<float>{2, 4});
  s->put("a.weight.nested_quant_map", DType::kF32, {256}, map);
  Json state = plain_state({3, 128});
  state.update({{"nested_blocksize", 4}, {"nested_offset", 1.0}});
  put_state(*s, state.dump());
  expect_values(*with_bitsandbytes(s), 64);
}

TEST(Bitsandbytes, RowsThatAreNoWholeBlocksBecomeFloat32) {
  const auto s = weight();
  put_state(*s, plain_state({12, 32}).dump());
  const auto made = with_bitsandbytes(s);
  EXPECT_EQ(made->tensors()[0].dtype, DType::kF32);
  EXPECT_EQ(made->tensors()[0].shape, (Shape{12, 32}));
  expect_values(*made, 64);
}

TEST(Bitsandbytes, LeavesOtherFilesAlone) {
  const auto s = std::make_shared<ByteSource>();
  s->put("x.absmax", DType::kF32, {1}, std::vector<float>{1});
  EXPECT_EQ(with_bitsandbytes(s), s);
}

std::string problem(const std::function<void(ByteSource&)>& damage) {
  const auto s = weight();
  damage(*s);
  return test::message_of([&] { with_bitsandbytes(s); });
}

std::string state_problem(const Json& patch) {
  Json state = plain_state({3, 128});
  state.merge_patch(patch);
  return problem([&](ByteSource& s) { put_state(s, state.dump()); });
}

TEST(Bitsandbytes, RefusesStatesThatMakeNoSense) {
  EXPECT_THAT(problem([](ByteSource& s) { put_state(s, "{\"quant_type\":"); }), HasSubstr("JSON"));
  EXPECT_THAT(problem([](ByteSource& s) { put_state(s, "[]"); }), HasSubstr("a.weight"));
  EXPECT_THAT(problem([](ByteSource& s) { put_state(s, std::string(1 << 17, ' ')); }),
              HasSubstr("no short text"));
  EXPECT_THAT(state_problem({{"quant_type", "int8"}}), HasSubstr("quant_type"));
  EXPECT_THAT(state_problem({{"quant_type", nullptr}}), HasSubstr("quant_type"));
  EXPECT_THAT(state_problem({{"blocksize", 0}}), HasSubstr("blocksize"));
  EXPECT_THAT(state_problem({{"blocksize", -64}}), HasSubstr("blocksize"));
  EXPECT_THAT(state_problem({{"blocksize", 32}}), HasSubstr("multiple of 64"));
  EXPECT_THAT(state_problem({{"blocksize", 1 << 20}}), HasSubstr("blocksize"));
  EXPECT_THAT(state_problem({{"shape", nullptr}}), HasSubstr("no shape"));
  EXPECT_THAT(state_problem({{"shape", Json::array()}}), HasSubstr("no shape"));
  EXPECT_THAT(state_problem({{"shape", {3, 129}}}), HasSubstr("needs a.weight as"));
  EXPECT_THAT(state_problem({{"shape", {-3, -128}}}), HasSubstr("impossible shape"));
  EXPECT_THAT(state_problem({{"shape", {3, "128"}}}), HasSubstr("impossible shape"));
  EXPECT_THAT(state_problem({{"shape", {1ll << 40, 1ll << 40}}}), HasSubstr("impossible shape"));
  EXPECT_THAT(state_problem({{"shape", {1, 1, 1, 1, 1, 1, 1, 3, 128}}}),
              HasSubstr("impossible shape"));
}

TEST(Bitsandbytes, RefusesTensorsThatDoNotFit) {
  const auto floats = [](std::size_t n) { return std::vector<float>(n, 1.0f); };
  EXPECT_THAT(problem([](ByteSource& s) { s.erase("a.weight"); }), HasSubstr("lacks its tensor"));
  EXPECT_THAT(problem([](ByteSource& s) { s.erase("a.weight.absmax"); }),
              HasSubstr("lacks its tensor a.weight.absmax"));
  EXPECT_THAT(
      problem([&](ByteSource& s) { s.put("a.weight.absmax", DType::kF32, {5}, floats(5)); }),
      HasSubstr("6 values of f32"));
  EXPECT_THAT(
      problem([&](ByteSource& s) { s.put("a.weight.quant_map", DType::kF32, {16}, floats(16)); }),
      HasSubstr("quant_map"));
  EXPECT_THAT(
      problem([&](ByteSource& s) { s.put("a.weight.quant_map", DType::kF32, {8}, floats(8)); }),
      HasSubstr("16 values"));
  EXPECT_THAT(problem([&](ByteSource& s) {
                s.put("a.weight.absmax", DType::kU8, {6}, std::vector<std::uint8_t>(6));
              }),
              HasSubstr("nested_blocksize"));
}

}  // namespace
}  // namespace mezzo
