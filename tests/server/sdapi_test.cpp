// /sdapi/v1 as A1111's clients use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server_program.h"

namespace mezzo::test {
namespace {

class Sdapi : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new ServerProgram("sdapi"); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static Answer post(const std::string& name, const Json& body) {
    return server_->client().post("/sdapi/v1/" + name, body);
  }
  static Answer get(const std::string& name) { return server_->client().get("/sdapi/v1/" + name); }
  static ServerProgram* server_;
};
ServerProgram* Sdapi::server_ = nullptr;

TEST_F(Sdapi, DrawsFromTextAndFromAPicture) {
  const Answer answer = post("txt2img", {{"prompt", "a red apple"},
                                         {"steps", 2},
                                         {"seed", 5},
                                         {"width", 128},
                                         {"height", 128},
                                         {"batch_size", 2},
                                         {"sampler_name", "Euler a"},
                                         {"scheduler", "automatic"},
                                         {"restore_faces", true},
                                         {"unknown_field", {1, 2}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  ASSERT_EQ(json["images"].size(), 2u);
  const Json info = Json::parse(json["info"].get<std::string>());
  EXPECT_EQ(info["all_seeds"], Json({5, 6}));
  EXPECT_EQ(info["width"], 128);
  EXPECT_EQ(info["infotexts"].size(), 2u);
  EXPECT_EQ(info["extra_generation_params"]["Not supported"][0], "restore_faces");

  const std::string picture = json["images"][0];
  const Json described = post("png-info", {{"image", picture}}).json();
  EXPECT_EQ(described["info"], info["infotexts"][0]);

  const Answer second = post("img2img", {{"prompt", "a green apple"},
                                         {"init_images", {picture}},
                                         {"mask", picture},
                                         {"inpainting_mask_invert", 0},
                                         {"steps", 3},
                                         {"denoising_strength", 1.0}});
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_FALSE(second.json()["parameters"].contains("init_images"));
  // Nothing was to be saved.
  EXPECT_EQ(server_->client().get("/api/v1/images").json()["total"], 0);
}

TEST_F(Sdapi, ListsAreOfObjectsAndOptionsAreKept) {
  for (const char* name :
       {"samplers", "schedulers", "sd-models", "upscalers", "latent-upscale-modes"}) {
    const Json list = get(name).json();
    ASSERT_TRUE(list.is_array() && !list.empty()) << name;
    EXPECT_TRUE(list[0].is_object());
  }
  Json options = get("options").json();
  EXPECT_EQ(options["sd_model_checkpoint"], get("sd-models").json()[0]["title"]);
  options["my_own"] = 5;
  EXPECT_EQ(post("options", options).status, 200);
  EXPECT_EQ(get("options").json()["my_own"], 5);
  EXPECT_EQ(post("options", {{"sd_model_checkpoint", "none such"}}).status, 422);
  const Json idle = get("progress").json();
  EXPECT_EQ(idle["progress"], 0.0);
  EXPECT_EQ(idle["state"]["job_count"], 0);
  EXPECT_EQ(post("interrupt", Json::object()).body, "{}");
}

TEST_F(Sdapi, ErrorsHaveTheirShape) {
  EXPECT_EQ(post("txt2img", {{"prompt", "x"}, {"sampler_name", "none"}}).json()["detail"],
            "Sampler not found");
  EXPECT_EQ(post("img2img", {{"prompt", "x"}}).status, 404);
  const Answer wrong = post("txt2img", {{"prompt", "x"}, {"width", 100}});
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.json()["detail"][0]["loc"][1], "width");
}

}  // namespace
}  // namespace mezzo::test
