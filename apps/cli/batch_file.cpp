#include "cli/batch_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/text.h"
#include "mezzotint/errors.h"

namespace mezzo::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Names of A1111 and diffusers for our fields.
constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kAliases = {{
    {"negative", "negative_prompt"},
    {"num_inference_steps", "steps"},
    {"cfg_scale", "guidance"},
    {"cfg", "guidance"},
    {"guidance_scale", "guidance"},
    {"sampler_name", "sampler"},
    {"sampler_index", "sampler"},
    {"scheduler", "schedule"},
    {"batch_size", "count"},
    {"n_iter", "count"},
    {"num_images_per_prompt", "count"},
    {"denoising_strength", "strength"},
    {"init_image", "init"},
    {"image", "init"},
    {"mask_image", "mask"},
    {"clip_stop_at_last_layers", "clip_skip"},
    {"randn_source", "rng"},
    {"w", "width"},
    {"h", "height"},
    {"prompts", "prompt"},
}};

std::string canonical(std::string_view name) {
  std::string key = ascii_lower(name);
  for (char& c : key)
    if (c == '-' || c == ' ') c = '_';
  for (const auto& [alias, field] : kAliases)
    if (alias == key) return std::string(field);
  return key;
}

/// Sets a field of a line from text, whatever it is called.
void set(BatchLine& line, const std::string& name, const std::string& value) {
  const std::string key = canonical(name);
  if (key == "prompt")
    line.params.prompts = {value};
  else if (key == "init")
    line.init = value;
  else if (key == "mask")
    line.mask = value;
  else
    set_field(line.params, key, value);
}

/// Runs `fill` on a new line; what it throws becomes the line's error.
template <class Fill>
BatchLine make_line(std::size_t number, const GenerateParams& defaults, Fill fill) {
  BatchLine line{.line = number, .params = defaults, .init = {}, .mask = {}, .error = {}};
  try {
    fill(line);
    validate(line.params);
  } catch (const UsageError& e) {
    line.error = e.what();
  }
  return line;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// Calls f(line number, line without surrounding spaces) for every line that is not empty.
template <class F>
void for_each_line(std::string_view text, F f) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    if (const auto line = trimmed(text.substr(0, end)); !line.empty()) f(number, line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// --name value ..., as A1111's "Prompts from file" has them; --name=value too.
void set_flags(BatchLine& line, std::string_view text) {
  const std::vector<std::string> words = shell_words(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with("--"))
      throw UsageError(fmt::format(
          "\"{}\" stands outside a flag; put the prompt in quotes: --prompt \"...\"", word));
    if (const auto equals = word.find('='); equals != word.npos) {
      set(line, word.substr(2, equals - 2), word.substr(equals + 1));
    } else {
      if (i + 1 == words.size())
        throw UsageError(fmt::format("{} has no value; write one behind it", word));
      set(line, word.substr(2), words[++i]);
    }
  }
}

std::vector<BatchLine> parse_text(std::string_view text, const GenerateParams& defaults) {
  std::vector<BatchLine> lines;
  for_each_line(text, [&](std::size_t number, std::string_view content) {
    if (content.front() == '#') return;
    lines.push_back(make_line(number, defaults, [&](BatchLine& line) {
      if (content.starts_with("--"))
        set_flags(line, content);
      else
        line.params.prompts = {std::string(content)};
    }));
  });
  return lines;
}

std::vector<BatchLine> parse_csv_lines(std::string_view text, const GenerateParams& defaults) {
  const std::vector<CsvRecord> records = parse_csv(text);
  std::vector<BatchLine> lines;
  if (records.empty()) return lines;
  const std::vector<std::string>& header = records.front().fields;
  if (std::none_of(header.begin(), header.end(),
                   [](const auto& name) { return canonical(name) == "prompt"; }))
    throw UsageError(
        "the first line of the file names no column prompt; begin it with a header such as "
        "prompt,seed,steps");
  for (std::size_t r = 1; r < records.size(); ++r) {
    const auto& [number, fields] = records[r];
    lines.push_back(make_line(number, defaults, [&](BatchLine& line) {
      if (fields.size() != header.size())
        throw UsageError(
            fmt::format("{} fields, but the header has {}; put text with commas in quotes",
                        fields.size(), header.size()));
      for (std::size_t i = 0; i < fields.size(); ++i)
        if (!fields[i].empty()) set(line, header[i], fields[i]);
    }));
  }
  return lines;
}

/// An object of a line: known fields over the defaults.
void set_object(BatchLine& line, std::string_view content) {
  const Json json = Json::parse(content, nullptr, false);
  if (!json.is_object()) throw UsageError("not a JSON object; write {\"prompt\": \"...\"}");
  Json request = Json::parse(to_json(line.params));
  for (const auto& [name, value] : json.items()) {
    const std::string key = canonical(name);
    if (key == "init" || key == "mask") {
      if (!value.is_string()) throw UsageError(fmt::format("{}: not a file name in quotes", key));
      (key == "init" ? line.init : line.mask) = value.get<std::string>();
    } else if (name == "prompts") {
      throw UsageError("prompts: a line is one picture; write \"prompt\": \"...\"");
    } else {
      request[key] = value;
    }
  }
  if (request.contains("prompt")) request.erase("prompts");  // what no prompts became
  line.params = params_from_json(request.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::vector<BatchLine> parse_json_lines(std::string_view text, const GenerateParams& defaults) {
  std::vector<BatchLine> lines;
  for_each_line(text, [&](std::size_t number, std::string_view content) {
    lines.push_back(
        make_line(number, defaults, [&](BatchLine& line) { set_object(line, content); }));
  });
  return lines;
}

}  // namespace

BatchFormat batch_format(const std::filesystem::path& file) {
  if (std::error_code ignored; std::filesystem::is_directory(file, ignored))
    throw UsageError(fmt::format("{}: is a folder; give a file of prompts (.txt, .csv or .jsonl)",
                                 file.string()));
  const std::string extension = canonical(file.extension().string());
  if (extension == ".txt") return BatchFormat::kText;
  if (extension == ".csv") return BatchFormat::kCsv;
  if (extension == ".jsonl" || extension == ".ndjson") return BatchFormat::kJsonLines;
  throw UsageError(fmt::format(
      "{}: its name does not tell what it holds; end it in .txt, .csv or .jsonl", file.string()));
}

std::vector<BatchLine> parse_batch(std::string_view text, BatchFormat format,
                                   const GenerateParams& defaults) {
  if (text.starts_with("\xEF\xBB\xBF"))
    text.remove_prefix(3);  // a byte order mark, as Excel writes it
  switch (format) {
    case BatchFormat::kText:
      return parse_text(text, defaults);
    case BatchFormat::kCsv:
      return parse_csv_lines(text, defaults);
    case BatchFormat::kJsonLines:
      break;
  }
  return parse_json_lines(text, defaults);
}

std::vector<std::string> shell_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;  // a word has begun, maybe an empty one
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool more = i + 1 < line.size();
    if (quote == '\'') {
      if (c == '\'')
        quote = '\0';
      else
        word += c;
    } else if (c == '\\' && more && (quote == '\0' || line[i + 1] == '"' || line[i + 1] == '\\')) {
      word += line[++i];
      inside = true;
    } else if (quote == '"') {
      if (c == '"')
        quote = '\0';
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      inside = true;
    } else if (c == ' ' || c == '\t') {
      if (inside) words.push_back(std::exchange(word, ""));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != '\0')
    throw UsageError(
        fmt::format("a quote ({}) is not closed; close it or write \\{}", quote, quote));
  if (inside) words.push_back(word);
  return words;
}

std::vector<CsvRecord> parse_csv(std::string_view text) {
  std::vector<CsvRecord> records;
  CsvRecord record{.line = 1, .fields = {}};
  std::string field;
  std::size_t line = 1;
  bool quoted = false;
  const auto end_record = [&] {
    record.fields.push_back(std::exchange(field, ""));
    const bool blank = record.fields.size() == 1 && record.fields.front().empty();
    if (!blank) records.push_back(std::move(record));
    record = {.line = line, .fields = {}};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"')
        field += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        field += text[++i];
      else
        quoted = false;
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else if (c == ',') {
      record.fields.push_back(std::exchange(field, ""));
    } else if (c == '\n') {
      end_record();
    } else if (c != '\r') {
      field += c;
    }
  }
  if (quoted)
    throw UsageError(fmt::format(
        "the quote opened in the record at line {} is not closed; close it", record.line));
  if (!field.empty() || !record.fields.empty()) end_record();
  return records;
}

}  // namespace mezzo::cli
