// Every command, from the command line to the files it leaves.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/program.h"
#include "mezzotint/files.h"
#include "support/goldens.h"

namespace mezzo::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Commands : public ::testing::Test {
 protected:
  void SetUp() override {
    if (small_model().empty())
      GTEST_SKIP() << "no model: models/icons.gguf and ../shared/default-model are absent";
    program_.set("MEZZO_MODEL", small_model().string());
  }
  /// Runs and expects success.
  Result run(std::vector<std::string> arguments, const std::string& input = "") const {
    const Result r = program_.run(arguments, input);
    EXPECT_EQ(r.code, 0) << r.err;
    return r;
  }
  Image image(const std::string& name) const {
    return load_image((program_.folder() / name).string());
  }
  bool exists(const std::string& name) const { return fs::exists(program_.folder() / name); }

  Program program_{::testing::UnitTest::GetInstance()->current_test_info()->name()};
};

TEST_F(Commands, GenerateSavesWhatItTells) {
  const Result r =
      run({"generate", "a red apple", "-o", "apple.png", "--steps", "2", "--seed", "7"});
  EXPECT_THAT(r.out, AllOf(HasSubstr("saved apple.png"), HasSubstr("seed 7")));
  EXPECT_THAT(
      r.err,
      AllOf(StartsWith("loading the model\nreading the prompt\nloading the model\ndrawing: 1/2 "),
            HasSubstr("\ndecoding\n")));
  const Image apple = image("apple.png");
  EXPECT_EQ(apple.channels, 3);
  EXPECT_GE(apple.width, 64);
  // The same request gives the same file, in company too, whatever its threads.
  run({"generate", "a red apple", "-o", "again.png", "--steps", "2", "--seed", "7", "--threads",
       "1"});
  EXPECT_EQ(image("again.png").pixels, apple.pixels);
  run({"generate", "a red apple", "-o", "many.png", "--steps", "2", "--seed", "6", "--count", "3"});
  EXPECT_EQ(image("many-2.png").pixels, apple.pixels);
  EXPECT_NE(image("many-3.png").pixels, apple.pixels);
}

TEST_F(Commands, AFileThatWasReplacedIsCalledSo) {
  const std::vector<std::string> to_file = {"generate", "a cat", "--steps", "1", "-o", "x.png"};
  EXPECT_THAT(run(to_file).out, StartsWith("saved x.png"));
  EXPECT_THAT(run(to_file).out, StartsWith("replaced x.png"));
}

TEST_F(Commands, GenerateNamesFilesByItself) {
  run({"generate", "A red apple!", "--steps", "1", "-q"});
  EXPECT_TRUE(exists("a-red-apple.png"));
  EXPECT_EQ(run({"generate", "A red apple!", "--steps", "1", "-q"}).out, "a-red-apple-2.png\n");
  run({"generate", "-", "-o", "folder/", "--steps", "1", "--seed", "5"}, "a cat\n\na dog\n");
  EXPECT_TRUE(exists("folder/00001-5.png"));
  EXPECT_TRUE(exists("folder/00002-5.png"));
  run({"generate", "a cat", "-o", "[prompt]-[seed]-[steps].jpg", "--steps", "1", "--seed", "5"});
  EXPECT_TRUE(exists("a_cat-5-1.jpg"));
}

TEST_F(Commands, GenerateSpeaksJson) {
  const Result r = run({"generate", "a cat", "a dog", "-o", "x.webp", "--steps", "3", "--json",
                        "--progress", "json"});
  const json result = json::parse(r.out);
  ASSERT_EQ(result["pictures"].size(), 2u);
  EXPECT_EQ(result["pictures"][0]["file"], "x-1.webp");
  EXPECT_EQ(result["pictures"][1]["prompt"], "a dog");
  EXPECT_EQ(result["pictures"][0]["request"]["steps"], 3);
  EXPECT_THAT(result["pictures"][0]["infotext"].get<std::string>(), HasSubstr("Steps: 3"));
  std::istringstream lines(r.err);
  int steps = 0;
  for (std::string line; std::getline(lines, line);)
    if (json::parse(line)["phase"] == "denoise") ++steps;
  EXPECT_GE(steps, 2);
}

TEST_F(Commands, GenerateFromAPictureAndAMask) {
  run({"generate", "a red apple", "-o", "apple.png", "--steps", "2", "--seed", "7"});
  run({"generate", "a green apple", "--init", "apple.png", "--strength", "0.5", "-o", "green.png",
       "--steps", "4"});
  Image mask = image("apple.png");
  mask.channels = 1;
  mask.pixels.assign(static_cast<std::size_t>(mask.width) * static_cast<std::size_t>(mask.height),
                     0);
  std::fill(mask.pixels.begin(),
            mask.pixels.begin() + static_cast<std::ptrdiff_t>(mask.pixels.size() / 2), 255);
  save_image((program_.folder() / "mask.png").string(), mask);
  run({"generate", "a cat", "--init", "apple.png", "--mask", "mask.png", "-o", "mixed.png",
       "--steps", "2"});
  const Image before = image("apple.png"), after = image("mixed.png");
  const auto half = static_cast<std::ptrdiff_t>(before.pixels.size() / 2);
  EXPECT_TRUE(
      std::equal(before.pixels.begin() + half, before.pixels.end(), after.pixels.begin() + half));
  EXPECT_FALSE(
      std::equal(before.pixels.begin(), before.pixels.begin() + half, after.pixels.begin()));
}

TEST_F(Commands, GeneratePreviews) {
  run({"generate", "a cat", "-o", "cat.png", "--preview", "now.png", "--preview-every", "1",
       "--steps", "3"});
  EXPECT_GT(image("now.png").width, 0);
}

TEST_F(Commands, PicturesGoIntoFoldersThatAreNew) {
  run({"generate", "a cat", "-o", "new/deep/cat.png", "--steps", "1"});
  EXPECT_TRUE(exists("new/deep/cat.png"));
}

TEST_F(Commands, WordsWithoutQuotesAreToldToBePrompts) {
  const Result two = run({"generate", "red", "apple", "-o", "out/", "--steps", "1"});
  EXPECT_THAT(two.err, HasSubstr("2 prompts"));
  EXPECT_THAT(two.err, HasSubstr("\"red apple\""));
  EXPECT_THAT(run({"generate", "a lion", "tiger", "-o", "out/", "--steps", "1"}).err,
              Not(HasSubstr("prompts")));
}

TEST_F(Commands, RedoMakesTheSamePicture) {
  run({"generate", "a cat", "-o", "cat.png", "--steps", "2", "--seed", "9", "-n", "a dog"});
  run({"redo", "cat.png", "-o", "again.png"});
  EXPECT_EQ(image("again.png").pixels, image("cat.png").pixels);
  run({"redo", "cat.png", "-o", "other.png", "--seed", "10"});
  EXPECT_NE(image("other.png").pixels, image("cat.png").pixels);
  EXPECT_EQ(read_recipe((program_.folder() / "other.png").string()).seed, 10);
}

TEST_F(Commands, RedoOfAPictureFromAPictureAsksForThatOne) {
  run({"generate", "a cat", "-o", "cat.png", "--steps", "2", "--seed", "9"});
  run({"generate", "a dog", "--init", "cat.png", "-o", "dog.png", "--steps", "4", "--seed", "1"});
  const Result r = program_.run({"redo", "dog.png", "-o", "again.png"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, AllOf(HasSubstr("dog.png was made from another picture"),
                           HasSubstr("--init FILE"), HasSubstr("--mask FILE")));
  run({"redo", "dog.png", "--init", "cat.png", "-o", "again.png"});
  EXPECT_EQ(image("again.png").pixels, image("dog.png").pixels);
}

TEST_F(Commands, BatchDrawsTheGoodLinesAndResumes) {
  program_.write("prompts.txt",
                 "a cat\n--prompt 'a dog' --seed 5 --batch_size 2\n--prompt x --steps 0\na cow\n");
  const Result first = program_.run({"batch", "prompts.txt", "-o", "out", "--steps", "1"});
  EXPECT_EQ(first.code, 1);
  EXPECT_THAT(first.err,
              AllOf(HasSubstr("prompts.txt, line 3: steps"), HasSubstr("4 pictures saved")));
  EXPECT_TRUE(exists("out/00002-5.png"));
  EXPECT_TRUE(exists("out/00002-6.png"));
  fs::remove(program_.folder() / "out" / "00002-6.png");
  program_.write("prompts.txt", "a cat\n--prompt 'a dog' --seed 5 --batch_size 2\na pig\na cow\n");
  const Result second = run({"batch", "prompts.txt", "-o", "out", "--steps", "1", "--resume"});
  EXPECT_THAT(second.err,
              HasSubstr("3 pictures saved in out, 2 lines done before, 0 lines failed"));
  EXPECT_TRUE(exists("out/00002-6.png"));
}

TEST_F(Commands, BatchTellsHowFarTheWholeIs) {
  program_.write("prompts.txt", "a cat\n--prompt 'a dog' --batch_size 2\na cow\n");
  const Result r = run({"batch", "prompts.txt", "-o", "out", "--steps", "2", "--progress", "json"});
  std::vector<std::array<int, 2>> seen;
  std::istringstream lines(r.err);
  for (std::string line; std::getline(lines, line);) {
    const json p = json::parse(line, nullptr, false);
    if (!p.is_object() || p["phase"] != "denoise") continue;
    EXPECT_GT(p["seconds_left"], 0);
    seen.push_back({p["picture"], p["pictures"]});
  }
  using Seen = std::array<int, 2>;
  EXPECT_THAT(seen, testing::ElementsAre(Seen{0, 4}, Seen{1, 4}, Seen{3, 4}));
}

TEST_F(Commands, BatchWithNothingToDoLoadsNothing) {
  program_.write("prompts.txt", "a cat\n");
  run({"batch", "prompts.txt", "-o", "out", "--steps", "1"});
  const Result r =
      run({"batch", "prompts.txt", "-o", "out", "--steps", "1", "--resume", "--progress", "json"});
  EXPECT_THAT(r.err, AllOf(HasSubstr("1 line done before"), Not(HasSubstr("load"))));
}

TEST_F(Commands, ABadVariableIsNamed) {
  program_.set("MEZZO_STEPS", "many");
  const Result r = program_.run({"generate", "a cat"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("MEZZO_STEPS"));
}

TEST_F(Commands, PromptSyntaxOfOtherProgramsIsNotPassedOverInSilence) {
  EXPECT_THAT(run({"generate", "a (red:1.4) cat", "--steps", "1"}).err,
              HasSubstr("\"(red:1.4)\" is read as words"));
}

TEST_F(Commands, TheSmallModelSaysWhatItCannotDraw) {
  const auto lines = [&](const char* prompt, const char* side) {
    return run({"generate", prompt, "--steps", "1", "--progress", "none", "--width", side,
                "--height", side})
        .err;
  };
  EXPECT_EQ(lines("a puppy on a red background", "128"), "");
  EXPECT_THAT(lines("a spaceship", "128"), AllOf(StartsWith("mezzo: \"a spaceship\" names nothing"),
                                                 HasSubstr("things such as dog, ")));
  EXPECT_THAT(lines("a cat", "256"), StartsWith("mezzo: 256x256 is far beyond the 128x128"));
}

TEST_F(Commands, BatchReadsCsvAndJsonInShards) {
  program_.write("a.csv", "prompt,seed\na cat,1\n\"a dog, sitting\",2\na cow,3\n");
  program_.write("a.jsonl", "{\"prompt\": \"a cat\", \"seed\": 4}\n");
  run({"batch", "a.csv", "-o", "out", "--steps", "1", "--shard", "2/2"});
  EXPECT_TRUE(exists("out/00003-2.png"));
  EXPECT_FALSE(exists("out/00002-1.png"));
  run({"batch", "a.csv", "-o", "out", "--steps", "1", "--shard", "1/2"});
  EXPECT_TRUE(exists("out/00002-1.png"));
  EXPECT_TRUE(exists("out/00004-3.png"));
  const Result r = run({"batch", "a.jsonl", "-o", "out", "--steps", "1", "--json"});
  EXPECT_EQ(json::parse(r.out)["seed"], 4);
}

TEST_F(Commands, InfoExplainsAModel) {
  const json report = json::parse(run({"info", small_model().string(), "--json"}).out);
  EXPECT_EQ(report["error"], "");
  EXPECT_EQ(report["networks"].size(), 3u);
  EXPECT_THAT(run({"info", small_model().string()}).out, HasSubstr("unet"));
}

TEST_F(Commands, ModelsListsAFolder) {
  const fs::path folder = program_.folder() / "models";
  fs::create_directories(folder);
  fs::create_symlink(small_model(), folder / ("linked" + small_model().extension().string()));
  program_.write("models/page.safetensors", "<!DOCTYPE html>");
  const json list = json::parse(run({"models", "--models-dir", folder.string(), "--json"}).out);
  int broken = 0, drawing = 0;
  for (const json& m : list) {
    broken += m["name"] == "page" && m.contains("error");
    drawing += m.contains("objects") && !m["objects"].empty();
  }
  EXPECT_EQ(broken, 1);
  EXPECT_EQ(drawing, 1);  // listed once, whether it is the shipped one or the linked one
  EXPECT_THAT(run({"models", "--models-dir", folder.string()}).out,
              AllOf(HasSubstr("can draw"), HasSubstr("apple")));
}

TEST_F(Commands, PlanTellsMemoryAndTime) {
  const json plan = json::parse(run({"plan", "--width", "128", "--height", "128", "--json"}).out);
  EXPECT_GT(plan["peak"], 0);
  EXPECT_GT(plan["seconds"], 0);
  EXPECT_THAT(run({"plan"}).out, HasSubstr("memory at its highest"));
}

TEST_F(Commands, ConvertKeepsQuantisedWeightsUnlessTold) {
  const auto size = [&](const char* name) { return fs::file_size(program_.folder() / name); };
  run({"convert", small_model().string(), "small.gguf", "--weights", "q4_0"});
  run({"convert", "small.gguf", "same.gguf"});
  EXPECT_EQ(size("same.gguf"), size("small.gguf"));
  const Result none = program_.run({"convert", "small.gguf", "x.gguf", "--weights", "t5=q8_0"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no text_encoder_3; it has"));
  run({"convert", "small.gguf", "half.gguf", "--weights", "f16"});
  EXPECT_GT(size("half.gguf"), 2 * size("small.gguf"));
}

TEST_F(Commands, ConvertWritesAModelThatDrawsTheSame) {
  run({"convert", small_model().string(), "own.gguf", "--weights", "f32", "--report"});
  std::vector<std::string> draw = {"generate", "a cat", "--steps", "1",           "--seed",
                                   "1",        "-o",    "a.png",   "--precision", "f32"};
  run(draw);
  draw[7] = "b.png";
  draw.insert(draw.end(), {"-m", "own.gguf"});
  run(draw);
  EXPECT_EQ(image("a.png").pixels, image("b.png").pixels);
  EXPECT_NE(program_.run({"convert", small_model().string(), "own.gguf"}).code, 0);  // exists
  const json report =
      json::parse(run({"convert", "own.gguf", "half.gguf", "--weights", "f16", "--json"}).out);
  EXPECT_EQ(report["bytes_in"], fs::file_size(program_.folder() / "own.gguf"));
  EXPECT_EQ(report["bytes_out"], fs::file_size(program_.folder() / "half.gguf"));
  EXPECT_EQ(json::parse(run({"info", "half.gguf", "--json"}).out)["bytes"], report["bytes_out"]);
  run({"convert", small_model().string(), "own.gguf", "--overwrite"});
}

TEST_F(Commands, LessMemoryDrawsTheSame) {
  const auto draw = [&](const std::string& precision, std::vector<std::string> memory) {
    std::vector<std::string> command = {"generate", "a cat", "--steps", "2",           "--seed",
                                        "1",        "-o",    "m.png",   "--precision", precision};
    command.insert(command.end(), memory.begin(), memory.end());
    run(command);
    return image("m.png").pixels;
  };
  for (const std::string precision : {"auto", "f32", "int8"})
    EXPECT_EQ(draw(precision, {}), draw(precision, {"--low-ram"})) << precision;
}

/// The same checkpoint as a folder, as one file of either kind with the folder's configuration, and
/// converted: each is drawn with, to the same picture.
TEST_F(Commands, AModelOfOnesOwnIsUsedInEveryForm) {
  const auto folders = golden_paths("pipelines/tiny_sd1");
  if (folders.empty()) GTEST_SKIP() << "no goldens: pipelines/tiny_sd1";
  const std::string own = folders.front().string();
  const auto draw = [&](const std::string& name, std::vector<std::string> model) {
    std::vector<std::string> command = {
        "generate", "a red apple", "-n",        "grey",     "--steps",     "3",      "--guidance",
        "5",        "--width",     "96",        "--height", "64",          "--seed", "7",
        "-o",       name,          "--sampler", "euler_a",  "--precision", "f32"};
    command.insert(command.end(), model.begin(), model.end());
    run(command);
    return image(name);
  };
  const Image expected = draw("folder.png", {"-m", own});
  EXPECT_EQ(expected.width, 96);
  EXPECT_EQ(expected.height, 64);
  int forms = 0;
  for (const std::string form : {".safetensors", ".ckpt"}) {
    if (!fs::exists(own + form)) continue;
    SCOPED_TRACE(form);
    ++forms;
    const Image picture = draw("file" + form + ".png", {"-m", own + form, "--config", own});
    EXPECT_EQ(picture.pixels, expected.pixels);
    run({"convert", own + form, "own.gguf", "--config", own, "--weights", "f32", "--overwrite"});
    EXPECT_EQ(draw("bundle" + form + ".png", {"-m", "own.gguf"}).pixels, expected.pixels);
  }
  EXPECT_GE(forms, 1);
}

TEST_F(Commands, SamplersListsWhatGenerateTakes) {
  EXPECT_THAT(run({"samplers"}).out,
              AllOf(HasSubstr("  dpmpp_2m "), HasSubstr("DPM++ 2M"), HasSubstr("  automatic ")));
  const json list = json::parse(run({"samplers", "--json"}).out);
  EXPECT_GE(list["samplers"].size(), 40u);
  for (const json& schedule : list["schedules"])
    run({"plan", "--schedule", schedule["name"].get<std::string>()});
  const std::string help = run({"generate", "--help"}).out;
  EXPECT_THAT(help, AllOf(HasSubstr("--sampler NAME"), HasSubstr("mezzo samplers"),
                          HasSubstr("From 0 to 4096")));
}

TEST_F(Commands, TokensShowsThePieces) {
  const json report = json::parse(run({"tokens", "a red apple", "--json"}).out);
  EXPECT_EQ(report["pieces"].size(), 3u);
  EXPECT_EQ(report["used"], 5);
  EXPECT_EQ(report["limit"], 77);
  EXPECT_THAT(run({"tokens", "a red apple"}).out, HasSubstr("5 of 77 tokens"));
}

TEST_F(Commands, BenchMeasures) {
  const json result = json::parse(run({"bench", "--repeats", "1", "--steps", "1", "--json"}).out);
  EXPECT_GT(result["load_s"].get<double>(), 0);
  EXPECT_THAT(
      run({"bench", "--repeats", "1", "--steps", "1", "--layers"}).out,
      AllOf(HasSubstr("UNet, a step"), HasSubstr("a picture, 1 step "), HasSubstr("conv3x3 [2,")));
}

TEST_F(Commands, SelftestPasses) {
  EXPECT_THAT(run({"selftest"}).out, HasSubstr("everything is as it should be"));
  EXPECT_EQ(json::parse(run({"selftest", "--json"}).out)["passed"], true);
}

TEST_F(Commands, DefaultsComeFromVariablesAndTheSettingsFile) {
  program_.write("mine.toml", "seed = 11\n[generate]\nsteps = 1\n");
  program_.set("MEZZO_OUTPUT", "from-env.png");
  const Result r = run({"generate", "a cat", "--settings", "mine.toml", "--json"});
  const json picture = json::parse(r.out)["pictures"][0];
  EXPECT_EQ(picture["file"], "from-env.png");
  EXPECT_EQ(picture["seed"], 11);
  EXPECT_EQ(picture["request"]["steps"], 1);
}

TEST(Help, EveryCommandHasExamples) {
  const Program program("help");
  EXPECT_THAT(program.run({}).out, HasSubstr("mezzo generate \"a red apple\""));
  EXPECT_THAT(program.run({"--version"}).out, HasSubstr("mezzo "));
  const std::string all = program.run({"--help"}).out;
  for (const char* command : {"generate", "batch", "redo", "models", "samplers", "info", "plan",
                              "convert", "tokens", "bench", "selftest"}) {
    EXPECT_THAT(all, HasSubstr(command));
    const Result r = program.run({command, "--help"});
    EXPECT_EQ(r.code, 0) << command;
    EXPECT_THAT(r.out, AllOf(HasSubstr("Example"), HasSubstr(std::string("mezzo ") + command)))
        << command;
  }
}

}  // namespace
}  // namespace mezzo::test
