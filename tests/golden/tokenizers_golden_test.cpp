// Both tokenizers on every text of goldens/tokenizers, and the tokenizers of goldens/pipelines on
// the prompts of its runs.
#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/goldens.h"
#include "text/clip_tokenizer.h"
#include "text/t5_tokenizer.h"

namespace mezzo {
namespace {

using nlohmann::json;
using Ids = std::vector<int>;

std::vector<json> rows(const fs::path& path) {
  std::vector<json> out;
  std::istringstream lines(read_text_file(path));
  for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
  return out;
}

/// "<|EndOfText|>": implementations differ on whether it is the special token (README of the
/// goldens).
bool has_case_variant(std::string text) {
  const auto count = [&] {
    std::size_t n = 0;
    for (const std::string token : {"<|startoftext|>", "<|endoftext|>"})
      for (auto at = text.find(token); at != std::string::npos; at = text.find(token, at + 1)) ++n;
    return n;
  };
  const std::size_t exact = count();
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return count() != exact;
}

TEST(TokenizersGolden, ClipOnEveryText) {
  const ClipTokenizer sd1 = ClipTokenizer::built_in();
  const ClipTokenizer zero = ClipTokenizer::built_in({.pad = "!"});
  const ClipTokenizer bang = ClipTokenizer::built_in({.pad = "!", .pad_is_special = true});
  std::map<std::string, int> counts;
  for (const auto& root : test::golden_paths("tokenizers")) {
    for (const json& row : rows(root / "clip.jsonl")) {
      const std::string text = row.at("text").get<std::string>();
      SCOPED_TRACE(root.string() + " clip.jsonl " + row.at("n").dump() + " " +
                   row.at("text").dump().substr(0, 100));
      const Ids ids = row.at("ids").get<Ids>();
      EXPECT_EQ(sd1.encode(text), ids);
      EXPECT_EQ(sd1.tokenize(text).ids, row.at("pad_eos_77").get<Ids>());
      EXPECT_EQ(sd1.tokenize(text).cut.empty(), ids.size() <= 77);
      EXPECT_EQ(sd1.tokenize(text).n_tokens, std::min<int>(77, static_cast<int>(ids.size())));
      EXPECT_EQ(zero.tokenize(text).ids, row.at("pad_zero_77").get<Ids>());
      if (!has_case_variant(text)) {
        EXPECT_EQ(bang.encode(text), row.value("ids_bang_special", ids));
      }
      EXPECT_EQ(sd1.pieces(text).size(), ids.size() - 2);
      ++counts["texts"];
      counts["with special !"] += row.contains("ids_bang_special");
      counts["cut"] += ids.size() > 77;
    }
  }
  if (counts.empty()) GTEST_SKIP() << "no tokenizer goldens on this machine";
  for (const auto& [what, n] : counts) std::printf("%d %s\n", n, what.c_str());
}

TEST(TokenizersGolden, T5OnEveryText) {
  const T5Tokenizer t5 = T5Tokenizer::built_in();
  constexpr int kLength = 256;
  int texts = 0, cut = 0;
  for (const auto& root : test::golden_paths("tokenizers")) {
    for (const json& row : rows(root / "t5.jsonl")) {
      const std::string text = row.at("text").get<std::string>();
      SCOPED_TRACE(root.string() + " t5.jsonl " + row.at("n").dump() + " " +
                   row.at("text").dump().substr(0, 100));
      Ids ids = row.at("ids").get<Ids>();
      EXPECT_EQ(t5.encode(text), ids);
      EXPECT_EQ(t5.pieces(text).size(), ids.size() - 1);
      const Tokens tokens = t5.tokenize(text, kLength);
      EXPECT_EQ(!tokens.cut.empty(), row.at("truncated_256").get<bool>());
      EXPECT_EQ(tokens.n_tokens, std::min(kLength, row.at("n_tokens").get<int>()));
      if (ids.size() > kLength) ids[kLength - 1] = t5.end_id();
      ids.resize(kLength, t5.pad_id());
      EXPECT_EQ(tokens.ids, ids);
      ++texts;
      cut += !tokens.cut.empty();
    }
  }
  if (texts == 0) GTEST_SKIP() << "no tokenizer goldens on this machine";
  std::printf("%d texts of T5, %d cut at %d\n", texts, cut, kLength);
}

/// Python writes infinite numbers, which JSON has not; none is needed here.
std::string without_infinities(std::string text) {
  for (const std::string_view bad : {"-Infinity", "Infinity", "NaN"})
    for (auto at = text.find(bad); at != std::string::npos; at = text.find(bad, at))
      text.replace(at, bad.size(), "null");
  return text;
}

/// A string or a list of strings, as `n` strings.
std::vector<std::string> prompts(const json& value, std::size_t n) {
  if (value.is_array()) return value.get<std::vector<std::string>>();
  return std::vector<std::string>(n, value.get<std::string>());
}

using Encode = std::function<Ids(const std::string&)>;

/// The tokenizer of a folder, by each of the files that hold it.
std::vector<Encode> encoders_of(const fs::path& folder) {
  const auto read = [&](const char* file) {
    return fs::exists(folder / file) ? read_text_file(folder / file) : std::string();
  };
  const auto encoder = [](const auto& tokenizer) {
    return [tokenizer](const std::string& text) { return tokenizer.encode(text); };
  };
  const std::string origin = folder.string();
  if (fs::exists(folder / "vocab.json")) {
    const std::string vocab = read("vocab.json"), merges = read("merges.txt"),
                      config = read("tokenizer_config.json");
    return {encoder(ClipTokenizer::from_files(
        {.vocab = vocab, .merges = merges, .config = config, .origin = origin}))};
  }
  std::vector<Encode> out;
  if (const auto spiece = read("spiece.model"); !spiece.empty())
    out.push_back(encoder(T5Tokenizer::from_files({.spiece = spiece, .origin = origin})));
  if (const auto text = read("tokenizer.json"); !text.empty())
    out.push_back(encoder(T5Tokenizer::from_files({.tokenizer_json = text, .origin = origin})));
  return out;
}

TEST(TokenizersGolden, TokenizersOfFoldersOnTheirRuns) {
  int checked = 0;
  for (const auto& root : test::golden_paths("pipelines")) {
    if (!fs::exists(root / "runs")) continue;
    for (const auto& entry : fs::directory_iterator(root / "runs")) {
      if (entry.path().extension() != ".json") continue;
      SCOPED_TRACE(entry.path().string());
      const json run = json::parse(without_infinities(read_text_file(entry.path())));
      for (const auto& [name, recorded] : run.at("token_ids_without_padding").items()) {
        const fs::path folder = root / run.at("checkpoint").get<std::string>() / name;
        const auto encoders = encoders_of(folder);
        for (const auto& [key, source] :
             {std::pair{"prompt", "prompt"}, std::pair{"negative", "negative_prompt"}}) {
          const auto expected = recorded.at(key).get<std::vector<Ids>>();
          if (expected.empty()) continue;
          const auto texts = prompts(run.at(source), expected.size());
          ASSERT_EQ(texts.size(), expected.size());
          for (const auto& encode : encoders)
            for (std::size_t i = 0; i < texts.size(); ++i, ++checked)
              EXPECT_EQ(encode(texts[i]), expected[i]);
        }
      }
    }
  }
  if (checked == 0) GTEST_SKIP() << "no pipeline goldens on this machine";
  std::printf("%d prompts\n", checked);
}

}  // namespace
}  // namespace mezzo
