#include "weights/cast_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "tensor/convert.h"
#include "weights/weights.h"

namespace mezzo {
namespace {

/// "a" [3, 96'000] and "b" [5] of float32: waves.
class Waves final : public TensorSource {
 public:
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size() / 4; ++i) {
      const float v = std::sin(static_cast<float>(i) * 0.37f);
      std::memcpy(out.data() + 4 * i, &v, 4);
    }
  }
  void read_part(std::size_t i, std::size_t begin, std::span<std::byte> out) const override {
    largest_part_ = std::max(largest_part_, out.size());
    TensorSource::read_part(i, begin, out);
  }
  std::string origin() const override { return "waves"; }
  std::size_t largest_part() const { return largest_part_; }

 private:
  mutable std::size_t largest_part_ = 0;
  std::vector<TensorInfo> tensors_ = {{"a", DType::kF32, {3, 96'000}}, {"b", DType::kF32, {5}}};
};

TEST(CastSource, ConvertsWhatThePolicyNames) {
  const auto waves = std::make_shared<Waves>();
  const auto s =
      cast_to(waves, [](const TensorInfo& t) { return t.name == "a" ? DType::kQ8_0 : t.dtype; });
  EXPECT_EQ(s->tensors()[0].dtype, DType::kQ8_0);
  EXPECT_EQ(s->tensors()[1].dtype, DType::kF32);
  const Tensor whole = s->load("a"), expected = cast(waves->load("a"), DType::kQ8_0);
  EXPECT_EQ(std::memcmp(whole.raw(), expected.raw(), whole.bytes()), 0);  // whatever the pieces
  std::vector<std::byte> part(340);
  s->read_part(0, 68, part);
  EXPECT_EQ(std::memcmp(part.data(), whole.data<std::byte>() + 68, part.size()), 0);
  EXPECT_EQ(waves->largest_part(), 10u * 32 * 4);  // a row of a table of embeddings, not the table
  EXPECT_EQ(s->load("b").data<float>()[2], std::sin(2 * 0.37f));
}

TEST(CastSource, ReadsPartsOfPlainTensorsAlone) {
  const auto waves = std::make_shared<Waves>();
  const auto s = cast_to(waves, [](const TensorInfo&) { return DType::kF16; });
  const Tensor whole = s->load("a");
  std::vector<std::byte> part(2 * 1000);
  s->read_part(0, 2 * 12'345, part);
  EXPECT_EQ(std::memcmp(part.data(), whole.data<std::byte>() + 2 * 12'345, part.size()), 0);
  EXPECT_EQ(waves->largest_part(), 4u * 1000);
}

TEST(CastSource, TellsOfTypesThatCannotBeWritten) {
  std::vector<float> values(256);
  std::vector<std::byte> out(256);
  EXPECT_THROW(convert_values(DType::kF32, reinterpret_cast<std::byte*>(values.data()), 256,
                              DType::kQ2_K, out.data()),
               UsageError);
}

}  // namespace
}  // namespace mezzo
