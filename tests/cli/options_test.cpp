#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo::cli {
namespace {

using ::testing::ElementsAre;

/// Parses a command line with every flag of a request and a model.
struct Parsed {
  RequestFlags request;
  ModelFlags model;
  explicit Parsed(std::vector<std::string> arguments) {
    CLI::App app;
    add_prompts(app, request);
    add_request_flags(app, request);
    add_picture_flags(app, request);
    add_model_flags(app, model);
    arguments = protect_brackets(std::move(arguments));
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
  }
};

TEST(RequestFlags, CoverEveryField) {
  for (const Field& field : generate_fields()) {
    CLI::App app;
    RequestFlags flags;
    add_request_flags(app, flags);
    std::string name(field.name);
    std::replace(name.begin(), name.end(), '_', '-');
    EXPECT_NE(app.get_option_no_throw("--" + name), nullptr) << name;
  }
}

TEST(RequestFlags, SetTheRequest) {
  const Parsed p({"a cat", "--steps=12", "a dog", "-n", "bad", "--seed", "-1", "--guidance", "7.5",
                  "--no-keep-unmasked"});
  EXPECT_THAT(p.request.load().prompts, ElementsAre("a cat", "a dog"));
  EXPECT_EQ(p.request.params.steps, 12);
  EXPECT_EQ(p.request.params.negative_prompt, "bad");
  EXPECT_EQ(p.request.params.seed, -1);
  EXPECT_EQ(p.request.params.guidance, 7.5);
  EXPECT_FALSE(p.request.params.keep_unmasked);
}

TEST(RequestFlags, PromptsKeepTheirBrackets) {
  const Parsed p({"[a, b]", "(c:1.2)", "[d]", "-n", "[e, f]", "generate"});
  EXPECT_THAT(p.request.load().prompts, ElementsAre("[a, b]", "(c:1.2)", "[d]", "generate"));
  EXPECT_EQ(p.request.params.negative_prompt, "[e, f]");
}

TEST(RequestFlags, RefuseBadValuesAndPicturesThatMiss) {
  EXPECT_THROW(Parsed({"x", "--steps", "0"}), UsageError);
  EXPECT_THROW(Parsed({"x", "--guidance", "nan"}), UsageError);
  EXPECT_THROW(Parsed({"x", "--mask", "m.png"}).request.load(), UsageError);
  EXPECT_THROW(Parsed({"x", "--strength", "0.5"}).request.load(), UsageError);
  EXPECT_THROW(Parsed({"x", "--init", "/no/such.png"}).request.load(), UsageError);
}

TEST(RequestFlags, GoOverAnotherRequest) {
  GenerateParams recipe;
  recipe.prompts = {"a cat"};
  recipe.steps = 30;
  recipe.seed = 4;
  const Parsed p({"--seed", "5"});
  const GenerateParams request = p.request.over(recipe);
  EXPECT_EQ(request.seed, 5);
  EXPECT_EQ(request.steps, 30);
  EXPECT_THAT(request.prompts, ElementsAre("a cat"));
}

TEST(ModelFlags, AreRead) {
  const Parsed p({"--models-dir", "/a:/b c::/d", "--max-ram", "1.5G", "--threads", "3", "-m", "x",
                  "--precision", "f32"});
  EXPECT_THAT(p.model.folder_list(), ElementsAre("/a", "/b c", "/d"));
  EXPECT_EQ(p.model.engine.max_ram, 1610612736u);
  EXPECT_EQ(p.model.engine.threads, 3);
  EXPECT_EQ(p.model.model, "x");
  EXPECT_EQ(p.model.engine.precision, "f32");
}

TEST(ParseSize, ReadsUnits) {
  EXPECT_EQ(parse_size("6000000000"), 6000000000u);
  EXPECT_EQ(parse_size("6G"), 6ull << 30);
  EXPECT_EQ(parse_size("512m"), 512ull << 20);
  EXPECT_EQ(parse_size("2GiB"), 2ull << 30);
  EXPECT_EQ(parse_size("2GB"), 2ull << 30);
  EXPECT_EQ(parse_size("100b"), 100u);
  for (const char* bad : {"", "G", "0", "10", "999999", "-1G", "nan", "inf", "1e30", "6X", "6 G",
                          "6GG", "0.1", "99999999T"})
    EXPECT_THROW(parse_size(bad), UsageError) << bad;
}

}  // namespace
}  // namespace mezzo::cli
