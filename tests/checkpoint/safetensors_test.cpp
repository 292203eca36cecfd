#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using test::little_endian;
using ::testing::HasSubstr;

class SafetensorsTest : public ::testing::Test {
 protected:
  fs::path file(const std::string& header, std::size_t data) {
    return test::write_file(folder_ / "a.safetensors",
                            little_endian(header.size(), 8) + header + std::string(data, 'x'));
  }
  std::string problem(const std::string& header, std::size_t data) {
    return test::message_of([&] { open_safetensors(file(header, data)); });
  }
  fs::path folder_ = test::scratch_dir("safetensors");
};

TEST_F(SafetensorsTest, ReadsWhatWasWritten) {
  const test::MadeSource made({{"a", {2, 3}}, {"b", {}}, {"c", {0, 5}}});
  const auto s = open_safetensors(test::write_safetensors(folder_ / "m.safetensors", made));
  ASSERT_EQ(s->tensors().size(), 3u);
  EXPECT_EQ(s->tensors()[0].shape, (Shape{2, 3}));
  EXPECT_EQ(s->load("a").data<float>()[5], 5);
  EXPECT_EQ(s->load("b").data<float>()[0], 1000);
  EXPECT_THROW(s->load("d"), LoadError);
}

TEST_F(SafetensorsTest, KeepsMetadata) {
  const auto s = open_safetensors(file(R"({"__metadata__":{"format":"pt","k":"v"}})", 0));
  EXPECT_EQ(s->metadata().at("k"), "v");
}

TEST_F(SafetensorsTest, SaysWhatIsWrong) {
  EXPECT_THAT(problem(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 12),
              HasSubstr("4 of"));
  EXPECT_THAT(problem(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 20),
              HasSubstr("4 bytes follow"));
  EXPECT_THAT(problem(R"({"a":{"dtype":"Q9","shape":[4],"data_offsets":[0,16]}})", 16),
              HasSubstr("unknown dtype Q9"));
  EXPECT_THAT(
      problem(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4),
      HasSubstr("8 dimensions"));
  EXPECT_THAT(problem(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
              HasSubstr("unexpected field"));
  EXPECT_THAT(problem(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", 4),
              HasSubstr("out of place"));
  EXPECT_THAT(problem(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4),
              HasSubstr("array where none"));
  EXPECT_THAT(problem(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4),
              HasSubstr("do not span"));
  EXPECT_THAT(problem(R"({"a":[1]})", 4), HasSubstr("array where none"));
  EXPECT_THAT(problem(R"({"a":"x"})", 4), HasSubstr("not described"));
  EXPECT_THAT(problem(R"({"__metadata__":{"a":{}}})", 0), HasSubstr("nested"));
  EXPECT_THAT(problem(R"({"__metadata__":{"a":"1","a":"2"}})", 0), HasSubstr("twice"));
  EXPECT_THAT(problem("", 0), HasSubstr("not a JSON object"));
}

}  // namespace
}  // namespace mezzo
