// mezzo batch: every line of a file becomes pictures in a folder, with a manifest that --resume
// continues from.
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/batch_file.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/manifest.h"
#include "cli/pictures.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 256u << 20;

/// Part `index` of `count`: the lines whose place in the file, counted from 0, leaves index-1 when
/// divided by count.
struct Shard {
  std::size_t index = 1, count = 1;
  bool has(std::size_t position) const { return position % count == index - 1; }
};

struct Flags {
  std::string file;
  std::string shard = "1/1";
  bool resume = false;
  ModelFlags model;
  RequestFlags request;
  OutputFlags output;
};

struct Counts {
  std::size_t pictures = 0, skipped = 0, failed = 0;
};

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto [slash, bad_index] = std::from_chars(text.data(), end, shard.index);
  const bool has_slash = bad_index == std::errc() && slash != end && *slash == '/';
  const auto [stop, bad_count] = std::from_chars(has_slash ? slash + 1 : end, end, shard.count);
  if (!has_slash || bad_count != std::errc() || stop != end || shard.index < 1 ||
      shard.index > shard.count)
    throw UsageError(
        fmt::format("shard: \"{}\" is not usable; give i/n with i from 1 to n, such as 2/4", text));
  return shard;
}

std::string read_file(const fs::path& file) {
  std::error_code error;
  if (fs::is_directory(file, error))
    throw UsageError(
        fmt::format("{} is a folder; give a .txt, .csv or .jsonl file", file.string()));
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw UsageError(
        fmt::format("{} cannot be read: {}; check the path", file.string(), std::strerror(errno)));
  if (fs::is_regular_file(file, error) && fs::file_size(file, error) > kMaxFileBytes)
    throw UsageError(
        fmt::format("{} is larger than {}; split it", file.string(), format_bytes(kMaxFileBytes)));
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

/// Turns the progress of one line into that of the whole batch.
class Overall {
 public:
  explicit Overall(std::int64_t pictures) : pictures_(pictures) {}

  void begin_line(std::int64_t pictures) {
    before_ += line_;
    line_ = pictures;
  }
  void finish(double seconds) {
    ++drawn_;
    spent_ += seconds;
  }
  Progress operator()(Progress p) const {
    if (p.pictures == 0) return p;  // the model is loaded
    const double each = drawn_ ? spent_ / drawn_ : p.seconds_per_step * p.steps;
    if (p.seconds_left > 0)
      p.seconds_left += each * static_cast<double>(pictures_ - before_ - line_);
    p.picture += static_cast<int>(before_);
    p.pictures = static_cast<int>(pictures_);
    return p;
  }

 private:
  std::int64_t pictures_;
  std::int64_t before_ = 0, line_ = 0;  // pictures of the lines before, and of this one
  int drawn_ = 0;
  double spent_ = 0;  // seconds, on these
};

/// Draws the lines of one file, one after the other.
class BatchRun {
 public:
  BatchRun(Session& session, const Flags& flags, std::function<Engine()> open, RunOptions run)
      : session_(session),
        flags_(flags),
        open_(std::move(open)),
        manifest_(flags.output.output, flags.resume),
        run_(std::move(run)) {}

  void draw(const std::vector<const BatchLine*>& lines) {
    std::vector<const BatchLine*> open;
    std::int64_t pictures = 0;
    for (const BatchLine* line : lines)
      if (!manifest_.is_done(*line)) {
        open.push_back(line);
        pictures += line->params.count;
      }
    counts_.skipped = lines.size() - open.size();
    Overall overall(pictures);
    overall_ = &overall;
    run_.progress = [&overall, show = run_.progress](const Progress& p) { show(overall(p)); };
    for (const BatchLine* line : open) draw(*line);
  }

  const Counts& counts() const { return counts_; }

 private:
  /// A line that fails is told and counted; being cancelled or a full disk ends the batch.
  void draw(const BatchLine& line) {
    if (run_.stop.stop_requested()) throw Cancelled("cancelled");
    overall_->begin_line(line.params.count);
    if (!engine_ && line.error.empty())
      engine_.emplace(open_());  // not without need: it takes long
    try {
      if (!line.error.empty()) throw UsageError(line.error);
      draw_pictures(line);
    } catch (const UsageError& e) {
      fail(line, e.what());
    } catch (const OutOfMemory& e) {
      fail(line, e.what());
    } catch (const LoadError& e) {  // a model that gives NaN with these settings
      fail(line, e.what());
    }
  }

  void draw_pictures(const BatchLine& line) {
    GenerateParams request = line.params;
    const fs::path folder = fs::path(flags_.file).parent_path();
    if (!line.init.empty()) request.init = load_image((folder / line.init).string());
    if (!line.mask.empty()) request.mask = load_image((folder / line.mask).string());
    std::int64_t index = 0;
    engine_->generate(request, run_, [&](const Picture& picture) {
      const std::string name = fmt::format("{:05}-{}.png", line.line, picture.seed);
      const fs::path file = fs::path(flags_.output.output) / name;
      save_picture(file.string(), picture, flags_.output.quality);
      manifest_.add(line, index++, picture, name);
      ++counts_.pictures;
      overall_->finish(picture.seconds);
      tell(line, picture, file);
    });
  }

  void tell(const BatchLine& line, const Picture& picture, const fs::path& file) {
    session_.printer->clear();
    if (session_.json) {
      nlohmann::ordered_json json = picture_json(picture, file);
      json["line"] = line.line;
      print(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    } else {
      print(session_.quiet ? file.string() + "\n"
                           : fmt::format("line {}: saved {} ({:.1f} s)\n", line.line, file.string(),
                                         picture.seconds));
    }
  }

  void fail(const BatchLine& line, const std::string& why) {
    ++counts_.failed;
    const std::string message = fmt::format("{}, line {}: {}", flags_.file, line.line, why);
    session_.printer->clear();
    std::fputs(fmt::format("mezzo: {}\n", message).c_str(), stderr);
    if (session_.json)
      print(nlohmann::ordered_json{{"line", line.line},
                                   {"error", {{"kind", "usage"}, {"message", why}}}}
                .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
            "\n");
  }

  Session& session_;
  const Flags& flags_;
  std::function<Engine()> open_;
  std::optional<Engine> engine_;
  Manifest manifest_;
  RunOptions run_;
  Overall* overall_ = nullptr;  // while drawing
  Counts counts_;
};

int run_batch(Session& session, const Flags& flags) {
  const Shard shard = parse_shard(flags.shard);
  const std::string text = read_file(flags.file);  // first: a folder has no format to speak of
  const auto lines = parse_batch(text, batch_format(flags.file), flags.request.params);
  if (lines.empty())
    throw UsageError(fmt::format("{} holds no prompts; write one a line", flags.file));
  const std::string model = flags.model.find();
  // A folder, whatever its name looks like.
  OutputNames folder(flags.output.output + "/", lines.size(), flags.request.params);
  session.signals.watch_folder(flags.output.output);
  RunOptions run = session.begin();
  add_preview(run, flags.output, session);
  const auto open = [&] { return Engine::open(model, flags.model.engine, run); };
  BatchRun batch(session, flags, open, run);
  std::vector<const BatchLine*> part;
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (shard.has(i)) part.push_back(&lines[i]);
  batch.draw(part);
  const Counts& n = batch.counts();
  session.note(fmt::format("{} saved in {}, {} done before, {} failed",
                           counted(n.pictures, "picture"), flags.output.output,
                           counted(n.skipped, "line"), counted(n.failed, "line")));
  return n.failed == 0 ? kDone : kFailed;
}

}  // namespace

void add_batch(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<Flags>();
  flags->output.output = "outputs";
  add_text(app, "file", flags->file, "A .txt, .csv or .jsonl file (docs/cli.md describes them).")
      .required()
      .type_name("FILE");
  add_text(app, "-o,--output", flags->output.output,
           "The folder for pictures and manifest.jsonl. Default: outputs.")
      .type_name("FOLDER");
  add_switch(app, "--resume", flags->resume, "Skip the lines whose pictures are there already.");
  add_text(app, "--shard", flags->shard,
           "Draw part i of n of the lines, as in 2/4: for several machines.")
      .type_name("i/n");
  add_request_flags(app, flags->request);
  add_preview_flags(app, flags->output);
  add_model_flags(app, flags->model);
  add_progress_flags(app, session);
  add_json_flag(app, session);
  set_footer(
      app,
      "Flags set the defaults of every line. A line that fails is told and the others go on; the "
      "exit code is then 1.\n"
      "Examples:\n"
      "  mezzo batch prompts.txt -o pictures\n"
      "  mezzo batch products.csv -o pictures --steps 30 --resume\n"
      "  mezzo batch requests.jsonl -o pictures --shard 2/4");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] { return run_batch(session, *flags); };
  });
}

}  // namespace mezzo::cli
