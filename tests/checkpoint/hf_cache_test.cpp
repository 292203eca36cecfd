#include "checkpoint/hf_cache.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

class HfCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* v : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}) unsetenv(v);
    setenv("HOME", (folder_ / "home").c_str(), 1);
  }
  fs::path snapshot(const fs::path& hub, const std::string& model, const std::string& commit) {
    const fs::path p = hub / model / "snapshots" / commit;
    fs::create_directories(p);
    return p;
  }
  fs::path folder_ = test::scratch_dir("hf_cache");
};

TEST_F(HfCacheTest, FollowsTheMainReference) {
  const fs::path hub = folder_ / "hub";
  snapshot(hub, "models--org--name", "aaa");
  const fs::path wanted = snapshot(hub, "models--org--name", "bbb");
  setenv("HF_HUB_CACHE", hub.c_str(), 1);
  EXPECT_EQ(find_in_hf_cache("org/name"), std::nullopt);  // two, and nothing says which
  fs::create_directories(hub / "models--org--name/refs");
  test::write_file(hub / "models--org--name/refs/main", "bbb\n");
  EXPECT_EQ(find_in_hf_cache("org/name"), wanted);
  test::write_file(hub / "models--org--name/refs/main", "../../../other");
  EXPECT_EQ(find_in_hf_cache("org/name"), std::nullopt);
}

TEST_F(HfCacheTest, LooksWhereTheVariablesSay) {
  const fs::path at_home = snapshot(folder_ / "home/.cache/huggingface/hub", "models--a--b", "1");
  EXPECT_EQ(find_in_hf_cache("a/b"), at_home);
  const fs::path elsewhere = snapshot(folder_ / "hf/hub", "models--a--b", "2");
  setenv("HF_HOME", (folder_ / "hf").c_str(), 1);
  EXPECT_EQ(find_in_hf_cache("a/b"), elsewhere);
}

TEST_F(HfCacheTest, OnlyNamesAreLookedUp) {
  snapshot(folder_ / "home/.cache/huggingface/hub", "models--a--b", "1");
  for (const auto* id : {"a", "a/b/c", "/b", "a/", "../b", "a/..", "a/b\n", "a b/c", ""})
    EXPECT_EQ(find_in_hf_cache(id), std::nullopt) << id;
}

TEST(HubNames, AreShortAndPlain) {
  for (const std::string name : {"a", "stable-diffusion-v1.5", "_x", "-"})
    EXPECT_TRUE(is_hub_name(name));
  for (const std::string& name : {std::string(), std::string("."), std::string("a/b"),
                                  std::string("a b"), std::string(97, 'a'), std::string("a\0", 2)})
    EXPECT_FALSE(is_hub_name(name)) << name;
}

}  // namespace
}  // namespace mezzo
