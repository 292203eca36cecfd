#include "pipeline/weight_types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(WeightTypes, AreReadFromText) {
  const auto none = WeightTypes::parse("");
  EXPECT_EQ(none.of("unet"), std::nullopt);
  const auto all = WeightTypes::parse("Q8_0");
  EXPECT_EQ(all.of("unet"), DType::kQ8_0);
  EXPECT_EQ(all.rest(), DType::kQ8_0);
  const auto some = WeightTypes::parse("t5=nf4,unet=q4_k,f16");
  EXPECT_EQ(some.of("text_encoder_3"), DType::kNF4);
  EXPECT_EQ(some.of("unet"), DType::kQ4_K);
  EXPECT_EQ(some.of("vae"), DType::kF16);
  EXPECT_EQ(WeightTypes::parse("clip=q8_0").of("unet"), std::nullopt);
}

TEST(WeightTypes, SayWhichThereAre) {
  EXPECT_THAT([] { WeightTypes::parse("q9"); }, ThrowsMessage<UsageError>(HasSubstr("q4_k")));
  EXPECT_THAT([] { WeightTypes::parse("unet=q8_0,"); }, ThrowsMessage<UsageError>(HasSubstr("")));
  EXPECT_THAT([] { WeightTypes::parse("q2_k"); }, ThrowsMessage<UsageError>(HasSubstr("q2_k")));
  EXPECT_THAT([] { WeightTypes::parse("net=q8_0"); },
              ThrowsMessage<UsageError>(HasSubstr("\"net\" is not a network")));
}

DType stored(const TensorInfo& t, DType wanted, bool keeps = true) {
  return stored_type(t, wanted, [keeps](DType) { return keeps; });
}

TEST(StoredType, QuantisesWholeRowsOnly) {
  const std::string conv = "down_blocks.0.resnets.0.conv1.weight";
  EXPECT_EQ(stored({conv, DType::kF32, {64, 320, 3, 3}}, DType::kQ8_0), DType::kQ8_0);
  EXPECT_EQ(stored({conv, DType::kF32, {64, 1280, 3, 3}}, DType::kQ4_K), DType::kQ4_K);
  EXPECT_EQ(stored({conv, DType::kF32, {64, 320, 3, 3}}, DType::kQ4_K), DType::kQ5_0);
  EXPECT_EQ(stored({conv, DType::kF32, {64, 32, 3, 3}}, DType::kNF4), DType::kQ4_0);
  EXPECT_EQ(stored({conv, DType::kF32, {64, 3, 3, 3}}, DType::kQ8_0), DType::kF16);
  EXPECT_EQ(stored({conv, DType::kBF16, {64, 3, 3, 3}}, DType::kQ8_0), DType::kBF16);
  EXPECT_EQ(stored({"norm.weight", DType::kF32, {320}}, DType::kQ8_0), DType::kF16);
  EXPECT_EQ(stored({"ids", DType::kI64, {1, 64}}, DType::kQ8_0), DType::kI64);
}

TEST(StoredType, SparesSensitiveLayers) {
  for (const char* name : {"conv_in.weight", "time_embedding.linear_1.weight",
                           "down_blocks.1.resnets.0.conv_shortcut.weight"}) {
    EXPECT_TRUE(is_sensitive(name)) << name;
    EXPECT_EQ(stored({name, DType::kF32, {320, 64}}, DType::kQ8_0), DType::kF16);
    EXPECT_EQ(stored({name, DType::kQ8_0, {320, 64}}, DType::kQ4_0), DType::kQ8_0);
  }
  EXPECT_FALSE(is_sensitive("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"));
}

TEST(StoredType, KeepsBlocksThatAreNoLarger) {
  const auto of = [](DType file) { return TensorInfo{"to_q.weight", file, {64, 256}}; };
  EXPECT_EQ(stored(of(DType::kQ8_0), DType::kQ8_0), DType::kQ8_0);
  EXPECT_EQ(stored(of(DType::kQ4_0), DType::kQ8_0), DType::kQ4_0);
  EXPECT_EQ(stored(of(DType::kNF4), DType::kQ4_K), DType::kNF4);
  EXPECT_EQ(stored(of(DType::kNF4), DType::kQ4_K, false), DType::kQ4_K);  // GGUF has no nf4
  EXPECT_EQ(stored(of(DType::kQ8_0), DType::kQ4_0), DType::kQ4_0);
  EXPECT_EQ(stored(of(DType::kF8E4M3), DType::kQ8_0), DType::kF8E4M3);
  EXPECT_EQ(stored(of(DType::kQ8_0), DType::kF32), DType::kF32);
}

}  // namespace
}  // namespace mezzo
