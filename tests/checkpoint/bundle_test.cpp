#include "checkpoint/bundle.h"

#include <gtest/gtest.h>

#include "support/goldens.h"

namespace mezzo {
namespace {

TEST(ModelName, IsWhatPeopleCallIt) {
  const fs::path root = test::scratch_dir("names");
  EXPECT_EQ(model_name(root / "v1-5-pruned.safetensors"), "v1-5-pruned");
  fs::create_directories(root / "sd-v1.5");
  EXPECT_EQ(model_name(root / "sd-v1.5"), "sd-v1.5");
  EXPECT_EQ(model_name((root / "sd-v1.5").string() + "/"), "sd-v1.5");
  const auto snapshot = root / "models--runwayml--stable-diffusion-v1-5/snapshots/0123abcd";
  fs::create_directories(snapshot);
  EXPECT_EQ(model_name(snapshot), "runwayml/stable-diffusion-v1-5");
}

}  // namespace
}  // namespace mezzo
