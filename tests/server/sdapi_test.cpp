// /sdapi/v1 as A1111's clients use it.
#include <unistd.h>

#include <chrono>
#include <span>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/files.h"
#include "server/http.h"
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

TEST_F(Sdapi, OptionsAreFollowedAndARequestOverridesThem) {
  const Json request = {{"prompt", "a red apple"}, {"steps", 1}, {"seed", 5}};
  const auto first_bytes = [](const Answer& answer) {
    return answer.json()["images"][0].get<std::string>().substr(0, 4);
  };
  const std::string png = "iVBO", jpeg = "/9j/";
  ASSERT_EQ(post("options", {{"samples_format", "jpg"}, {"CLIP_stop_at_last_layers", 2}}).status,
            200);
  const Answer answer = post("txt2img", request);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(first_bytes(answer), jpeg);
  EXPECT_EQ(Json::parse(answer.json()["info"].get<std::string>())["clip_skip"], 2);
  Json other = request;
  other["override_settings"] = {{"samples_format", "png"}, {"CLIP_stop_at_last_layers", 1}};
  const Answer overridden = post("txt2img", other);
  EXPECT_EQ(first_bytes(overridden), png);
  EXPECT_EQ(Json::parse(overridden.json()["info"].get<std::string>())["clip_skip"], 1);
  ASSERT_EQ(post("options", {{"samples_format", "png"}, {"CLIP_stop_at_last_layers", 1}}).status,
            200);
}

TEST_F(Sdapi, WhatIsNotSupportedIsNamed) {
  const Json request = {
      {"prompt", "a red apple"},  {"steps", 1},       {"s_churn", 4},
      {"styles", {"cinematic"}},  {"s_noise", 1.0},   {"refiner_checkpoint", "xl"},
      {"seed_resize_from_h", -1}, {"enable_hr", true}};
  const Answer answer = post("txt2img", request);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json info = Json::parse(answer.json()["info"].get<std::string>());
  EXPECT_EQ(info["extra_generation_params"]["Not supported"],
            Json({"enable_hr", "s_churn", "refiner_checkpoint", "styles"}));
  EXPECT_EQ(post("interrogate", {{"image", "x"}}).status, 404);
}

TEST_F(Sdapi, InpaintsOnlyTheMaskedPartOfALargePicture) {
  const auto pixels = [](int side, int from, int to) {  // black, a white square in the middle
    Image image{.width = side, .height = side, .channels = 3, .pixels = {}};
    image.pixels.assign(static_cast<std::size_t>(side * side * 3), 0);
    for (int y = from; y < to; ++y)
      std::fill_n(image.row(y) + 3 * from, 3 * (to - from), std::uint8_t{255});
    return image;
  };
  const auto encoded = [](const Image& image) {
    Picture picture;
    picture.image = image;
    const auto png = encode_picture(picture, ".png");
    return server::base64({reinterpret_cast<const char*>(png.data()), png.size()});
  };
  const Image init = pixels(300, 0, 300), mask = pixels(300, 100, 150);
  const auto drawn = [&](Json more) {
    Json body = {{"prompt", "a red apple"},
                 {"init_images", {encoded(init)}},
                 {"mask", encoded(mask)},
                 {"steps", 3},
                 {"seed", 4},
                 {"width", 128},
                 {"height", 128},
                 {"mask_blur", 0}};
    body.update(more);
    const Answer answer = post("img2img", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const std::string png =
        server::base64_decoded(answer.json()["images"][0].get_ref<const std::string&>(), "images");
    return decode_picture(std::as_bytes(std::span(png)), "answer");
  };
  const Image part = drawn({{"inpaint_full_res_padding", 16}});
  ASSERT_EQ(part.width, 300);
  int changed = 0;
  for (int y = 0; y < 300; ++y)
    for (int x = 0; x < 300; ++x) {
      const bool same = part.row(y)[3 * x] == 255 && part.row(y)[3 * x + 1] == 255;
      const bool inside = x >= 100 && x < 150 && y >= 100 && y < 150;
      ASSERT_TRUE(same || inside) << x << " " << y;
      changed += same ? 0 : 1;
    }
  EXPECT_GT(changed, 500);
  EXPECT_EQ(drawn({{"inpaint_full_res", false}}).width, 128);
  // Settings copied from a picture fill what is left open.
  const Json info = Json::parse(
      post("txt2img", {{"infotext", "a cat\nSteps: 2, Sampler: Euler a, CFG scale: 3, Seed: 11"}})
          .json()["info"]
          .get<std::string>());
  EXPECT_EQ(info["seed"], 11);
  EXPECT_EQ(info["steps"], 2);
  EXPECT_EQ(info["prompt"], "a cat");
  const Json larger = post("extra-batch-images",
                           {{"upscaling_resize", 2}, {"imageList", {{{"data", encoded(mask)}}}}})
                          .json();
  EXPECT_EQ(larger["images"].size(), 1u);
}

TEST_F(Sdapi, APromptIsAText) {
  EXPECT_EQ(post("txt2img", {{"prompt", {"a cat"}}}).status, 422);
  EXPECT_EQ(post("txt2img", {{"prompt", "a cat"}, {"negative_prompt", 3}}).status, 422);
}

TEST_F(Sdapi, TheSamplerChoosesAnAutomaticSchedule) {
  const auto pixels = [&](const char* scheduler) {
    const Json answer = post("txt2img", {{"prompt", "a cat"},
                                         {"steps", 4},
                                         {"seed", 5},
                                         {"sampler_name", "DPM++ 2M"},
                                         {"scheduler", scheduler}})
                            .json();
    const std::string png =
        server::base64_decoded(answer["images"][0].get_ref<const std::string&>(), "images");
    return decode_picture(std::as_bytes(std::span(png)), "answer").pixels;
  };
  EXPECT_TRUE(pixels("Automatic") == pixels("Karras"));
  EXPECT_FALSE(pixels("Automatic") == pixels("Exponential"));
}

TEST_F(Sdapi, ABlankMaskIsNoneWhereOnlyItsPlaceIsDrawn) {
  Picture black;
  black.image = {.width = 64, .height = 64, .channels = 3, .pixels = {}};
  black.image.pixels.assign(64 * 64 * 3, 0);
  const auto png = encode_picture(black, ".png");
  const std::string code = server::base64({reinterpret_cast<const char*>(png.data()), png.size()});
  const auto status = [&](bool only_masked) {
    return post("img2img", {{"init_images", {code}},
                            {"mask", code},
                            {"steps", 2},
                            {"inpaint_full_res", only_masked}})
        .status;
  };
  EXPECT_EQ(status(true), 200);
  EXPECT_EQ(status(false), 422);
}

TEST_F(Sdapi, PicturesThatAreSavedAreDrawnThoughTheClientHasGone) {
  const Client c = server_->client();
  const auto total = [&] { return c.get("/api/v1/images").json()["total"].get<int>(); };
  const int before = total();
  const std::string body =
      Json({{"prompt", "a cat"}, {"steps", 20}, {"n_iter", 2}, {"save_images", true}}).dump();
  const int socket =
      c.open(fmt::format("POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: "
                         "application/json\r\nContent-Length: {}\r\n\r\n{}",
                         server_->port(), body.size(), body));
  while (c.get("/sdapi/v1/progress").json()["progress"] == 0) std::this_thread::yield();
  ::close(socket);
  for (int i = 0; i < 3000 && total() < before + 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(total(), before + 2);
}

TEST_F(Sdapi, NumbersThatCannotBeUsedAreRefused) {
  for (const char* text : {"1e300", "\"nan\"", "-1e300", "\"x\"", "[1]", "true"}) {
    const std::string body = std::string(R"({"prompt": "x", "steps": )") + text + "}";
    const Answer answer = server_->client().send("POST", "/sdapi/v1/txt2img", body,
                                                 {{"Content-Type", "application/json"}});
    EXPECT_EQ(answer.status, 422) << text;
  }
  for (const char* key : {"batch_size", "n_iter", "cfg_scale", "seed"})
    EXPECT_EQ(post("txt2img", {{"prompt", "x"}, {"steps", 1}, {key, "much"}}).status, 422) << key;
  EXPECT_EQ(post("txt2img", {{"prompt", "a cat"}, {"steps", "1"}, {"seed", nullptr}}).status, 200);
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
