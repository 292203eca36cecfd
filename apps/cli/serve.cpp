// mezzo serve, mezzo gallery, and the worker that the server starts.
#include "server/serve.h"

#include <limits>
#include <memory>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "server/worker.h"

namespace mezzo::cli {
namespace {

constexpr const char* kDefaultOutputs = "outputs";

void add_outputs_flag(CLI::App& app, std::string& outputs) {
  add_text(app, "--outputs-dir", outputs,
           "The folder of the pictures and their index. Default: outputs.")
      .type_name("DIR");
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(at), rest.size());
    if (end > 0) parts.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return parts;
}

}  // namespace

void add_serve(CLI::App& app, Session& session) {
  struct Flags {
    ModelFlags model;
    server::ServeOptions options;
    std::string names;
  };
  const auto flags = std::make_shared<Flags>();
  server::ServeOptions& o = flags->options;
  add_text(app, "--host", o.host,
           "The address to listen on; any but this machine's own needs --token. Default: "
           "127.0.0.1.")
      .type_name("ADDRESS");
  add_number(app, "--port", o.port, "The port; 0 takes a free one. Default: 7860.", {0, 65535});
  add_text(app, "--token", o.token,
           "A secret that every request must carry; the page is opened once as /?token=SECRET.");
  add_text(
      app, "--name", flags->names,
      "Names by which browsers call this machine, separated by ','; NAME:PORT for the port of a "
      "proxy before it. Default: its host name.")
      .type_name("NAMES");
  add_outputs_flag(app, o.outputs);
  add_number(app, "--drain", o.drain_seconds,
             "Seconds that a running job gets to finish when the server is ended. Default: 60.",
             {0, 3600});
  add_models_dir_flag(app, flags->model);
  for (Flag flag : add_encoder_flags(app, encoders_of(flags->model.engine))) flag.group("Model");
  add_engine_flags(app, flags->model);
  set_footer(app,
             "Examples:\n"
             "  mezzo serve\n"
             "  mezzo serve --models-dir ~/models --outputs-dir ~/pictures\n"
             "  mezzo serve --host 0.0.0.0 --token a-long-secret --max-ram 12G");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      flags->options.names = split(flags->names, ',');
      flags->options.folders = flags->model.folder_list();
      flags->options.engine = flags->model.engine;
      return server::serve(flags->options, session.signals.token());
    };
  });
}

void add_gallery(CLI::App& app, Session& session) {
  struct Flags {
    std::string action, outputs = kDefaultOutputs;
  };
  const auto flags = std::make_shared<Flags>();
  add_text(app, "action", flags->action, "rebuild: makes the index of the pictures again.")
      .required()
      .type_name("ACTION");
  add_outputs_flag(app, flags->outputs);
  set_footer(app, "Example:\n  mezzo gallery rebuild --outputs-dir ~/pictures");
  when_chosen(app, [flags, &session] {
    session.command = [flags] {
      if (flags->action != "rebuild")
        throw UsageError(flags->action + ": there is no such action; use mezzo gallery rebuild");
      return server::rebuild_gallery(flags->outputs);
    };
  });
}

void add_worker(CLI::App& app, Session& session) {
  const auto fd = std::make_shared<int>(-1);
  hide(app);  // started by the server only
  add_number(app, "--fd", *fd, "The server's socket.", {0, std::numeric_limits<int>::max()})
      .required();
  when_chosen(app, [fd, &session] { session.command = [fd] { return server::worker_main(*fd); }; });
}

}  // namespace mezzo::cli
