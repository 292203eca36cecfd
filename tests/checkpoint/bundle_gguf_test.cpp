// What a Mezzotint GGUF file may name.
#include "checkpoint/bundle_gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using ::testing::HasSubstr;
using Names = std::vector<std::string>;

class BundleGgufTest : public ::testing::Test {
 protected:
  ModelBundle bundle(const Names& components, const Names& tokenizers) {
    GgufWriter w;
    w.set("mezzotint.version", std::uint32_t{1});
    w.set("mezzotint.components", components);
    w.set("mezzotint.tokenizers", tokenizers);
    w.set("mezzotint.tokenizer.merges.txt", std::string_view("#version"));
    for (const auto& name : {"unet.x", "vae.x", "lora.x"})
      w.add({name, DType::kF32, {1}},
            [](std::span<std::byte> out) { std::ranges::fill(out, std::byte{0}); });
    const fs::path file = folder_ / "model.gguf";
    w.write(file);
    return read_bundle(open_gguf(file), file);
  }
  std::string problem(const Names& components, const Names& tokenizers) {
    return test::message_of([&] { bundle(components, tokenizers); });
  }
  fs::path folder_ = test::scratch_dir("bundle_gguf");
};

TEST_F(BundleGgufTest, ReadsWhatItNames) {
  const ModelBundle b = bundle({"unet", "vae"}, {"tokenizer"});
  EXPECT_EQ(b.components.size(), 2u);
  EXPECT_EQ(b.tokenizers.at("tokenizer").at("merges.txt"), "#version");
}

TEST_F(BundleGgufTest, RefusesUnknownNamesAndNamesTwice) {
  EXPECT_THAT(problem({"unet", "lora"}, {}), HasSubstr("\"lora\""));
  EXPECT_THAT(problem({"unet", ""}, {}), HasSubstr("\"\""));
  EXPECT_THAT(problem({"unet", "unet"}, {}), HasSubstr("\"unet\""));
  EXPECT_THAT(problem({"unet"}, {"components"}), HasSubstr("\"components\""));
  EXPECT_THAT(problem({"unet"}, {"tokenizer", "tokenizer"}), HasSubstr("\"tokenizer\""));
  EXPECT_LT(problem({std::string(10'000, 'x')}, {}).size(), 1000u);
  EXPECT_THAT(problem({"text_encoder"}, {}), HasSubstr("no tensors"));
  EXPECT_THAT(problem({}, {}), HasSubstr("no networks"));
}

}  // namespace
}  // namespace mezzo
